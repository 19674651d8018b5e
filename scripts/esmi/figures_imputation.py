"""Figures of an imputation: observed beside imputed values, and whether the chains agree."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from esmi import figures
from esmi.imputation.diagnostics import FEW, R_HAT_BAD, R_HAT_LOOK

# source: (label, colour, line style, marker, face colour)
_SOURCES = {
    "observed": ("Observed", figures.BLUE, "-", "s", figures.BLUE),
    "imputed": ("Imputed", figures.VERMILION, "--", "o", "white"),
}
_PANEL = 1.25  # inches


@figures.styled
def observed_imputed(
    distributions: pd.DataFrame, words: dict[str, dict], title: str, notice: str, outcome: str
) -> Figure:
    """Observed beside imputed values: a row per variable; in all, and in the two groups of `outcome`.

    `distributions`: the frame of `diagnostics.distributions`. Densities of numbers, proportions of levels. Variables
    imputed for fewer than ten people are left out; a panel of fewer than ten says so.
    """
    imputed = distributions[(distributions["source"] == "imputed") & (distributions["group"] == "all")]
    enough = imputed[(imputed["statistic"] == "n") & (imputed["value"] >= FEW)]
    variables = list(dict.fromkeys(enough["variable"]))
    levels = words[outcome]["levels"] if outcome else {}
    columns = [("", "all", "All")] + [
        (outcome, key, f"{words[outcome]['label']}: {text}") for key, text in levels.items()
    ]
    rows = max(len(variables), 1)
    figure, top, bottom = figures.blank(title, notice, _PANEL * rows, below=0.5, above=0.35)
    height, width = (top - bottom) / rows, 0.74 / len(columns)
    for row, variable in enumerate(variables):
        place = top - (row + 0.5) * height
        label = figures.two_lines(words[variable]["label"], 24)
        figure.text(0.02, place + 0.1 * height, label, va="center", size=7)
        for column, (group_variable, group, heading) in enumerate(columns):
            axes = figure.add_axes((0.27 + column * width, top - (row + 0.82) * height, width * 0.76, height * 0.68))
            chosen = (distributions["variable"] == variable) & (distributions["group"] == group)
            chosen &= distributions["group_variable"].fillna("") == group_variable
            _panel(axes, distributions[chosen], words[variable]["levels"])
            if row == 0:
                axes.set_title(figures.two_lines(heading, 28), loc="left", fontweight="bold", fontsize=7)
    handles = [
        Line2D([], [], color=colour, linestyle=style, marker=marker, markerfacecolor=face, markersize=4, label=label)
        for label, colour, style, marker, face in _SOURCES.values()
    ]
    figure.legend(handles=handles, loc="lower center", ncols=2, frameon=False)
    return figure


@figures.styled
def agreement(r_hat: pd.DataFrame, words: dict[str, dict], title: str, notice: str) -> Figure:
    """Split R-hat of everything that is traced, one line each, with the values from which to look and to worry.

    `r_hat`: the frame of `diagnostics.convergence`.
    """
    known = r_hat[r_hat["r_hat"].notna()].reset_index(drop=True)
    figure, top, bottom = figures.blank(title, notice, 0.17 * max(len(known), 3), below=0.45, above=0.0)
    axes = figure.add_axes((0.46, bottom, 0.5, top - bottom))
    for limit, style in ((R_HAT_LOOK, ":"), (R_HAT_BAD, "--")):
        axes.axvline(limit, color=figures.GREY, linestyle=style, linewidth=1)
    axes.plot(known["r_hat"], known.index, "s", color=figures.BLUE, markersize=4)
    names = [
        f"{words[row.variable]['label']}, {words[row.variable]['levels'].get(row.level, row.level) or row.statistic}"
        for row in known.itertuples()
    ]
    axes.set_yticks(known.index, [figures.two_lines(name, 62).split("\n")[0] for name in names], fontsize=6.5)
    axes.set_ylim(len(known) - 0.5, -0.5)
    axes.set_xlim(min([0.99, *(known["r_hat"] - 0.01)]), max([R_HAT_BAD * 1.02, *(known["r_hat"] + 0.01)]))
    axes.set_xlabel(f"Split R-hat (dotted: {R_HAT_LOOK:g}, look; dashed: {R_HAT_BAD:g}, not converged)")
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, levels: dict[str, str]) -> None:
    axes.tick_params(labelsize=6)
    if not rows["statistic"].isin(["density", "proportion"]).any():
        axes.set_axis_off()
        axes.text(0.5, 0.5, "too few", ha="center", va="center", transform=axes.transAxes, size=7)
        return
    for number, (source, (_, colour, style, marker, face)) in enumerate(_SOURCES.items()):
        own = rows[rows["source"] == source]
        density = own[own["statistic"] == "density"]
        if len(density):
            axes.plot(density["x"], density["value"], color=colour, linestyle=style, linewidth=1.2)
            axes.set_yticks([])
            axes.set_ylim(0, 1.05 * rows.loc[rows["statistic"] == "density", "value"].max())
            continue
        shares = own[own["statistic"] == "proportion"]
        heights = np.arange(len(shares)) + 0.22 * (number - 0.5)
        axes.plot(shares["value"], heights, marker, color=colour, markerfacecolor=face, markersize=4)
    if (rows["statistic"] == "proportion").any():
        labels = [figures.two_lines(text, 14).split("\n")[0] for text in levels.values()]
        axes.set_yticks(range(len(labels)), labels, fontsize=5.5)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_xlim(-0.03, 1.03)

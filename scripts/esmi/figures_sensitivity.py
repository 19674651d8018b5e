"""Figures of sensitivity analyses: how odds ratios move when imputed values depart from missing at random."""

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from esmi import figures

_PANEL = 2.0  # inches
_TICKS = (0.1, 0.2, 0.5, 0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.25, 2, 5, 10)


@figures.styled
def tipping(shifts: pd.DataFrame, words: dict, notice: str, level: float = 0.95) -> Figure:
    """Adjusted odds ratios with intervals at every shift of the imputed values, a panel per model and term.

    `shifts`: the frame of `sensitivity.shifts`; `words`: title of the grid, titles of the models, label and unit of the
    shifted variable. Filled squares: the interval excludes 1; open circles: it does not. The main analysis is at 0,
    which a vertical line marks.
    """
    panels = list(shifts.groupby(["model", "term"], sort=False))
    variable = words["words"][shifts["variable"].iloc[0]]
    rows = -(-len(panels) // 2)
    title = f"If the unknown values were not missing at random: {words['title']}"
    figure, top, bottom = figures.blank(title, notice, _PANEL * rows, below=0.7, above=0.45)
    height = (top - bottom) / rows
    unit = "points" if shifts["scale"].iloc[0] == "score" else "log-odds"
    for index, ((model, _), rows_of_panel) in enumerate(panels):
        row, column = divmod(index, 2)
        place = (0.085 + 0.49 * column, top - (row + 0.8) * height, 0.4, height * 0.72)
        axes = figure.add_axes(place)
        _panel(axes, rows_of_panel.sort_values("shift"))
        axes.set_title("\n".join(textwrap.wrap(words["models"][model], 55)), loc="left", fontweight="bold")
        axes.set_xlabel(f"Added to each imputed value of {variable['label']} ({unit})", fontsize=7)
        axes.set_ylabel(f"Odds ratio ({100 * level:g}% CI)")
    handles = [
        Line2D([], [], color=figures.BLUE, marker=marker, markerfacecolor=face, markersize=5, label=label)
        for marker, face, label in [
            ("s", figures.BLUE, "Interval excludes 1"),
            ("o", "white", "Interval includes 1"),
        ]
    ]
    figure.legend(handles=handles, loc="lower center", ncols=2, frameon=False)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    known = rows[rows["odds_ratio"].notna()]
    axes.axhline(1, color="black", linewidth=0.8)
    axes.axvline(0, color=figures.GREY, linewidth=0.8, linestyle=":")
    for row in known.itertuples():
        clear = row.or_low > 1 or row.or_high < 1
        axes.plot([row.shift] * 2, [row.or_low, row.or_high], color=figures.BLUE, linewidth=1)
        face = figures.BLUE if clear else "white"
        axes.plot(row.shift, row.odds_ratio, "s" if clear else "o", color=figures.BLUE, markerfacecolor=face, ms=5)
    axes.set_yscale("log")
    low, high = min([1, *known["or_low"]]) / 1.02, max([1, *known["or_high"]]) * 1.02
    axes.set_ylim(low, high)
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    axes.set_yticks(ticks if len(ticks) > 1 else [low * 1.01, 1, high / 1.01])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(rows["shift"])

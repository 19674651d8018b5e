"""Figures of finished numbers: each drawn from the table whose CSV is written beside it, and from nothing else.

Colours are those of Okabe & Ito (2008); markers, line styles and hatches say the same without colour. Widths are that
of a page of A4 with margins. Each function returns a matplotlib Figure; `save` writes it as PNG and SVG, with equal
bytes for equal tables.
"""

import textwrap
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullFormatter, NullLocator

from esmi import tables

WIDTH = 7.6  # inches
BLUE, VERMILION, GREEN, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#999999"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.6,
    "svg.fonttype": "path",
    # Without a salt, the identifiers inside an SVG are random.
    "svg.hashsalt": "esmi",
}
# As a decorator: the look of every figure.
styled = matplotlib.rc_context(STYLE)

# analysis: (label, marker, colour, face colour, height within the row)
_MARKS = {
    "unadjusted": ("Unadjusted", "o", VERMILION, "white", 0.24),
    "adjusted": ("Adjusted", "s", BLUE, BLUE, 0.0),
    "complete_case": ("Adjusted, complete case", "^", GREEN, "white", -0.24),
}
_TICKS_BY_TWO = np.array([1 / 32, 1 / 16, 1 / 8, 0.25, 0.5, 1, 2, 4, 8, 16, 32])
_TICKS_BY_THREE = np.array([0.03, 0.1, 0.3, 1, 3, 10, 30])
# No axis runs further than this for the sake of an interval; an arrow says that the interval does.
_FURTHEST = 20.0
_MOST_PATTERNS = 15
_STATISTICS = {"mean": "mean", "sd": "standard deviation"}


@styled
def save(figure: Figure, png_path: Path, svg_path: Path) -> None:
    """Write a figure as PNG (200 dots per inch) and SVG, without dates or versions: equal figures give equal bytes."""
    figure.savefig(png_path, format="png", dpi=200, metadata={"Software": None})
    figure.savefig(svg_path, format="svg", metadata={"Date": None, "Creator": None})


def forest_rows(odds: pd.DataFrame) -> pd.DataFrame:
    """The lines of a forest plot, top to bottom: row, text, indented, variable, level.

    A variable with several levels has a heading (level "") and a line for each level; a variable of no and yes, and a
    continuous one, has one line. Variables in the order in which the models name them.
    """
    odds = tables.as_written(odds)
    lines = []
    for variable, rows in odds.groupby("variable", sort=False):
        first = rows.iloc[0]
        label = tables.format_label(first["label"], first["unit"])
        levels = rows.drop_duplicates("level")
        if len(levels) == 1 or tables.yes_no(levels["level"]):
            lines.append((label, False, variable, levels["level"].iloc[-1]))
            continue
        lines.append((label, False, variable, None))
        lines += [
            (f"{text} (reference)" if reference else text, True, variable, level)
            for level, text, reference in zip(levels["level"], levels["level_label"], levels["reference"], strict=True)
        ]
    table = pd.DataFrame(lines, columns=["text", "indented", "variable", "level"])
    table.insert(0, "row", range(len(table)))
    return table


@styled
def forest(odds: pd.DataFrame, title: str, notice: str, level: float = 0.95) -> Figure:
    """Odds ratios with intervals on a logarithmic axis, a panel per model; of one or two models the adjusted numbers.

    `odds`: the frames of `tables.odds_ratios` one below the other, with the column model_label; `level`: the
    confidence of their intervals. Filled square:
    adjusted, imputed; open circle: unadjusted, imputed; open triangle: adjusted, complete case. An interval that
    leaves the axis ends in an arrow, an estimate outside it is not drawn. Why one is lacking is said below.
    """
    odds = tables.as_written(odds)
    rows = forest_rows(odds)
    models = list(dict.fromkeys(odds["model_label"]))
    limits = _forest_limits(odds)
    note = _reasons(odds)
    left, beside = 0.285, 0.165 if len(models) < 3 else 0.0
    share = (1 - left) / len(models)
    headings = {model: textwrap.wrap(model, int(109 * share)) for model in models}
    numbers = f"Adjusted OR ({100 * level:g}% CI)" if beside else ""
    above = 0.25 + 0.14 * max(map(len, headings.values()))
    figure, top, bottom = blank(title, notice, 0.27 * len(rows), below=0.85 + 0.14 * len(note), above=above)
    for index, model in enumerate(models):
        axes = figure.add_axes((left + index * share, bottom, share - beside - 0.02, top - bottom))
        _forest_panel(axes, odds[odds["model_label"] == model], rows, limits, numbers)
        axes.set_title("\n".join(headings[model]), loc="left", fontweight="bold", pad=18)
        if index == 0:
            for line in rows.itertuples():
                text = two_lines(line.text, 36)
                place = 0.02 + 0.015 * line.indented
                axes.text(place, line.row, text, va="center", transform=_across(figure, axes), size=7, linespacing=1)
    handles = [
        Line2D([], [], color=colour, marker=marker, markerfacecolor=face, markersize=5, linewidth=1, label=label)
        for label, marker, colour, face, _ in _MARKS.values()
    ]
    foot = (0.1 + 0.14 * len(note)) / figure.get_figheight()
    figure.legend(handles=handles, loc="lower center", ncols=3, frameon=False, bbox_to_anchor=(0.5, foot))
    figure.text(0.02, 0.1 / figure.get_figheight(), "\n".join(note), va="bottom", size=7)
    return figure


def missing_percentages(extent: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """From `missingness.extent`: the rows of the variables with missing values, the most missing first; the others."""
    extent = tables.as_written(extent)
    order = extent[extent["grouping"] == ""].sort_values("percent", ascending=False, kind="stable")
    # An unknown percentage, withheld for one, is not a percentage of zero.
    shown = list(order.loc[order["percent"] != 0, "variable"])
    rows = extent[extent["variable"].isin(shown)].copy()
    rows["row"] = rows["variable"].map({variable: row for row, variable in enumerate(shown)})
    return rows.sort_values("row", kind="stable"), list(order.loc[order["percent"] == 0, "variable"])


@styled
def missingness(extent: pd.DataFrame, labels: dict[str, dict], title: str, notice: str) -> Figure:
    """Percent missing by variable, the most missing first: in all rows, and a panel per grouping of `extent`.

    `extent`: the result of `missingness.extent`. Variables without missing values are named below.
    """
    rows, complete = missing_percentages(extent)
    variables = list(dict.fromkeys(rows["variable"]))
    groupings = list(dict.fromkeys(rows["grouping"])) or [""]
    most_levels = rows.groupby("grouping")["level"].nunique().max() if len(rows) else 1
    names = "; ".join(labels[variable]["label"] for variable in complete)
    note = textwrap.fill(f"No missing values: {names}.", 125) if complete else ""
    left = 0.3
    width = (1 - left) / len(groupings)
    headings = [textwrap.wrap(labels[name]["label"] if name else "All", int(92 * width)) for name in groupings]
    figure, top, bottom = blank(
        title,
        notice,
        max(0.3 * len(variables), 0.6),
        below=0.8 + 0.14 * (note.count("\n") + most_levels),
        above=0.05 + 0.14 * max(map(len, headings)),
    )
    furthest = max(rows["percent"].max(), 1) * 1.3 if len(rows) else 1
    for index, grouping in enumerate(groupings):
        axes = figure.add_axes((left + index * width, bottom, width - 0.02, top - bottom))
        _missing_panel(axes, rows[rows["grouping"] == grouping], labels.get(grouping))
        axes.set(xlim=(0, furthest), ylim=(max(len(variables), 1) - 0.5, -0.5), xlabel="Percent missing")
        axes.set_title("\n".join(headings[index]), loc="left", fontweight="bold")
        names = [two_lines(labels[name]["label"], 36) for name in variables]
        axes.set_yticks(range(len(variables)), names if index == 0 else [""] * len(names), size=7, linespacing=1)
        axes.tick_params(axis="y", length=0)
    figure.text(0.02, 0.1 / figure.get_figheight(), note, va="bottom", size=7.5)
    return figure


def frequent_patterns(patterns: pd.DataFrame) -> pd.DataFrame:
    """The most frequent patterns of `missingness.patterns`, as variable x pattern of 0 and 1, the most missing first.

    Variables that are complete in all of these patterns are left out.
    """
    shown = patterns.head(_MOST_PATTERNS).set_index("pattern")
    tiles = shown.drop(columns=["n", "percent", "missing_variables"]).T
    rows_missing = (tiles * shown["n"]).sum(axis="columns")
    order = rows_missing[rows_missing > 0].sort_values(ascending=False, kind="stable").index
    return tiles.loc[order].astype(int)


@styled
def missing_patterns(patterns: pd.DataFrame, labels: dict[str, dict], title: str, notice: str) -> Figure:
    """The most frequent patterns of missing values, up to 15: a column each, dark where missing, its rows on top.

    `patterns`: the result of `missingness.patterns`.
    """
    tiles = frequent_patterns(patterns)
    counts = patterns["n"].head(_MOST_PATTERNS).to_numpy()
    left, width = 0.34, min(0.64, 0.043 * max(len(counts), 4))
    tall = 0.26 * max(len(tiles), 1)
    figure, top, bottom = blank(title, notice, tall + 1.0, below=0.75, above=0.0)
    split = bottom + tall / figure.get_figheight()
    bars = figure.add_axes((left, split, width, top - split))
    bars.bar(range(len(counts)), counts, width=0.7, color=GREY)
    for place, count in enumerate(counts):
        bars.text(place, count, f"{int(count)}", ha="center", va="bottom", size=7)
    bars.set(xlim=(-0.5, len(counts) - 0.5), ylim=(0, counts.max() * 1.25), xticks=[], ylabel="Rows")
    axes = figure.add_axes((left, bottom, width, split - bottom))
    for row, values in enumerate(tiles.to_numpy()):
        face = [BLUE if missing else "#EEEEEE" for missing in values]
        axes.bar(range(len(values)), 0.84, bottom=row - 0.42, width=0.84, color=face)
    names = [two_lines(labels[name]["label"], 40) for name in tiles.index]
    axes.set_yticks(range(len(tiles)), names, size=7, linespacing=1)
    axes.set_xticks(range(len(counts)), patterns["pattern"].head(_MOST_PATTERNS))
    axes.set(xlim=(-0.5, len(counts) - 0.5), ylim=(max(len(tiles), 1) - 0.5, -0.5), xlabel="Pattern")
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    share = f"{int(counts.sum())} of {int(patterns['n'].sum())} rows"
    note = f"Dark: missing; light: known. Patterns shown: {len(counts)} of {len(patterns)}, in {share}."
    figure.text(0.02, 0.1 / figure.get_figheight(), note, va="bottom", size=7.5)
    return figure


def chains(traces: pd.DataFrame, labels: dict[str, dict]) -> dict[tuple[str, str, str], pd.DataFrame]:
    """The trace of each imputed statistic, (variable, statistic, level) -> iteration x imputation.

    Of the proportions of a categorical variable, that of the reference level follows from the others and is left out.
    """
    traces = tables.as_written(traces)
    references = traces["variable"].map(lambda name: next(iter(labels[name]["levels"]), ""))
    traces = traces[(traces["statistic"] != "proportion") | (traces["level"] != references)]
    return {
        key: rows.pivot_table(index="iteration", columns="imputation", values="value", dropna=False)
        for key, rows in traces.groupby(["variable", "statistic", "level"], sort=False)
    }


@styled
def convergence(traces: pd.DataFrame, labels: dict[str, dict], title: str, notice: str) -> Figure:
    """The imputed values over the iterations: a panel per statistic, a thin line per imputation, their mean thick.

    `traces`: imputation, iteration, variable, statistic (mean, sd or proportion), level, value.
    """
    panels = chains(traces, labels)
    columns = 4
    lines = max(-(-len(panels) // columns), 1)
    figure, top, bottom = blank(title, notice, 1.45 * lines, below=0.45, above=0.0)
    height = (top - bottom) / lines
    for index, ((variable, statistic, level), values) in enumerate(panels.items()):
        line, column = divmod(index, columns)
        axes = figure.add_axes((0.065 + 0.24 * column, top - (line + 0.86) * height, 0.19, 0.52 * height))
        _chain_panel(axes, values)
        what = f"proportion: {labels[variable]['levels'][level]}" if level else _STATISTICS[statistic]
        axes.set_title(f"{two_lines(labels[variable]['label'], 30)}\n{two_lines(what, 30)}", loc="left", size=6.5)
    note = "Horizontal: iteration. Thin: one imputation each; thick: their mean. Imputed values only."
    figure.text(0.02, 0.1 / figure.get_figheight(), note, va="bottom", size=7.5)
    return figure


def flow_boxes(steps: pd.DataFrame) -> pd.DataFrame:
    """The boxes of a flow diagram: role (step, excluded, branch), text, centre x, top y, width, height (inches)."""
    boxes, top = [], 0.0
    beside = steps["step"].duplicated(keep=False)
    for index, step in enumerate(steps[~beside].itertuples()):
        if index:
            text = f"Excluded at this step\nn = {tables.format_count(step.excluded)}"
            boxes.append(("excluded", text, 5.8, top + 0.07, 1.7, _box_height(text)))
            top += 0.14 + _box_height(text)
        text = f"{textwrap.fill(_capital(step.label), 50)}\nn = {tables.format_count(step.n)}"
        boxes.append(("step", text, 2.6, top, 3.4, _box_height(text)))
        top += _box_height(text)
    share = 0.96 * WIDTH / max(beside.sum(), 1)
    for index, branch in enumerate(steps[beside].itertuples()):
        width = min(share - 0.12, 2.6)
        left, excluded = tables.format_count(branch.n), tables.format_count(branch.excluded)
        text = f"{textwrap.fill(_capital(branch.label), int(14 * width))}\nn = {left}\n(excluded: n = {excluded})"
        boxes.append(("branch", text, (index + 0.5) * share, top + 0.4, width, _box_height(text)))
    return pd.DataFrame(boxes, columns=["role", "text", "x", "y", "width", "height"])


@styled
def flow(steps: pd.DataFrame, title: str, notice: str) -> Figure:
    """A flow diagram: a box per step with the excluded at its side; last, side by side, rows that share one step.

    `steps`: step, label, n (left), excluded (by this step), top to bottom. Rows of one step are branches of what is
    left by the step before, such as those whose outcome is known, an outcome each.
    """
    boxes = flow_boxes(steps)
    tall = (boxes["y"] + boxes["height"]).max() + 0.02
    figure, top, bottom = blank(title, notice, tall, below=0.15, above=0.0)
    axes = figure.add_axes((0.02, bottom, 0.96, top - bottom))
    axes.set(xlim=(0, 0.96 * WIDTH), ylim=(tall, -0.02))
    axes.set_axis_off()
    above = boxes.iloc[0]
    for box in boxes.itertuples():
        corner = (box.x - box.width / 2, box.y)
        axes.add_patch(Rectangle(corner, box.width, box.height, facecolor="white", edgecolor="black", linewidth=0.8))
        axes.text(box.x, box.y + box.height / 2, box.text, ha="center", va="center", size=7.5)
        floor, middle = above["y"] + above["height"], box.y + box.height / 2
        if box.role == "excluded":
            _connect(axes, (above["x"], middle), (corner[0], middle))
        elif box.role == "branch":
            _connect(axes, (above["x"], floor), (above["x"], floor + 0.2), (box.x, floor + 0.2), (box.x, box.y))
        elif box.Index:
            _connect(axes, (above["x"], floor), (box.x, box.y))
        if box.role == "step":
            above = boxes.loc[box.Index]
    return figure


def blank(title: str, notice: str, height: float, below: float, above: float) -> tuple[Figure, float, float]:
    """An empty figure with its title and notice; the fractions of its height at which its contents end and begin.

    `height`, `below`, `above`: inches of the contents, and of what stands beneath and over them.
    """
    lines = textwrap.wrap(title, 95)
    head = 0.2 + 0.18 * len(lines) + (0.26 if notice else 0.0)
    total = head + above + height + below
    figure = Figure(figsize=(WIDTH, total))
    figure.text(0.02, 1 - 0.08 / total, "\n".join(lines), va="top", size=10, fontweight="bold")
    if notice:
        box = {"boxstyle": "square,pad=0.25", "facecolor": "white", "edgecolor": "black", "linewidth": 0.8}
        figure.text(0.027, 1 - (head - 0.17) / total, notice, va="center", size=8, fontweight="bold", bbox=box)
    return figure, 1 - (head + above) / total, below / total


def _across(figure: Figure, axes: Axes) -> matplotlib.transforms.Transform:
    """Horizontal places in the figure, vertical ones in the data."""
    return matplotlib.transforms.blended_transform_factory(figure.transFigure, axes.transData)


def two_lines(text: str, width: int) -> str:
    """A text in at most two lines of `width` characters."""
    return "\n".join(textwrap.wrap(text, width, max_lines=2, placeholder=" \u2026"))


def _reasons(odds: pd.DataFrame) -> list[str]:
    """Why there are estimates missing from a forest plot, as lines of text."""
    names = {"unadjusted": "unadjusted", "adjusted": "adjusted", "complete_case": "adjusted, complete case"}
    texts = [
        f"{model}, {names[analysis]}, {tables.NOT_ESTIMATED}: {reason}."
        for analysis in _MARKS
        for model, reason in odds[["model_label", f"{analysis}_reason"]].drop_duplicates().itertuples(index=False)
        if reason
    ]
    return [line for text in texts for line in textwrap.wrap(text, 130)]


def _forest_limits(odds: pd.DataFrame) -> tuple[float, float]:
    """The ends of the axis: all intervals, but no further than the furthest allowed."""
    lows = odds[[f"{analysis}_or_low" for analysis in _MARKS]].to_numpy(dtype=float)
    highs = odds[[f"{analysis}_or_high" for analysis in _MARKS]].to_numpy(dtype=float)
    low = np.nanmin(lows, initial=0.5)
    high = np.nanmax(highs, initial=2.0)
    return max(low, 1 / _FURTHEST) / 1.1, min(high, _FURTHEST) * 1.1


def _forest_panel(
    axes: Axes, odds: pd.DataFrame, rows: pd.DataFrame, limits: tuple[float, float], numbers: str
) -> None:
    """One model; `numbers`: the heading of its adjusted numbers, "" to leave them out."""
    lines = rows.merge(odds, on=["variable", "level"], how="inner")
    for stripe in rows["row"][::2]:
        axes.axhspan(stripe - 0.5, stripe + 0.5, color="#F3F3F3", linewidth=0, zorder=0)
    axes.axvline(1, color="black", linewidth=0.8, zorder=1)
    beside = axes.get_yaxis_transform()
    for _, line in lines.iterrows():
        for analysis in _MARKS:
            _interval(axes, line, analysis, limits)
        if numbers:
            text = tables.format_odds_ratio(line, "adjusted")
            axes.annotate(text, (1, line["row"]), (7, 0), beside, "offset points", va="center", size=7)
    if numbers:
        axes.annotate(numbers, (1, -0.75), (7, 0), beside, "offset points", va="bottom", size=7, fontweight="bold")
    axes.set_xscale("log")
    ladder = _TICKS_BY_TWO if limits[1] / limits[0] < 2**6 else _TICKS_BY_THREE
    ticks = ladder[(limits[0] <= ladder) & (limits[1] >= ladder)]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlim=limits, ylim=(len(rows) - 0.5, -0.5), yticks=[], xlabel="Odds ratio")
    axes.spines["left"].set_visible(False)


def _interval(axes: Axes, line: pd.Series, analysis: str, limits: tuple[float, float]) -> None:
    ratio, low, high = (line[f"{analysis}_{name}"] for name in ("odds_ratio", "or_low", "or_high"))
    if np.isnan(ratio) or (line["reference"] and analysis != "adjusted"):
        return
    _, marker, colour, face, lift = _MARKS[analysis]
    height = line["row"] - lift
    if not np.isnan(low):
        axes.plot([max(low, limits[0]), min(high, limits[1])], [height] * 2, color=colour, linewidth=1, zorder=2)
    for end, outside, arrow in ((limits[0], low < limits[0], "<"), (limits[1], high > limits[1], ">")):
        if outside:
            axes.plot(end, height, marker=arrow, color=colour, markersize=4, clip_on=False, zorder=3)
    if limits[0] <= ratio <= limits[1]:
        size = 3.2 if line["reference"] else 4.2
        axes.plot(
            ratio, height, marker=marker, color=colour, markerfacecolor=face, markersize=size, linestyle="", zorder=4
        )


def _missing_panel(axes: Axes, rows: pd.DataFrame, words: dict | None) -> None:
    levels = list(dict.fromkeys(rows["level"]))
    looks = [(GREY, "")] if words is None else [(SKY, ""), (VERMILION, "////"), (GREEN, "...."), (GREY, "xxxx")]
    thickness = 0.8 / max(len(levels), 1)
    for index, level in enumerate(levels):
        part = rows[rows["level"] == level]
        places = part["row"] - 0.4 + thickness * (index + 0.5)
        colour, hatch = looks[index % len(looks)]
        label = words["levels"].get(level, level) if words else None
        axes.barh(
            places,
            part["percent"],
            height=thickness * 0.92,
            color=colour,
            hatch=hatch,
            edgecolor="black",
            linewidth=0.4,
            label=label,
        )
        for place, percent in zip(places, part["percent"], strict=True):
            if not np.isnan(percent):
                shown = f" {percent:.0f}" if percent >= 1 or percent == 0 else " <1"
                axes.text(percent, place, shown, va="center", size=6.5)
    if words:
        inches = axes.get_position().height * axes.figure.get_figheight()
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.42 / inches), frameon=False, borderpad=0)


def _chain_panel(axes: Axes, values: pd.DataFrame) -> None:
    iterations = values.index.to_numpy()
    lines = [np.column_stack([iterations, values[name]]) for name in values]
    axes.add_collection(LineCollection(lines, colors=GREY, linewidths=0.4, alpha=0.7))
    # A single iteration leaves points, not lines.
    axes.plot(iterations, values.mean(axis="columns"), color=BLUE, linewidth=1.8, marker="o", markersize=2)
    axes.autoscale_view()
    axes.xaxis.get_major_locator().set_params(integer=True, nbins=5)
    axes.yaxis.get_major_locator().set_params(nbins=4)
    axes.tick_params(labelsize=6, length=2)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _box_height(text: str) -> float:
    return 0.16 + 0.135 * (text.count("\n") + 1)


def _connect(axes: Axes, *places: tuple[float, float]) -> None:
    """A line through the places, with an arrow head at the last one."""
    axes.plot(*zip(*places, strict=True), color="black", linewidth=0.8, zorder=0.5)
    look = {"arrowstyle": "-|>", "linewidth": 0.8, "color": "black", "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=places[-1], xytext=places[-2], arrowprops=look)

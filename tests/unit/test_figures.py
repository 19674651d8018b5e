"""Figures: what they are drawn from, what stands on their face, and that equal tables give equal files."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from esmi import figures, missingness, tables

NOTICE = "Synthetic data: not a result about any person"
NO_YES = {"no": "No", "yes": "Yes"}
LABELS = {
    "ctq": {"label": "Childhood trauma", "unit": "25 to 125", "kind": "continuous", "levels": {}},
    "pd": {"label": "Personality disorder", "unit": "", "kind": "binary", "levels": NO_YES},
    "t1": {"label": "Involvement at the acute episode", "unit": "", "kind": "binary", "levels": NO_YES},
    "deprivation": {
        "label": "Deprivation",
        "unit": "",
        "kind": "ordinal",
        "levels": {"least": "Least", "middle": "Middle", "most": "Most"},
    },
}


def odds_rows(model: str, most: tuple[float, float, float], reason: str = "") -> pd.DataFrame:
    """A frame as `tables.odds_ratios` gives it; `most`: odds ratio and interval of the last level."""
    levels = [(name, level) for name in ("ctq", "pd", "deprivation") for level in LABELS[name]["levels"] or [""]]
    table = pd.DataFrame(levels, columns=["variable", "level"])
    table["label"] = table["variable"].map(lambda name: LABELS[name]["label"])
    table["unit"] = table["variable"].map(lambda name: LABELS[name]["unit"])
    table["level_label"] = [LABELS[name]["levels"].get(level, "") for name, level in levels]
    table["reference"] = table["level"].isin(["no", "least"])
    numbers = [(1.02, 1.01, 1.03), (1, np.nan, np.nan), (2.5, 1.2, 5.0), (1, np.nan, np.nan), (1.4, 0.7, 2.9), most]
    for index, analysis in enumerate(tables.ANALYSES):
        lacking = reason if analysis == "complete_case" else ""
        rows = [(np.nan,) * 3 if lacking and not np.isnan(row[1]) else row for row in numbers]
        table[[f"{analysis}_odds_ratio", f"{analysis}_or_low", f"{analysis}_or_high"]] = np.array(rows, dtype=float)
        table.loc[~table["reference"], f"{analysis}_odds_ratio"] *= 1 + index / 100
        table[f"{analysis}_reason"] = lacking
    return table.assign(model_label=model)


@pytest.fixture
def odds():
    return pd.concat(
        [
            odds_rows("Acute episode (T1)", (2.2, 0.9, 5.1)),
            odds_rows("One year (T2)", (9.0, 0.004, 4000.0), reason="separation: no events where pd[yes]"),
        ],
        ignore_index=True,
    )


@pytest.fixture
def data():
    return pd.DataFrame(
        {
            "ctq": [40.0, np.nan, np.nan, 61.0, np.nan, 33.0],
            "pd": pd.Categorical(["no", "yes", None, "no", "no", "yes"], ["no", "yes"], ordered=True),
            "t1": pd.Categorical(["no", "no", "yes", "yes", "no", "yes"], ["no", "yes"], ordered=True),
        }
    )


@pytest.fixture
def traces():
    rows = [
        (imputation, iteration, *what, 0.1 * imputation + iteration)
        for imputation in (1, 2, 3)
        for iteration in (1, 2, 3, 4)
        for what in (
            ("ctq", "mean", ""),
            ("ctq", "sd", ""),
            ("pd", "proportion", "no"),
            ("pd", "proportion", "yes"),
        )
    ]
    return pd.DataFrame(rows, columns=["imputation", "iteration", "variable", "statistic", "level", "value"])


@pytest.fixture
def steps():
    rows = [
        (0, "in the extract", 284, 0),
        (1, "Treated in England or Wales", 279, 5),
        (2, "Known at T1", 278, 1),
        (2, "Known at T2", 240, 39),
    ]
    return pd.DataFrame(rows, columns=["step", "label", "n", "excluded"])


@pytest.fixture
def drawn(odds, data, traces, steps):
    """Every figure, drawn anew at each call."""
    extent, patterns = missingness.extent(data, ["t1"]), missingness.patterns(data)
    return lambda title="A plain title", notice=NOTICE: {
        "forest": figures.forest(odds, title, notice),
        "missingness": figures.missingness(extent, LABELS, title, notice),
        "missing_patterns": figures.missing_patterns(patterns, LABELS, title, notice),
        "convergence": figures.convergence(traces, LABELS, title, notice),
        "flow": figures.flow(steps, title, notice),
    }


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


class TestEveryFigure:
    def test_equal_tables_give_equal_files(self, drawn, tmp_path):
        for name, figure in drawn().items():
            figures.save(figure, tmp_path / f"{name}.png", tmp_path / f"{name}.svg")
        for name, figure in drawn().items():
            figures.save(figure, tmp_path / "again.png", tmp_path / "again.svg")
            assert (tmp_path / f"{name}.png").read_bytes() == (tmp_path / "again.png").read_bytes()
            assert (tmp_path / f"{name}.svg").read_bytes() == (tmp_path / "again.svg").read_bytes()
            for date in (b"dc:date", b"Matplotlib v"):
                assert date not in (tmp_path / "again.svg").read_bytes()

    def test_title_and_notice_are_on_the_face(self, drawn):
        for figure in drawn().values():
            assert {"A plain title", NOTICE} <= set(texts(figure))
        for figure in drawn(notice="").values():
            assert NOTICE not in texts(figure)

    def test_no_text_is_cut_off(self, drawn):
        for name, figure in drawn(title="A title that is so long that it does not go on one line " * 3).items():
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
            contents, page = figure.get_tightbbox(canvas.get_renderer()), figure.bbox_inches
            assert contents.x0 >= page.x0, name
            assert contents.x1 <= page.x1, name
            assert contents.y0 >= page.y0, name
            assert contents.y1 <= page.y1, name


class TestForest:
    def test_rows(self, odds):
        rows = figures.forest_rows(odds)
        assert list(rows["text"]) == [
            "Childhood trauma (25 to 125)",
            "Personality disorder",
            "Deprivation",
            "Least (reference)",
            "Middle",
            "Most",
        ]
        assert list(rows["indented"]) == [False, False, False, True, True, True]
        assert rows["level"].iloc[1] == "yes"

    def test_variables_of_a_later_model_come_last(self, odds):
        later = odds_rows("Third", (2, 1, 4)).assign(variable=lambda table: table["variable"] + "_t2")
        assert list(figures.forest_rows(pd.concat([odds, later]))["variable"].unique())[-1] == "deprivation_t2"

    def test_numbers_are_those_of_the_table(self, odds):
        shown = texts(figures.forest(odds, "Title", ""))
        for _, row in odds[~odds["reference"]].iterrows():
            assert tables.format_odds_ratio(row, "adjusted") in shown
        assert shown.count("1 (reference)") == 2

    def test_level_of_the_intervals(self, odds):
        assert "Adjusted OR (90% CI)" in texts(figures.forest(odds, "Title", "", level=0.9))

    def test_says_what_is_not_estimated(self, odds):
        shown = " ".join(texts(figures.forest(odds, "Title", "")))
        assert "One year (T2), adjusted, complete case, not estimated: separation: no events where pd[yes]." in shown
        assert "Acute episode (T1), adjusted, complete case" not in shown

    def test_arrows_only_where_an_interval_leaves_the_axis(self, odds):
        def arrows(axes):
            return [line.get_marker() for line in axes.lines if line.get_marker() in ("<", ">")]

        first, second = figures.forest(odds, "Title", "").axes
        assert arrows(first) == []
        assert sorted(arrows(second)) == ["<", "<", ">", ">"]
        assert first.get_xscale() == "log"
        assert first.get_xlim() == second.get_xlim()

    def test_analyses_differ_without_colour(self, odds):
        axes = figures.forest(odds, "Title", "").axes[0]
        marks = {(line.get_marker(), line.get_markerfacecolor()) for line in axes.lines if line.get_marker() in "os^"}
        assert marks == {("o", "white"), ("s", figures.BLUE), ("^", "white")}

    def test_three_models_leave_no_room_for_numbers(self, odds):
        three = pd.concat([odds, odds_rows("Third", (2, 1, 4))])
        figure = figures.forest(three, "Title", "")
        assert len(figure.axes) == 3
        assert not any("Adjusted OR" in text for text in texts(figure))


class TestMissingness:
    def test_order_and_complete_variables(self, data):
        rows, complete = figures.missing_percentages(missingness.extent(data, ["t1"]))
        assert list(rows["variable"].unique()) == ["ctq", "pd"]
        assert complete == ["t1"]

    def test_bars_are_the_percentages(self, data):
        figure = figures.missingness(missingness.extent(data, ["t1"]), LABELS, "Title", "")
        everyone, by_outcome = figure.axes
        assert [bar.get_width() for bar in everyone.patches] == pytest.approx([50, 100 / 6])
        assert [bar.get_width() for bar in by_outcome.patches] == pytest.approx([200 / 3, 0, 100 / 3, 100 / 3])
        assert {bar.get_hatch() for bar in by_outcome.patches} == {"", "////"}
        assert "No missing values: Involvement at the acute episode." in texts(figure)

    def test_nothing_missing(self, data):
        extent = missingness.extent(data.dropna().reset_index(drop=True), ["t1"])
        shown = texts(figures.missingness(extent, LABELS, "Title", ""))
        assert any(text.startswith("No missing values: Childhood trauma") for text in shown)

    def test_withheld_percentage_is_not_called_complete(self, data):
        extent = missingness.extent(data, []).assign(percent=[50.0, np.nan, 0.0])
        rows, complete = figures.missing_percentages(extent)
        assert complete == ["t1"]
        assert list(rows["variable"]) == ["ctq", "pd"]


class TestPatterns:
    def test_tiles(self, data):
        tiles = figures.frequent_patterns(missingness.patterns(data))
        assert list(tiles.index) == ["ctq", "pd"]
        assert tiles.to_numpy().tolist() == [[0, 1, 1], [0, 0, 1]]

    def test_at_most_fifteen(self):
        missing = [[np.nan if (row >> bit) & 1 else 1.0 for bit in range(5)] for row in range(32)]
        table = missingness.patterns(pd.DataFrame(missing, columns=list("abcde")))
        labels = {name: {"label": name, "levels": {}} for name in "abcde"}
        figure = figures.missing_patterns(table, labels, "Title", "")
        assert len(figure.axes[0].patches) == 15
        assert any("Patterns shown: 15 of 32, in 15 of 32 rows." in text for text in texts(figure))

    def test_nothing_missing(self, data):
        figure = figures.missing_patterns(missingness.patterns(data.dropna()), LABELS, "Title", "")
        assert any("Patterns shown: 1 of 1" in text for text in texts(figure))


class TestConvergence:
    def test_chains(self, traces):
        panels = figures.chains(traces, LABELS)
        assert list(panels) == [("ctq", "mean", ""), ("ctq", "sd", ""), ("pd", "proportion", "yes")]
        assert panels["ctq", "mean", ""].shape == (4, 3)
        assert panels["ctq", "mean", ""].loc[4, 2] == pytest.approx(4.2)

    def test_a_line_for_each_imputation_and_their_mean(self, traces):
        axes = figures.convergence(traces, LABELS, "Title", "").axes[0]
        assert len(axes.collections[0].get_segments()) == 3
        assert axes.lines[0].get_ydata() == pytest.approx([1.2, 2.2, 3.2, 4.2])


class TestFlow:
    def test_boxes(self, steps):
        boxes = figures.flow_boxes(steps)
        assert list(boxes["role"]) == ["step", "excluded", "step", "branch", "branch"]
        assert list(boxes["text"]) == [
            "In the extract\nn = 284",
            "Excluded at this step\nn = 5",
            "Treated in England or Wales\nn = 279",
            "Known at T1\nn = 278\n(excluded: n = 1)",
            "Known at T2\nn = 240\n(excluded: n = 39)",
        ]

    def test_boxes_do_not_overlap(self, steps):
        boxes = figures.flow_boxes(steps)
        edges = [
            (box.x - box.width / 2, box.x + box.width / 2, box.y, box.y + box.height) for box in boxes.itertuples()
        ]
        for index, one in enumerate(edges):
            for other in edges[:index]:
                beside = one[0] >= other[1] or other[0] >= one[1]
                assert beside or one[2] >= other[3] or other[2] >= one[3]

    def test_the_excluded_stand_between_two_steps(self, steps):
        first, excluded, second = figures.flow_boxes(steps).iloc[:3].itertuples()
        assert first.y + first.height < excluded.y
        assert excluded.y + excluded.height < second.y

    def test_a_withheld_count_is_not_zero(self, steps):
        boxes = figures.flow_boxes(steps.assign(excluded=np.nan))
        assert boxes["text"].iloc[1] == "Excluded at this step\nn = withheld"

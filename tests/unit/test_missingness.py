"""How much is missing, where and together, in tables that can be counted by eye."""

import numpy as np
import pandas as pd

from esmi.missingness import extent, patterns

YES_NO = pd.CategoricalDtype(["no", "yes"], ordered=True)
TABLE = pd.DataFrame(
    {
        "age": [20.0, np.nan, 22, 23, np.nan],
        "back": pd.Series(["yes", "yes", "no", None, None], dtype=YES_NO),
        "full": [1.0, 2, 3, 4, 5],
    }
)


def test_extent_in_all_and_by_the_known_levels_of_an_outcome():
    found = extent(TABLE, ["back"])
    assert found.columns.tolist() == ["variable", "grouping", "level", "n", "missing", "percent"]
    assert found.to_dict("split")["data"] == [
        ["age", "", "", 5, 2, 40.0],
        ["age", "back", "no", 1, 0, 0.0],
        ["age", "back", "yes", 2, 1, 50.0],
        ["back", "", "", 5, 2, 40.0],
        ["full", "", "", 5, 0, 0.0],
        ["full", "back", "no", 1, 0, 0.0],
        ["full", "back", "yes", 2, 0, 0.0],
    ]


def test_extent_without_outcomes_and_with_a_level_that_nobody_has():
    assert extent(TABLE, []).shape == (3, 6)
    nobody = extent(TABLE[TABLE["back"] != "no"], ["back"]).query("variable == 'age' and level == 'no'")
    assert nobody["n"].tolist() == [0]
    assert nobody["missing"].tolist() == [0]
    assert nobody["percent"].isna().all()


def test_patterns_the_most_frequent_first():
    table = pd.DataFrame(
        {
            "a": [1, np.nan, np.nan, 1, np.nan, 1, 1, 1],
            "b": [1, np.nan, 1, np.nan, np.nan, 1, 1, 1],
            "full": range(8),
        }
    )
    found = patterns(table)
    assert found.columns.tolist() == ["pattern", "n", "percent", "missing_variables", "a", "b"]
    assert found.to_numpy().tolist() == [
        [1, 4, 50.0, 0, 0, 0],
        [2, 2, 25.0, 2, 1, 1],
        [3, 1, 12.5, 1, 1, 0],
        [4, 1, 12.5, 1, 0, 1],
    ]


def test_patterns_of_equal_frequency_come_with_the_fewest_missing_first_whatever_the_order_of_rows():
    table = pd.DataFrame({"a": [np.nan, 1, np.nan, 1.0], "b": [np.nan, np.nan, 1, 1.0]})
    assert patterns(table)[["a", "b"]].to_numpy().tolist() == [[0, 0], [1, 0], [0, 1], [1, 1]]
    pd.testing.assert_frame_equal(patterns(table), patterns(table.iloc[::-1]))


def test_patterns_count_every_row_once():
    rng = np.random.default_rng(20211118)
    table = pd.DataFrame(rng.normal(size=(200, 4)), columns=list("abcd")).mask(rng.random((200, 4)) < 0.3)
    found = patterns(table)
    assert found["n"].sum() == 200
    assert np.isclose(found["percent"].sum(), 100)
    for name in "abcd":
        assert found.loc[found[name] == 1, "n"].sum() == table[name].isna().sum()


def test_nothing_missing_is_one_pattern():
    assert patterns(TABLE[["full"]]).to_dict("records") == [
        {"pattern": 1, "n": 5, "percent": 100.0, "missing_variables": 0}
    ]

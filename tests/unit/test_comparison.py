"""Characteristics by group and comparisons of groups, against hand computation and printed values."""

import numpy as np
import pandas as pd
import pytest

from esmi import comparison


def categorical(values, levels):
    return pd.Categorical(values, categories=levels, ordered=True)


def cross(counts: dict[str, list[int]], levels: list[str]) -> pd.DataFrame:
    """One row per person from the counts of the levels in each group."""
    groups = [group for group, row in counts.items() for _ in range(sum(row))]
    values = [level for row in counts.values() for level, count in zip(levels, row, strict=True) for _ in range(count)]
    return pd.DataFrame({"v": categorical(values, levels), "t1": categorical(groups, list(counts))})


@pytest.fixture
def study():
    return pd.DataFrame(
        {
            "t1": categorical(["no", "no", "no", "no", "yes", "yes", "yes", None], ["no", "yes"]),
            "age": [20.0, 30.0, 24.0, np.nan, 40.0, 28.0, np.nan, 99.0],
            "ethnicity": categorical(
                ["white", "black", None, "white", "white", "black", "black", "white"], ["white", "black", "asian"]
            ),
        }
    )


@pytest.fixture
def sleep():
    """Student's sleep data, as in R's datasets package: extra hours of sleep under two drugs."""
    extra = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0, 1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    return pd.DataFrame({"extra": extra, "group": categorical(["1"] * 10 + ["2"] * 10, ["1", "2"])})


class TestSummarise:
    def test_continuous(self, study):
        table = comparison.summarise(study, "age", "t1").set_index("group")
        assert list(table.index) == ["no", "yes", "all"]
        assert set(table["level"]) == {""}
        assert set(table["variable"]) == {"age"}
        assert list(table["n"]) == [3, 2, 5]
        assert list(table["missing"]) == [1, 1, 2]
        assert list(table["mean"]) == pytest.approx([74 / 3, 34.0, 28.4])
        assert list(table["sd"]) == pytest.approx(
            [np.sqrt(152 / 6), np.sqrt(72), np.sqrt((70.56 + 2.56 + 19.36 + 134.56 + 0.16) / 4)]
        )
        assert list(table["median"]) == [24, 34, 28]
        assert table[["count", "percent"]].isna().all(axis=None)

    def test_quartiles_average_at_discontinuities_as_stata_does(self):
        data = pd.DataFrame({"x": [1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0], "g": categorical(["a"] * 8, ["a"])})
        row = comparison.summarise(data, "x", "g").iloc[0]
        assert [row["q1"], row["median"], row["q3"]] == [2.5, 6.5, 17.0]

    def test_categorical(self, study):
        table = comparison.summarise(study, "ethnicity", "t1").set_index(["group", "level"])
        assert [*table["count"]] == [2, 1, 0, 1, 2, 0, 3, 3, 0]
        assert list(table["percent"]) == pytest.approx([200 / 3, 100 / 3, 0, 100 / 3, 200 / 3, 0, 50, 50, 0])
        assert table.loc[("no", "white"), ["n", "missing"]].tolist() == [3, 1]
        assert table.loc[("all", "white"), ["n", "missing"]].tolist() == [6, 1]
        assert table[["mean", "sd", "median", "q1", "q3"]].isna().all(axis=None)

    def test_all_is_the_sum_of_the_groups(self, study):
        # The row without a group would be told from the difference of all and the groups.
        table = comparison.summarise(study, "age", "t1").set_index("group")
        assert table.loc["all", "n"] + table.loc["all", "missing"] == 7

    def test_empty_group(self, study):
        study["t1"] = study["t1"].cat.add_categories("later")
        age = comparison.summarise(study, "age", "t1").set_index("group").loc["later"]
        assert (age["n"], age["missing"]) == (0, 0)
        assert age[["mean", "sd", "median", "q1", "q3"]].isna().all()
        ethnicity = comparison.summarise(study, "ethnicity", "t1").set_index("group").loc["later"]
        assert (ethnicity["count"] == 0).all()
        assert ethnicity["percent"].isna().all()


class TestChiSquared:
    def test_no_continuity_correction_by_hand(self):
        row = comparison.compare(cross({"no": [30, 10], "yes": [20, 20]}, ["a", "b"]), "v", "t1").iloc[0]
        # n (ad - bc)^2 over the product of the margins.
        assert row["statistic"] == pytest.approx(80 * (30 * 20 - 10 * 20) ** 2 / (40 * 40 * 50 * 30))
        assert (row["test"], row["df"], row["smallest_expected"], row["reason"]) == ("chi-squared", 1, 15, "")
        assert row[["difference", "conf_low", "conf_high"]].isna().all()

    def test_levels_that_do_not_occur_take_no_degree_of_freedom(self):
        row = comparison.compare(cross({"no": [30, 0, 10], "yes": [20, 0, 20]}, ["a", "b", "c"]), "v", "t1").iloc[0]
        assert (row["df"], row["smallest_expected"]) == (1, 15)
        assert row["standardised_difference"] == pytest.approx(0.25 / np.sqrt((0.1875 + 0.25) / 2))

    def test_standardised_difference_of_three_levels_by_hand(self):
        row = comparison.compare(cross({"no": [5, 3, 2], "yes": [4, 6, 10]}, ["a", "b", "c"]), "v", "t1").iloc[0]
        # Proportions .5 .3 .2 and .2 .3 .5. Mean covariance of the first two: .205, .21, off the diagonal -.105;
        # its determinant .032025; squared distance .3^2 * .21 / .032025.
        assert row["standardised_difference"] == pytest.approx(np.sqrt(0.09 * 0.21 / 0.032025))

    def test_three_groups_have_a_test_and_no_standardised_difference(self):
        row = comparison.compare(cross({"mbu": [5, 5], "ward": [5, 5], "crt": [2, 8]}, ["a", "b"]), "v", "t1").iloc[0]
        # Expected 4 and 6 in each group: (1 + 1 + 4)/4 + (1 + 1 + 4)/6.
        assert row["statistic"] == pytest.approx(2.5)
        assert row["df"] == 2
        assert np.isnan(row["standardised_difference"])
        assert row["reason"] == "no standardised difference: it is for two groups, here are 3"

    def test_groups_without_a_common_level_have_no_standardised_difference(self):
        row = comparison.compare(cross({"no": [6, 0], "yes": [0, 6]}, ["a", "b"]), "v", "t1").iloc[0]
        assert row["statistic"] == pytest.approx(12)
        assert np.isnan(row["standardised_difference"])
        assert row["reason"] == "no standardised difference: no variance within the groups"

    @pytest.mark.parametrize(
        ("counts", "reason"),
        [
            ({"no": [4, 0], "yes": [5, 0]}, "the same level in every group"),
            ({"no": [4, 3], "yes": [0, 0]}, "no known values in the group yes"),
            ({"no": [0, 0], "yes": [0, 0]}, "no known values in the group no, yes"),
        ],
    )
    def test_nothing_to_compare(self, counts, reason):
        data = cross(counts, ["a", "b"])
        row = comparison.compare(data, "v", "t1").iloc[0]
        assert row["reason"] == reason
        assert row[comparison.COMPARED].isna().all()


class TestWelch:
    def test_sleep_data_as_printed_by_r(self, sleep):
        # R documentation of t.test: t = -1.8608, df = 17.776, p-value = 0.07939, -3.3654832 0.2054832 for the first
        # group less the second; ours is the second less the first.
        row = comparison.compare(sleep, "extra", "group").iloc[0]
        assert row["test"] == "Welch t"
        assert f"{row['statistic']:.4f}" == "1.8608"
        assert f"{row['df']:.3f}" == "17.776"
        assert f"{row['p_value']:.5f}" == "0.07939"
        assert [f"{row['conf_low']:.7f}", f"{row['conf_high']:.7f}"] == ["-0.2054832", "3.3654832"]
        assert row["difference"] == pytest.approx(2.33 - 0.75)
        # Variances 3.200556 and 4.009 (standard deviations 1.789010 and 2.002249).
        assert row["standardised_difference"] == pytest.approx(
            1.58 / np.sqrt((1.789010**2 + 2.002249**2) / 2), abs=1e-6
        )
        assert np.isnan(row["smallest_expected"])
        assert row["reason"] == ""

    def test_missing_values_and_rows_without_a_group_are_left_out(self, sleep):
        complete = comparison.compare(sleep, "extra", "group")
        more = pd.DataFrame({"extra": [np.nan, 50.0], "group": categorical(["1", None], ["1", "2"])})
        pd.testing.assert_frame_equal(comparison.compare(pd.concat([sleep, more]), "extra", "group"), complete)

    @pytest.mark.parametrize(
        ("no", "yes", "reason"),
        [
            ([1.0, 2.0], [], "fewer than two known values in the group yes"),
            ([1.0], [3.0], "fewer than two known values in the group no and yes"),
            ([0.1, 0.1, 0.1], [0.1, 0.1], "the same value in all rows of each group"),
            ([0.0, 0.0], [0.0, 0.0], "the same value in all rows of each group"),
            ([1.0, 1.0], [2.0, 2.0], "the same value in all rows of each group"),
        ],
    )
    @pytest.mark.filterwarnings("error")
    def test_nothing_to_compare(self, no, yes, reason):
        data = pd.DataFrame({"x": no + yes, "g": categorical(["no"] * len(no) + ["yes"] * len(yes), ["no", "yes"])})
        row = comparison.compare(data, "x", "g").iloc[0]
        assert row["reason"] == reason
        assert row[comparison.COMPARED].isna().all()

    def test_three_groups(self, sleep):
        sleep["group"] = sleep["group"].cat.add_categories("3")
        row = comparison.compare(sleep, "extra", "group").iloc[0]
        assert row["reason"] == "Welch's t-test compares two groups, here are 3"


def test_characteristics_keep_the_order_of_the_variables(study):
    summaries, comparisons = comparison.characteristics(study, ["ethnicity", "age"], "t1")
    assert list(summaries["variable"]) == ["ethnicity"] * 9 + ["age"] * 3
    assert list(comparisons["variable"]) == ["ethnicity", "age"]
    assert list(comparisons["test"]) == ["chi-squared", "Welch t"]
    pd.testing.assert_frame_equal(comparisons[1:].reset_index(drop=True), comparison.compare(study, "age", "t1"))

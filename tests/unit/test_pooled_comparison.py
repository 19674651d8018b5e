"""Comparisons of groups, pooled over imputed sets."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency

from esmi.comparison import compare
from esmi.joint_tests import d2
from esmi.pooled_comparison import POOLED_CHI_SQUARED, POOLED_T, pool_comparisons

NO_YES = ["no", "yes"]


def yes_no(values):
    return pd.Categorical(np.where(values, "yes", "no"), categories=NO_YES, ordered=True)


@pytest.fixture
def sets():
    generator = np.random.default_rng(5)
    group = generator.random(80) < 0.4
    made = []
    for number in (1, 2, 3):
        data = pd.DataFrame(
            {
                "t1": yes_no(group),
                "score": generator.normal(size=80) + group,
                "single": yes_no(generator.random(80) < 0.3 + 0.3 * group),
            }
        )
        data.loc[:4, "t1"] = np.nan
        made.append((number, data))
    return made


def test_categories_are_pooled_by_their_chi_squared_statistics(sets):
    row = pool_comparisons(sets, ["score", "single"], "t1", "barnard-rubin", 0.95).iloc[1]
    statistics = [
        chi2_contingency(pd.crosstab(data["t1"], data["single"]), correction=False).statistic for _, data in sets
    ]
    expected = d2(statistics, 1)
    assert row["test"] == POOLED_CHI_SQUARED
    assert (row["statistic"], row["df2"], row["p_value"]) == pytest.approx((expected.F, expected.df2, expected.p_value))
    assert (row["m"], row["n"]) == (3, 75)


def test_means_are_pooled_by_rubins_rules_by_hand(sets):
    row = pool_comparisons(sets, ["score"], "t1", "large-sample", 0.9).iloc[0]
    found = pd.concat([compare(data, "score", "t1") for _, data in sets])
    difference, variance = found["difference"], (found["difference"] / found["statistic"]) ** 2
    total = variance.mean() + 4 / 3 * difference.var()
    assert row["test"] == POOLED_T
    assert row["difference"] == pytest.approx(difference.mean())
    assert row["statistic"] == pytest.approx(difference.mean() / np.sqrt(total))
    assert row["df1"] == pytest.approx(2 / (4 / 3 * difference.var() / total) ** 2)


def test_equal_sets_give_the_test_of_one(sets):
    same = [(number, sets[0][1]) for number in (1, 2, 3)]
    row = pool_comparisons(same, ["single"], "t1", "barnard-rubin", 0.95).iloc[0]
    assert row["p_value"] == pytest.approx(compare(sets[0][1], "single", "t1")["p_value"].iloc[0])


def test_what_cannot_be_compared_in_one_set_says_so(sets):
    sets[1] = (2, sets[1][1].assign(single=yes_no(np.zeros(80, dtype=bool))))
    row = pool_comparisons(sets, ["single"], "t1", "barnard-rubin", 0.95).iloc[0]
    assert np.isnan(row["p_value"])
    assert row["reason"] == "cannot be compared in 1 of 3 imputations: the same level in every group"

"""Discrimination and calibration by hand and against R's pROC; pooling over imputations."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from scipy.special import expit, logit

from esmi import logistic, performance
from esmi.design import events_of, model_matrix
from esmi.errors import ResearchError

ROOT = Path(__file__).parents[1]
# performance.R beside it says the versions of R and pROC.
ORACLE = pd.read_csv(ROOT / "oracle" / "performance.csv", index_col="statistic")


@pytest.fixture(scope="module")
def births():
    raw, _ = pyreadstat.read_sav(ROOT / "data" / "birthwt.sav")
    numbers = raw.apply(pd.to_numeric)
    data = numbers[["age", "lwt"]].astype(float)
    data["race"] = pd.Categorical(
        numbers["race"].map({1: "white", 2: "black", 3: "other"}), ["white", "black", "other"]
    )
    for name in ["smoke", "ptl", "ht", "ui", "low"]:
        data[name] = pd.Categorical(np.where(numbers[name] > 0, "yes", "no"), ["no", "yes"], ordered=True)
    return data


TERMS = ["age", "lwt", "race", "smoke", "ptl", "ht", "ui"]


@pytest.fixture(scope="module")
def predicted(births):
    y, matrix = events_of(births, "low"), model_matrix(births, TERMS)
    return y.to_numpy(), matrix.to_numpy() @ logistic.fit(y, matrix).estimates


def agrees(measured, name):
    return list(measured) == pytest.approx(list(ORACLE.loc[name]), rel=1e-7)


def test_area_under_the_curve_of_r(births, predicted):
    y, log_odds = predicted
    assert agrees(performance.area_under_curve(y, log_odds), "auc")
    score = (births["ptl"] == "yes").astype(float) + (births["ht"] == "yes")
    assert agrees(performance.area_under_curve(y, score), "auc_ties")


def test_area_under_the_curve_by_hand():
    # Pairs of an event (2, 4) and another (1, 2, 3): 2 > 1, 2 = 2, 2 < 3, and 4 above all: (1.5 + 3)/6.
    measured = performance.area_under_curve([1, 1, 0, 0, 0], [2, 4, 1, 2, 3])
    assert measured.estimate == pytest.approx(0.75)
    # Placements .5 and 1 of the events, 1, .75 and .5 of the others: .125/2 + .0625/3.
    assert measured.variance == pytest.approx(0.125 / 2 + 0.0625 / 3)


def test_the_curve_needs_both_outcomes():
    with pytest.raises(ValueError, match="events and non-events"):
        performance.area_under_curve([1, 1], [0.2, 0.3])
    assert np.isnan(performance.area_under_curve([1, 0, 0], [2, 1, 3]).variance)


def test_calibration_of_r(predicted):
    y, log_odds = predicted
    assert agrees(performance.calibration_intercept(y, 0.5 + 1.5 * log_odds), "calibration_intercept")
    assert agrees(performance.calibration_slope(y, 0.5 + 1.5 * log_odds), "calibration_slope")
    assert agrees(performance.brier(y, expit(log_odds)), "brier")
    assert performance.shrinkage(y, log_odds, 8) == pytest.approx(ORACLE.loc["shrinkage", "estimate"], rel=1e-7)


def test_calibration_at_maximum_likelihood(predicted):
    y, log_odds = predicted
    assert performance.calibration_intercept(y, log_odds).estimate == pytest.approx(0, abs=1e-8)
    assert performance.calibration_slope(y, log_odds).estimate == pytest.approx(1)


def test_no_slope_where_predictions_are_without_error():
    assert np.isnan(performance.calibration_slope(np.array([0.0, 0, 1, 1]), np.array([-2.0, -1, 1, 2])).estimate)


def test_tenths():
    y = np.tile([0.0, 1.0], 10)
    groups = performance.calibration_groups(y, np.linspace(0.05, 0.95, 20))
    assert list(groups["group"]) == list(range(1, 11))
    assert set(groups["n"]) == {2}
    assert set(groups["observed"]) == {0.5}
    assert groups["predicted"].iloc[0] == pytest.approx(0.05 + 0.9 / 38)


def test_equal_predictions_stay_together():
    groups = performance.calibration_groups(np.array([0.0] * 6 + [1.0] * 6), np.repeat([0.1, 0.2], 6))
    assert list(groups["n"]) == [6, 6]
    assert list(groups["predicted"]) == pytest.approx([0.1, 0.2])
    same = performance.calibration_groups(np.array([0.0, 1.0] * 10), np.full(20, 0.5))
    assert list(same["group"]) == [5]


def table_of(statistic, estimates, variances, group=0):
    return pd.DataFrame(
        {
            "imputation": range(1, len(estimates) + 1),
            "statistic": statistic,
            "group": group,
            "estimate": estimates,
            "variance": variances,
            "scale": performance.SCALES[statistic],
        }
    )


def test_pooled_area_under_the_curve():
    # Five areas on the logit scale, with the large-sample degrees of freedom.
    areas = table_of("auc", [0.84, 0.78, 0.75, 0.71, 0.79], np.square([0.04, 0.05, 0.01, 0.02, 0.03]))
    pooled = performance.pool_performance(areas, None, "large-sample").iloc[0]
    assert [round(pooled[name], 4) for name in ["estimate", "conf_low", "conf_high"]] == [0.7771, 0.5971, 0.8913]
    assert pooled["scale"] == "logit"
    assert pooled["reason"] == ""


def test_pooled_on_their_own_scale_by_hand():
    # Mean 2, Ubar 4, B 1, T = 4 + 4/3.
    pooled = performance.pool_performance(table_of("calibration_slope", [1, 2, 3], [3, 4, 5]), None).iloc[0]
    assert pooled["estimate"] == pytest.approx(2)
    assert pooled["std_error"] == pytest.approx(np.sqrt(16 / 3))
    assert pooled["df"] == pytest.approx(32)


def observed(proportions, n):
    proportions = np.array(proportions)
    sizes = table_of("n", [n] * len(proportions), np.nan, 1)
    pooled = performance.pool_performance(
        pd.concat([sizes, table_of("observed", proportions, proportions * (1 - proportions) / n, 1)]), None
    )
    return pooled.set_index("statistic").loc["observed"]


def test_observed_proportions_that_do_not_vary_have_wilsons_interval():
    # Newcombe 1998, table I, method 3: 81 of 263 has .2553 to .3662, and 0 of 20 has 0 to .1611.
    assert list(observed([81 / 263] * 3, 263)[["conf_low", "conf_high"]]) == pytest.approx([0.2553, 0.3662], abs=5e-5)
    never = observed([0.0] * 3, 20)
    assert list(never[["estimate", "conf_low", "conf_high"]]) == pytest.approx([0, 0, 0.1611], abs=5e-5)
    assert list(observed([1.0] * 3, 20)[["conf_low", "conf_high"]]) == pytest.approx([0.8389, 1], abs=5e-5)


def test_observed_proportions_that_vary_have_a_wider_interval():
    fixed, varying = observed([0.5] * 3, 28), observed([0.4, 0.5, 0.6], 28)
    assert varying["estimate"] == pytest.approx(0.5)
    assert varying["conf_low"] < fixed["conf_low"]
    assert varying["conf_high"] > fixed["conf_high"]
    part = observed([0.0, 0.0, 1 / 28], 28)
    assert 0 <= part["conf_low"] < 1 / 84 < part["conf_high"] < 0.5


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (table_of("auc", [0.8, np.nan, 0.7], [0.01, np.nan, 0.01]), "no estimate in 1 of 3"),
        (table_of("auc", [1.0, 0.9, 0.8], [0, 0.01, 0.01]), "no variance in 1 of 3"),
        (
            pd.concat([table_of("n", [2, 3, 4], np.nan, 1), table_of("observed", [0.5, 0.5], [0.1, 0.1], 1)]),
            "nobody is in this group in 1 of 3",
        ),
    ],
)
def test_what_is_not_known_in_every_imputation_is_not_pooled(table, reason):
    last = performance.pool_performance(table, None).iloc[-1]
    assert last["reason"].startswith(reason)
    assert np.isnan(last["estimate"])


def test_pooling_needs_two_imputations():
    with pytest.raises(ResearchError, match="at least two"):
        performance.pool_performance(table_of("auc", [0.8], [0.01]), None)


def test_measure_of_imputed_sets(births, predicted):
    imputed = pd.concat([births.assign(imputation=1), births.assign(imputation=2)], ignore_index=True)
    imputed.loc[[0, 189], "low"] = None  # nobody knows this outcome: the row counts nowhere
    fits = pd.concat(
        [
            logistic.fit_model(data, "low", TERMS).assign(imputation=number)
            for number, data in imputed.groupby("imputation")
        ]
    )
    table = performance.measure(imputed, "low", TERMS, fits)
    assert list(table.columns) == performance.PERFORMANCE_COLUMNS
    first = table[table["imputation"] == 1].set_index(["statistic", "group"])
    sizes = first.loc["n", "estimate"]
    assert list(sizes.index) == list(range(1, 11))
    assert sizes.sum() == 188
    y, x = events_of(births, "low")[1:], model_matrix(births, TERMS)[1:]
    area = performance.area_under_curve(y, x.to_numpy() @ logistic.fit(y, x).estimates)
    assert list(first.loc[("auc", 0), ["estimate", "variance"]]) == pytest.approx(list(area))
    assert (first.loc["observed", "estimate"] * sizes).sum() == pytest.approx(y.sum())
    assert (first.loc["predicted", "estimate"] * sizes).sum() == pytest.approx(y.sum())

    pooled = performance.pool_performance(table, 180).set_index(["statistic", "group"])
    assert (pooled["reason"] == "").all()
    assert pooled.loc[("auc", 0), "estimate"] == pytest.approx(area.estimate)
    half = 1.973 * np.sqrt(area.variance) / (area.estimate * (1 - area.estimate))
    assert pooled.loc[("auc", 0), "conf_high"] == pytest.approx(expit(logit(area.estimate) + half), abs=1e-3)


def test_a_fit_without_estimates_is_said(births):
    imputed = pd.concat([births.assign(imputation=1), births.assign(imputation=2)], ignore_index=True)
    fits = pd.concat([logistic.fit_model(births, "low", TERMS).assign(imputation=number) for number in (1, 2)])
    failed = fits["imputation"].eq(2)
    fits = fits.assign(converged=fits["converged"].mask(failed, False), estimate=fits["estimate"].mask(failed))
    pooled = performance.pool_performance(performance.measure(imputed, "low", TERMS, fits), 180)
    assert set(pooled.loc[pooled["group"] == 0, "reason"]) == {"no estimate in 1 of 2 imputations"}
    with pytest.raises(ResearchError, match="imputed sets 2"):
        performance.measure(imputed, "low", TERMS, fits[~failed])

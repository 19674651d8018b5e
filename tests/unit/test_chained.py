"""Chained parametric imputation: what each model recovers, how much it varies, what guards it, what fixes its draws."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from esmi.errors import ResearchError
from esmi.imputation import chained, conditional
from esmi.imputation.delta import Delta

LEVELS = ["none", "one", "two", "many"]
SETTINGS = {"never_filled": ["outcome"], "iterations": 2, "donors": 5, "seed": 20, "imputation": 1}


@pytest.fixture(autouse=True)
def _no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def categorical(codes, levels):
    return pd.Categorical.from_codes(np.asarray(codes, dtype=int), levels, ordered=True)


def study(rows=150, seed=3):
    """Numbers, a binary, a nominal and an ordinal variable that share one factor, an incomplete outcome."""
    generator = np.random.default_rng(seed)
    factor = generator.normal(size=rows)

    def noisy():
        return factor + generator.normal(size=rows)

    data = pd.DataFrame(
        {
            "score": np.round(50 + 10 * noisy()),
            "age": np.round(30 + 5 * noisy()),
            "complete": noisy(),
            "binary": categorical(noisy() > 0.8, ["no", "yes"]),
            "nominal": categorical(np.digitize(noisy(), [-1, 0, 1]), list("dbca")),
            "ordinal": categorical(np.digitize(noisy(), [-1, 0, 1]), LEVELS),
            "outcome": categorical(noisy() > 0, ["no", "yes"]),
        }
    )
    for name in data.columns.drop("complete"):
        data.loc[generator.random(rows) < 0.2, name] = np.nan
    return data


def impute(data, **changes):
    return chained.impute(data, **{**SETTINGS, "ordinal": ["ordinal"], **changes})


# Each method on a variable of its own kind


def target_of(kind, linear, generator):
    if kind == "continuous":
        return pd.Series(linear + generator.normal(size=len(linear)))
    if kind == "binary":
        return pd.Series(categorical(generator.random(len(linear)) < expit(linear), ["no", "yes"]))
    if kind == "ordinal":
        latent = linear + generator.logistic(size=len(linear))
        return pd.Series(categorical(np.digitize(latent, [-1.5, 0, 1.5]), LEVELS))
    utilities = np.column_stack([0 * linear, linear, -0.5 * linear]) + generator.gumbel(size=(len(linear), 3))
    return pd.Series(categorical(utilities.argmax(axis=1), list("abc")))


def numbers(target):
    """What a regression on the predictors explains: the values, or the indicators of all levels but the first."""
    if target.dtype == "float64":
        return target.to_numpy()[:, None]
    return (target.cat.codes.to_numpy()[:, None] == np.arange(1, len(target.cat.categories))).astype(float)


CASES = [
    ("continuous", "pmm"),
    ("binary", "logistic"),
    ("binary", "pmm"),
    ("nominal", "multinomial"),
    ("ordinal", "ordinal"),
    ("ordinal", "multinomial"),
]


@pytest.mark.parametrize(("kind", "method"), CASES)
def test_each_method_recovers_the_regression_that_made_the_data(kind, method):
    # Least-squares slopes of values and of level indicators are functions of the joint distribution, whatever the
    # model; the imputed ones must equal those of the complete data on average. Missing at random given both predictors.
    differences = []
    for replication in range(60):
        generator = np.random.default_rng(replication)
        x = np.column_stack([generator.normal(size=240), generator.random(240) < 0.4]).astype(float)
        target = target_of(kind, 0.8 * x[:, 0] + 0.7 * x[:, 1] - 0.3, generator)
        missing = generator.random(240) < expit(-0.7 + 0.8 * x[:, 0])
        data = pd.DataFrame({"v": target.mask(missing), "x": x[:, 0], "z": categorical(x[:, 1], ["no", "yes"])})
        design = np.column_stack([np.ones(240), x])
        complete = np.linalg.lstsq(design, numbers(target), rcond=None)[0]
        imputed = []
        for imputation in range(4):
            completed, _, _ = impute(
                data,
                never_filled=[],
                ordinal=["v"] if kind == "ordinal" else [],
                methods={"v": method},
                imputation=imputation,
                iterations=1,
                seed=replication,
            )
            imputed.append(np.linalg.lstsq(design, numbers(completed["v"]), rcond=None)[0])
        differences.append((np.mean(imputed, axis=0) - complete).ravel())
    z = np.mean(differences, axis=0) / (np.std(differences, axis=0, ddof=1) / np.sqrt(60))
    assert np.abs(z).max() < 3.5
    # The slopes are .17 or more in size; draws that ignored the predictors would lose a third of each.
    assert np.abs(np.mean(differences, axis=0)).max() < 0.04


def test_variables_missing_together_keep_their_correlation():
    generator = np.random.default_rng(8)
    first = generator.normal(size=2000)
    data = pd.DataFrame({"first": first, "second": 0.8 * first + 0.6 * generator.normal(size=2000)})
    missing = np.arange(2000) < 600
    data[missing] = np.nan
    correlations = []
    for imputation in range(5):
        completed, _, _ = impute(data, never_filled=[], ordinal=[], iterations=10, imputation=imputation)
        correlations.append(completed[missing].corr().iloc[0, 1])
    assert np.mean(correlations) == pytest.approx(data.corr().iloc[0, 1], abs=0.05)


# Perfect prediction, rare levels, predictors without news


def separated(kind):
    """120 rows, of which 40 missing, whose level is told perfectly by x."""
    x = np.tile(np.linspace(-2, 2, 40), 3)
    levels = {"binary": ["no", "yes"], "nominal": list("abc"), "ordinal": LEVELS[:3]}[kind]
    target = pd.Series(categorical(np.digitize(x, [-0.7, 0.7][: len(levels) - 1]), levels))
    z = np.random.default_rng(1).normal(size=120)
    return pd.DataFrame({"v": target.where(np.arange(120) < 80), "x": x, "z": z}), target


@pytest.mark.parametrize("kind", ["binary", "nominal", "ordinal"])
def test_perfect_prediction_is_met_with_pseudo_observations(kind):
    data, truth = separated(kind)
    agreeing = []
    for imputation in range(20):
        completed, _, events = impute(
            data, never_filled=[], ordinal=["v"] if kind == "ordinal" else [], iterations=1, imputation=imputation
        )
        assert events[["variable", "event", "detail"]].to_numpy().tolist() == [["v", "augmented", "perfect prediction"]]
        agreeing.append((completed["v"] == truth)[80:].mean())
    # Not certain, as nothing is after 80 observations, and far from the third or half that chance would give.
    assert 0.75 < np.mean(agreeing) < 1


def test_there_are_no_pseudo_observations_where_the_maximum_is_finite():
    _, _, events = impute(study(rows=300))
    assert events.empty


def test_where_no_fit_is_found_the_observed_proportions_are_drawn_and_it_is_said(monkeypatch):
    monkeypatch.setattr(conditional, "_MOST_STEPS_AUGMENTED", 0)
    completed, _, events = impute(separated("binary")[0], never_filled=[], ordinal=[], iterations=1)
    assert events["event"].tolist() == ["not converged"]
    assert 0.4 < (completed["v"] == "yes")[80:].mean() < 0.95


def test_three_events_are_imputed_with_finite_draws_and_it_is_said():
    generator = np.random.default_rng(0)
    data = pd.DataFrame(generator.normal(size=(279, 4)), columns=list("wxyz"))
    rare = pd.Series(categorical(np.arange(279) < 3, ["no", "yes"]))
    data["rare"] = rare.where(np.arange(279) < 219)
    shares = []
    for imputation in range(40):
        completed, _, events = impute(data, never_filled=[], ordinal=[], imputation=imputation, iterations=1)
        assert completed["rare"].notna().all()
        shares.append((completed["rare"].iloc[219:] == "yes").mean())
        assert set(events["event"]) <= {"augmented"}
    # The observed share is .014. The normal approximation is poor with so few events and draws too many.
    assert np.mean(shares) < 0.10


def test_collinear_and_constant_predictors_are_left_out_and_named():
    data = study(rows=200)
    data["copy"] = 3 * data["complete"] + 2
    data["same"] = 7.0
    completed, _, events = impute(data, iterations=1)
    assert completed.drop(columns="outcome").notna().all(axis=None)
    assert set(events["detail"]) == {"collinear predictor copy", "constant predictor same"}
    assert events["event"].eq("dropped").all()
    assert events.columns.tolist() == ["imputation", "iteration", "variable", "event", "detail"]
    assert set(events["variable"]) == set(study().columns) - {"complete"}


@pytest.mark.parametrize("rows", [9, 14, 25])
def test_fewer_rows_than_predictors_are_imputed_and_it_is_said(rows):
    data = study(rows=60).drop(columns="outcome")
    for name in ("score", "binary", "nominal", "ordinal"):
        data[name] = data[name].where(data[name].notna().cumsum() <= rows)
    for number in range(20):
        data[f"more{number}"] = np.random.default_rng(number).normal(size=60)
    completed, trace, events = impute(data, never_filled=[])
    assert completed.notna().all(axis=None)
    assert np.isfinite(trace["value"]).all()
    assert {"score", "binary", "nominal", "ordinal"} <= set(events.loc[events["event"] == "stabilised", "variable"])


# Products


def test_an_interaction_of_the_analysis_is_recovered_only_if_it_is_named():
    differences = {True: [], False: []}
    for replication in range(15):
        generator = np.random.default_rng(replication)
        v, w = generator.normal(size=400), generator.random(400) < 0.5
        y = v * np.where(w, 1.2, 0.0) + generator.normal(size=400)
        data = pd.DataFrame({"v": v, "w": categorical(w, ["no", "yes"]), "y": y})
        data.loc[generator.random(400) < 0.4, "v"] = np.nan
        for named in differences:
            completed, _, _ = impute(
                data,
                never_filled=["y"],
                ordinal=[],
                interactions=[["v", "w"]] if named else [],
                iterations=1,
                seed=replication,
            )
            slopes = [np.polyfit(completed.loc[rows, "v"], y[rows], 1)[0] for rows in (w, ~w)]
            differences[named].append(slopes[0] - slopes[1] - 1.2)
    assert abs(np.mean(differences[True])) < 0.1
    assert np.mean(differences[False]) < -0.25


# Outcomes and shifts


def test_outcomes_are_filled_in_the_chain_and_missing_again_in_the_result():
    data = study()
    completed, trace, _ = impute(data)
    pd.testing.assert_series_equal(completed["outcome"], data["outcome"])
    assert set(trace["variable"]) == set(data.columns) - {"complete", "outcome"}


def test_outcomes_left_missing_are_refused_where_any_is_missing():
    with pytest.raises(ResearchError, match=r"need values of all predictors, and outcome have missing values"):
        impute(study(), outcomes="left-missing")
    data = study().dropna(subset="outcome", ignore_index=True)
    kept, _, _ = impute(data, outcomes="left-missing")
    pd.testing.assert_frame_equal(kept, impute(data)[0])


def test_an_outcome_with_one_level_is_filled_with_it_and_it_is_said():
    data = study()
    data["outcome"] = data["outcome"].where(data["outcome"] == "no")
    completed, _, events = impute(data)
    pd.testing.assert_series_equal(completed["outcome"], data["outcome"])
    assert set(events.loc[events["variable"] == "outcome", "event"]) == {"one level"}
    assert completed.drop(columns="outcome").notna().all(axis=None)


def test_a_shift_of_zero_changes_nothing_and_another_one_reaches_the_other_variables():
    data, score, binary = study(), Delta("score", 0.0), Delta("logit", 0.0)
    plain, trace, _ = impute(data)
    same, same_trace, _ = impute(data, deltas={"score": score, "binary": binary})
    pd.testing.assert_frame_equal(same, plain)
    pd.testing.assert_frame_equal(same_trace, trace)
    shifted, _, _ = impute(data, deltas={"score": Delta("score", -30.0, 10.0, 90.0), "binary": Delta("logit", 3.0)})
    missing = data["score"].isna()
    assert shifted["score"][missing].mean() < plain["score"][missing].mean() - 15
    assert shifted["score"][missing].min() >= 10
    pd.testing.assert_series_equal(shifted["score"][~missing], data["score"][~missing])
    missing = data["binary"].isna()
    assert (shifted["binary"] == "yes")[missing].mean() > (plain["binary"] == "yes")[missing].mean() + 0.2
    assert not shifted["age"].equals(plain["age"])


# What is returned, and what may change it


def test_everything_is_filled_with_values_that_were_observed():
    data = study()
    before = data.copy()
    completed, trace, _ = impute(data, methods={"ordinal": "pmm", "binary": "pmm"})
    pd.testing.assert_frame_equal(data, before)
    pd.testing.assert_series_equal(completed.dtypes, data.dtypes)
    for name in data.columns.drop("outcome"):
        known = data[name].notna()
        pd.testing.assert_series_equal(completed[name][known], data[name][known])
        assert set(completed[name]) == set(data[name][known])
    assert trace.columns.tolist() == ["imputation", "iteration", "variable", "statistic", "level", "value"]
    last = trace[trace["iteration"] == 2].set_index(["variable", "statistic", "level"])["value"]
    drawn = completed[data["ordinal"].isna()]["ordinal"]
    assert last["ordinal", "mean", ""] == pytest.approx(drawn.cat.codes.mean())
    drawn = completed[data["nominal"].isna()]["nominal"]
    assert last["nominal", "proportion", "b"] == pytest.approx((drawn == "b").mean())
    drawn = completed[data["score"].isna()]["score"]
    assert last["score", "sd", ""] == pytest.approx(drawn.std())


def test_levels_that_were_never_observed_are_not_drawn():
    data = study()
    data["nominal"] = data["nominal"].where(data["nominal"] != "c")
    data["ordinal"] = data["ordinal"].where(data["ordinal"] != "one")
    completed, trace, _ = impute(data)
    assert set(completed["nominal"]) == set("dba")
    assert set(completed["ordinal"]) == {"none", "two", "many"}
    assert (trace.loc[(trace["variable"] == "nominal") & (trace["level"] == "c"), "value"] == 0).all()


def test_seed_and_number_alone_fix_the_draws():
    data = study()
    one, again, other, seeded = (impute(data, **changes)[0] for changes in ({}, {}, {"imputation": 2}, {"seed": 21}))
    pd.testing.assert_frame_equal(one, again)
    assert not one.equals(other)
    assert not one.equals(seeded)


def test_the_order_of_columns_and_names_changes_nothing():
    data = study()
    pairs = [["score", "binary"], ["age", "nominal"]]
    plain = impute(data, interactions=pairs)
    turned = impute(data[data.columns[::-1]], interactions=[pair[::-1] for pair in pairs[::-1]])
    pd.testing.assert_frame_equal(turned[0][data.columns], plain[0])
    pd.testing.assert_frame_equal(turned[1], plain[1])
    pd.testing.assert_frame_equal(turned[2], plain[2])


def test_complete_data_come_back_as_they_are():
    data = study().dropna(ignore_index=True)
    completed, trace, events = impute(data)
    pd.testing.assert_frame_equal(completed, data)
    assert trace.empty
    assert events.empty


# Faults


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (lambda d: d.assign(score=np.nan), {}, r"score: all 150 values are missing"),
        (
            lambda d: d.assign(score=d["score"] * 0),
            {},
            r"score: \d+ values are missing and the \d+ observed ones are",
        ),
        (lambda d: d.assign(score=d["score"] / 0.0), {}, r"score: \d+ values are infinite"),
        (lambda d: d.assign(score="x"), {}, r"score: is stored as"),
        (lambda d: d.set_index(d.index + 1), {}, r"not numbered"),
        (lambda d: d[["score"]], {"never_filled": [], "ordinal": []}, r"no second variable"),
        (lambda d: d, {"donors": 140}, r"score: only \d+ values are observed, fewer than the 140 donors"),
        (lambda d: d, {"never_filled": ["outcom"]}, r"outcom: named as never filled, but not in the data"),
        (lambda d: d, {"methods": {"scor": "pmm"}}, r"scor: a method is given for it, but it is not in the data"),
        (
            lambda d: d,
            {"methods": {"nominal": "pmm"}},
            r"nominal: method 'pmm' is not for a nominal variable",
        ),
        (lambda d: d, {"interactions": [["age", "scor"]]}, r"scor: an interaction is given for it, but"),
        (lambda d: d, {"deltas": {"nominal": Delta("logit", 1)}}, r"nominal: a delta is for numbers and binary"),
        (lambda d: d, {"deltas": {"binary": Delta("score", 1)}}, r"binary: its delta is on the score scale"),
        (
            lambda d: d,
            {"deltas": {"binary": Delta("logit", 1)}, "methods": {"binary": "pmm"}},
            r"binary: a delta on the logit scale needs method logistic, not pmm",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_faults_are_research_errors(change, settings, message):
    with pytest.raises(ResearchError, match=message):
        impute(change(study()), **settings)


def test_all_faults_are_told_at_once():
    with pytest.raises(ResearchError, match=r"2 faults") as caught:
        impute(study(), methods={"nominal": "pmm", "score": "logistic"})
    assert all(word in str(caught.value) for word in ("nominal", "score"))

"""Imputation with boosted trees: rare levels, donors, what fixes the draws, what is returned, faults."""

import hashlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lightgbm.basic import _ConfigAliases

from esmi.errors import ResearchError
from esmi.imputation import forest, kernel, seeds

LEVELS = ["none", "one", "two", "many"]
SETTINGS = {"never_filled": ["outcome"], "preset": "stumps", "iterations": 2, "donors": 5, "seed": 20, "imputation": 1}


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
            "binary": pd.Categorical.from_codes((noisy() > 0.8).astype(int), ["no", "yes"], ordered=True),
            "nominal": pd.Categorical.from_codes(np.digitize(noisy(), [-1, 0, 1]), list("dbca"), ordered=True),
            "ordinal": pd.Categorical.from_codes(np.digitize(noisy(), [-1, 0, 1]), LEVELS, ordered=True),
            "outcome": pd.Categorical.from_codes((noisy() > 0).astype(int), ["no", "yes"], ordered=True),
        }
    )
    for name in data.columns.drop("complete"):
        data.loc[generator.random(rows) < 0.2, name] = np.nan
    return data


def impute(data, **changes):
    return forest.impute(data, **{**SETTINGS, "ordinal": ["ordinal"], **changes})


def digest(*tables):
    return hashlib.sha256("".join(table.to_csv() for table in tables).encode()).hexdigest()


# Rare levels


def rare_binary(rows=279, events=4, seed=0):
    generator = np.random.default_rng(seed)
    data = pd.DataFrame(generator.normal(size=(rows, 4)), columns=list("wxyz"))
    codes = np.zeros(rows, dtype=int)
    codes[:events] = 1
    data["rare"] = pd.Categorical.from_codes(codes, ["no", "yes"], ordered=True)
    data["rare"] = data["rare"].where(data.index < rows - 60)
    data.loc[generator.random(rows) < 0.1, "w"] = np.nan
    return data


@pytest.mark.parametrize("events", [3, 4])
def test_a_binary_variable_with_few_events_is_imputed_and_stays_rare(events):
    shares = []
    for imputation in range(20):
        data = rare_binary(events=events, seed=imputation)
        completed, trace = impute(data, never_filled=[], ordinal=[], imputation=imputation)
        assert completed["rare"].notna().all()
        assert np.isfinite(trace["value"]).all()
        shares.append((completed["rare"].iloc[219:] == "yes").mean())
    # The observed share is .014 or .018. With 4 events, over 300 such runs, the imputed share is half of it on average,
    # .083 at most.
    assert max(shares) < 0.15
    assert 0 < np.mean(shares) / (events / 219) < 2


def test_levels_too_rare_for_any_bootstrap_sample_are_a_research_error():
    values = [f"level{row}" for row in range(30)] + [None] * 10
    data = pd.DataFrame({"village": pd.Categorical(values), "other": np.arange(40.0)})
    with pytest.raises(ResearchError, match=r"village: its levels are too rare"):
        impute(data, never_filled=[], ordinal=[])


def test_a_binary_variable_that_another_predicts_perfectly_is_imputed_as_predicted():
    data = study()
    data["copy"] = data["complete"].gt(0).astype(float)
    data["told"] = pd.Categorical.from_codes(data["copy"].astype(int), ["no", "yes"], ordered=True)
    data["told"] = data["told"].where(data.index >= 40)
    completed, trace = impute(data)
    assert list(completed["told"] == "yes") == list(data["copy"] == 1)
    assert np.isfinite(trace["value"]).all()


def test_probabilities_of_one_do_not_stop_the_search_for_donors():
    # 150 observed events in 100,000 rows, told perfectly by another variable. Within one leaf the first Newton step is
    # 0.1 / 0.0015 = 67 on the log-odds scale; beyond 37 a probability is 1 in double precision.
    sign = np.zeros(100_000)
    sign[:160] = 1.0
    data = pd.DataFrame({"sign": sign, "rare": pd.Categorical.from_codes(sign.astype(int), ["no", "yes"])})
    data.loc[150:200, "rare"] = np.nan
    completed, _ = impute(data, never_filled=[], ordinal=[], iterations=1)
    assert (completed.loc[150:159, "rare"] == "yes").all()
    assert (completed.loc[160:200, "rare"] == "no").all()


# Donors


def test_the_variance_between_imputations_is_that_of_the_bootstrap_with_one_binary_predictor():
    # All rows with one value of the predictor have one prediction. In each half, 50 values are drawn from 100 that were
    # observed: by the approximate Bayesian bootstrap (Rubin & Schenker 1986) the mean of the draws has the variance
    # s2 ((1 - 1/100) / 50 + 1/100). With the same five donors for all rows it is six to nine times that.
    generator = np.random.default_rng(1)
    half = np.arange(300) % 2
    data = pd.DataFrame({"half": pd.Categorical.from_codes(half, ["no", "yes"]), "score": generator.normal(size=300)})
    data.loc[:99, "score"] = np.nan
    settings = {"never_filled": [], "ordinal": [], "iterations": 1}
    means = [
        impute(data, imputation=number, **settings)[0][:100].groupby("half", observed=True)["score"].mean()
        for number in range(150)
    ]
    observed = data[100:].groupby("half", observed=True)["score"].var(ddof=0)
    expected = observed * ((1 - 1 / 100) / 50 + 1 / 100)
    # The ratio has a standard error of .115 in each half.
    assert (pd.DataFrame(means).var() / expected).between(0.6, 1.45).all()


def test_each_of_the_nearest_donors_is_taken_equally_often_and_equals_at_random():
    of_observed = np.array([[0.0], [1.0], [1.0], [1.0], [1.0], [9.0]])
    chosen = forest.matched_donors(np.zeros((30_000, 1)), of_observed, 3, np.random.RandomState(1))
    shares = np.bincount(chosen, minlength=6) / 30_000
    assert shares == pytest.approx([1 / 3, 1 / 6, 1 / 6, 1 / 6, 1 / 6, 0], abs=0.01)


def test_infinite_log_odds_are_matched_with_the_extreme():
    of_observed = np.array([[-np.inf], [0.0], [np.inf]], dtype="float16")
    of_missing = np.array([[np.inf], [-np.inf], [3.0]], dtype="float16")
    assert list(forest.matched_donors(of_missing, of_observed, 1, np.random.RandomState(1))) == [2, 0, 1]


# What may and what may not change the result


def test_the_same_seed_gives_the_same_result_in_another_process_with_other_threads():
    here = digest(*impute(study()))
    assert here == digest(*impute(study()))
    code = "from test_forest import digest, impute, study; print(digest(*impute(study())))"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-c", code]
    there = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


def test_another_imputation_or_study_seed_gives_other_draws():
    results = {digest(impute(study(), **change)[0]) for change in ({}, {"imputation": 2}, {"seed": 21})}
    assert len(results) == 3


def test_the_order_of_columns_has_no_effect():
    data = study()
    completed, trace = impute(data)
    shuffled, shuffled_trace = impute(data[data.columns[::-1]])
    assert list(shuffled.columns) == list(data.columns[::-1])
    pd.testing.assert_frame_equal(shuffled[data.columns], completed)
    pd.testing.assert_frame_equal(shuffled_trace, trace)


def test_variables_are_visited_by_missing_count_then_name(monkeypatch):
    visited = []

    def recording(values, target, *others):
        visited.append(target.name)
        return drawn(values, target, *others)

    drawn = forest._drawn
    monkeypatch.setattr(forest, "_drawn", recording)
    names = [f"v{number:02d}" for number in range(24)]
    data = pd.DataFrame(np.random.default_rng(1).normal(size=(40, 25)), columns=[*names, "outcome"])
    data.loc[0, "outcome"] = np.nan
    data.loc[:3, names] = np.nan
    data.loc[4, names[:12]] = np.nan
    impute(data[data.columns[::-1]], ordinal=[], iterations=1)
    assert visited == names[12:] + names[:12]


# What is returned


@pytest.mark.parametrize("preset", list(forest.PRESETS))
def test_only_missing_values_are_filled_and_the_outcome_never_is(preset):
    data = study()
    before = data.copy()
    completed, _ = impute(data, preset=preset)
    pd.testing.assert_frame_equal(data, before)
    assert list(completed.columns) == list(data.columns)
    assert completed.dtypes.equals(data.dtypes)
    pd.testing.assert_series_equal(completed["outcome"], data["outcome"])
    assert data["outcome"].isna().any()
    assert completed.drop(columns="outcome").notna().all(axis=None)
    for name in data.columns:
        observed = data[name].notna()
        pd.testing.assert_series_equal(completed.loc[observed, name], data.loc[observed, name])
        # Donors are observed values, so nothing is out of bounds.
        assert set(completed[name].dropna()) == set(data[name].dropna())


def test_the_outcome_predicts():
    generator = np.random.default_rng(2)
    codes = generator.integers(0, 2, 300)
    data = pd.DataFrame({"outcome": pd.Categorical.from_codes(codes, ["no", "yes"]), "score": 10.0 * codes})
    data["score"] += generator.normal(size=300)
    data.loc[:99, "score"] = np.nan
    completed, _ = impute(data, ordinal=[])
    means = completed[:100].groupby("outcome", observed=True)["score"].mean()
    assert means["yes"] - means["no"] > 8


def test_a_nominal_predictor_with_six_levels_is_used():
    # One level of 40 rows differs: fewer than LightGBM's smallest group (100) of a split that is not one against all.
    codes = np.tile(np.arange(6), 50)
    data = pd.DataFrame({"nominal": pd.Categorical.from_codes(codes, list("abcdef"), ordered=True)})
    data["score"] = np.where(codes == 2, 9.0, 0.0)
    data.loc[:59, "score"] = np.nan
    completed, _ = impute(data, never_filled=[], ordinal=[], iterations=1)
    assert list(completed["score"]) == list(np.where(codes == 2, 9.0, 0.0))


def test_only_ordinals_of_three_levels_or_more_are_imputed_as_numbers():
    # LightGBM reads an ordered categorical as a number, whatever its levels mean.
    encoded = forest._encoded(study(), ["ordinal", "binary"])
    assert set(encoded["ordinal"].dropna()) == {0.0, 1.0, 2.0, 3.0}
    for name in ("nominal", "binary", "outcome"):
        assert encoded[name].dtype.name == "category"
        assert not encoded[name].cat.ordered


def test_the_trace_summarises_the_imputed_values_alone():
    data = study()
    completed, trace = impute(data, imputation=4, iterations=3)
    assert list(trace.columns) == ["imputation", "iteration", "variable", "statistic", "level", "value"]
    assert set(trace["imputation"]) == {4}
    assert list(trace["iteration"].unique()) == [1, 2, 3]
    assert set(trace["variable"]) == {"score", "age", "binary", "nominal", "ordinal"}
    last = trace[trace["iteration"] == 3].set_index(["variable", "statistic", "level"])["value"].sort_index()
    score = completed.loc[data["score"].isna(), "score"]
    assert last["score", "mean", ""] == pytest.approx(score.mean())
    assert last["score", "sd", ""] == pytest.approx(score.std(ddof=1))
    codes = completed.loc[data["ordinal"].isna(), "ordinal"].cat.codes
    assert last["ordinal", "mean", ""] == pytest.approx(codes.mean())
    nominal = completed.loc[data["nominal"].isna(), "nominal"]
    assert set(last["nominal", "proportion"].index) == set("dbca")
    for level in "dbca":
        assert last["nominal", "proportion", level] == pytest.approx((nominal == level).mean())


def test_unobserved_levels_are_kept_as_levels_and_never_drawn():
    data = study()
    data["nominal"] = data["nominal"].cat.set_categories(["unused", *"dbca"], ordered=True)
    data["ordinal"] = data["ordinal"].cat.set_categories(["below", *LEVELS], ordered=True)
    assert list(forest._encoded(data, ["ordinal"])["nominal"].cat.categories) == list("dbca")
    completed, trace = impute(data)
    assert completed.dtypes.equals(data.dtypes)
    assert not (completed["nominal"] == "unused").any()
    assert not (completed["ordinal"] == "below").any()
    assert (trace.loc[trace["level"] == "unused", "value"] == 0).all()


def test_nothing_to_impute_gives_the_data_and_an_empty_trace():
    data = study().dropna().reset_index(drop=True)
    completed, trace = impute(data)
    pd.testing.assert_frame_equal(completed, data)
    assert trace.empty
    assert list(trace.columns) == list(impute(study())[1].columns)


def test_a_complete_variable_with_a_single_level_is_kept():
    data = study().assign(constant=1.0)
    data["single"] = pd.Categorical(["no"] * len(data), categories=["no", "yes"], ordered=True)
    completed, _ = impute(data, iterations=1)
    pd.testing.assert_frame_equal(completed[["constant", "single"]], data[["constant", "single"]])


# Outcomes inside the chain


def test_outcomes_filled_in_the_chain_are_missing_again_and_not_in_the_trace():
    data = study()
    completed, trace = impute(data, outcomes="filled-then-deleted")
    pd.testing.assert_series_equal(completed["outcome"], data["outcome"])
    assert completed.drop(columns="outcome").notna().all(axis=None)
    assert set(trace["variable"]) == {"score", "age", "binary", "nominal", "ordinal"}
    left, _ = impute(data, outcomes="left-missing")
    assert not completed.equals(left)


def test_outcomes_filled_in_the_chain_predict_with_their_fills():
    generator = np.random.default_rng(2)
    codes = generator.integers(0, 2, 400)
    data = pd.DataFrame({"outcome": pd.Categorical.from_codes(codes, ["no", "yes"]), "score": 10.0 * codes})
    data["score"] += generator.normal(size=400)
    data.loc[:99] = np.nan
    *_, draws = forest._chained_draws(forest._encoded(data, []), ["outcome", "score"], "stumps", 4, 5, 1, {})
    filled = draws["outcome"] == 1
    assert draws["score"][filled].mean() - draws["score"][~filled].mean() > 8


def test_an_outcome_with_one_observed_value_stays_missing_inside_the_chain():
    data = study()
    data["outcome"] = data["outcome"].where(data["outcome"] == "no")
    completed, _ = impute(data, outcomes="filled-then-deleted")
    pd.testing.assert_frame_equal(completed, impute(data, outcomes="left-missing")[0])


def test_an_outcome_that_is_filled_needs_as_many_observed_values_as_donors():
    data = study()
    data["outcome"] = data["outcome"].where(data["outcome"].notna().cumsum() <= 4)
    assert data["outcome"].nunique() == 2
    impute(data, outcomes="left-missing", iterations=1)
    with pytest.raises(ResearchError, match=r"outcome: only 4 values are observed, fewer than the 5 donors"):
        impute(data, outcomes="filled-then-deleted")


# Faults


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (lambda data: data.assign(score=np.nan), {}, r"score: all 150 values are missing"),
        (lambda data: data.assign(score=data["score"] * 0), {}, r"score: \d+ values are missing .* all the same"),
        (lambda data: data.assign(binary=data["binary"].where(data["binary"] == "no")), {}, r"binary: .* all the same"),
        (lambda data: data.assign(score=data["score"].where(data.index < 4)), {}, r"score: only \d values .* 5 donors"),
        (lambda data: data.assign(score=data["score"] / 0), {}, r"score: \d+ values are infinite"),
        (lambda data: data.rename(columns={"score": "score [raw]"}), {}, r"score \[raw\]: the name"),
        (lambda data: data.assign(score=data["score"].astype("string")), {}, r"score: is stored as string"),
        (lambda data: data.assign(score=data["score"].astype("Float64")), {}, r"score: is stored as Float64"),
        (lambda data: data.assign(complete=1), {}, r"complete: is stored as int64"),
        (lambda data: pd.concat([data, data[["age"]]], axis=1), {}, r"age: appears more than once"),
        (lambda data: data[5:], {}, r"reset the index"),
        (lambda data: data.set_axis(list(range(len(data)))), {}, r"reset the index"),
        (lambda data: data[["score"]], {"never_filled": [], "ordinal": []}, r"no second variable"),
        (lambda data: data, {"preset": "forest"}, r"'forest' is unknown: choose one of stumps, trees"),
        (lambda data: data, {"never_filled": ["outcom"]}, r"outcom: named as never filled, but not in the data"),
        (lambda data: data, {"ordinal": ["score"]}, r"score: named as ordinal, but is a number"),
    ],
)
def test_faults_are_research_errors(change, settings, message):
    with pytest.raises(ResearchError, match=message):
        impute(change(study()), **settings)


def test_all_faults_are_told_at_once():
    data = study().assign(score=np.nan, age="x")
    with pytest.raises(ResearchError, match=r"3 faults") as caught:
        impute(data, preset="none")
    assert all(word in str(caught.value) for word in ("score", "age", "preset"))


def test_the_smallest_number_of_donors_that_is_allowed_works():
    data = study()
    data["score"] = data["score"].where(data["score"].notna().cumsum() <= 5)
    completed, _ = impute(data, iterations=1)
    assert completed["score"].notna().all()


@pytest.mark.parametrize(("module", "library"), [(forest, "lightgbm"), (kernel, "miceforest")])
def test_another_version_of_the_libraries_is_refused(monkeypatch, module, library):
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9" if name == library else real(name))
    spec = importlib.util.spec_from_file_location("module_again", module.__file__)
    with pytest.raises(ResearchError, match=rf"{library} 9.9 is installed"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


# Parameters and seeds


def test_every_parameter_is_one_that_lightgbm_knows():
    known = _ConfigAliases._get_all_param_aliases()
    assert "min_data_in_leafs" not in known
    for parameters in forest.PRESETS.values():
        assert set(parameters) <= set(known)


def test_the_presets_are_those_of_the_simulation():
    stumps, trees = forest.PRESETS["stumps"], forest.PRESETS["trees"]
    assert (stumps["num_iterations"], stumps["num_leaves"], stumps["bagging_fraction"]) == (60, 2, 0.8)
    assert (trees["num_iterations"], trees["num_leaves"], trees["bagging_fraction"]) == (40, 4, 0.632)
    differing = {name for name in stumps if stumps[name] != trees[name]}
    assert differing == {"num_iterations", "num_leaves", "bagging_fraction"}
    assert stumps["min_data_in_leaf"] == 5
    assert stumps["min_sum_hessian_in_leaf"] == 0.1


def test_imputation_seeds_are_fixed_distinct_and_in_range():
    # NumPy keeps SeedSequence stable; a change here would silently change every study.
    assert seeds.imputation_seed(20261123, 1) == 2685621315
    drawn = [seeds.imputation_seed(study_seed, number) for study_seed in (1, 2, 2**40) for number in range(1, 201)]
    assert len(set(drawn)) == 600
    assert all(type(seed) is int and 0 <= seed < 2**32 for seed in drawn)
    assert seeds.imputation_seed(1, 2) != seeds.imputation_seed(2, 1)

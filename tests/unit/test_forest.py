"""Imputation with the repaired miceforest kernel: the repairs, what fixes the draws, what is returned, faults."""

import hashlib
import importlib.metadata
import importlib.util
import inspect
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lightgbm.basic import _ConfigAliases
from miceforest import ImputationKernel

from esmi.errors import ResearchError
from esmi.imputation import forest, seeds

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


def kernel_of(kernel_class, data, seed=1):
    return kernel_class(data, num_datasets=1, save_all_iterations_data=False, random_state=seed)


def without(repair):
    """The repaired kernel with one repair taken back, so that each property is seen to hang on its own repair."""
    stock = inspect.getattr_static(ImputationKernel, repair)
    return type("PartlyRepairedKernel", (forest.RepairedKernel,), {repair: stock})


# The three repairs: each property must fail on the stock class and on the class that lacks this repair alone.


def draws_use_each_other(kernel_class):
    """Two variables with r = .80, missing together in 30% of rows, keep most of it in those rows (R mice: .82)."""
    generator = np.random.default_rng(8)
    first = generator.normal(size=800)
    data = pd.DataFrame({"first": first, "second": 0.8 * first + 0.6 * generator.normal(size=800)})
    missing = np.arange(800) < 240
    data[missing] = np.nan
    kernel = kernel_of(kernel_class, data)
    kernel.mice(4, **forest.PRESETS["stumps"])
    return kernel.complete_data(0)[missing].corr().iloc[0, 1] > 0.6


def late_rows_are_used(kernel_class):
    """The donors that suit the missing rows are in rows 256 and after; no missing row is after 255."""
    data = pd.DataFrame({"value": np.zeros(279), "group": np.zeros(279)})
    data.loc[256:] = [10.0, 1.0]
    data.loc[:29] = [np.nan, 1.0]
    kernel = kernel_of(kernel_class, data)
    kernel.mice(1, **forest.PRESETS["stumps"])
    return (kernel.complete_data(0).loc[:29, "value"] == 10).all()


def means_vary_as_from_a_sample(kernel_class):
    """40 observed, 400 missing: the mean of the imputed values should vary with about the variance of a mean of 40.

    Drawing at random from the same 40 values gives a tenth of it.
    """
    generator = np.random.default_rng(5)
    data = pd.DataFrame({"value": generator.normal(size=440), "noise": generator.normal(size=440)})
    data.loc[generator.permutation(440)[:400], "value"] = np.nan
    means = []
    for seed in range(20):
        kernel = kernel_of(kernel_class, data, seed)
        kernel.mice(1, **forest.PRESETS["stumps"])
        means.append(kernel.complete_data(0)["value"][data["value"].isna()].mean())
    return np.var(means, ddof=1) > 0.5 * data["value"].var() / 40


def training_rows_are_a_bootstrap(kernel_class):
    """As many as are observed, about 63% of them different, other rows for another seed, the same for the same seed."""
    data = pd.DataFrame({"value": np.arange(300.0), "other": np.zeros(300)})
    data.loc[:99, "value"] = np.nan
    kernel = kernel_of(kernel_class, data)
    one, again, two = (kernel._get_nonmissing_subset_index("value", seed) for seed in (1, 1, 2))
    return (
        one.size == 200
        and 0.55 < np.unique(one).size / 200 < 0.72
        and one.min() >= 100
        and np.array_equal(one, again)
        and not np.array_equal(one, two)
    )


@pytest.mark.parametrize(
    ("holds", "repair"),
    [
        (draws_use_each_other, "__setitem__"),
        (late_rows_are_used, "_get_nonmissing_index"),
        (means_vary_as_from_a_sample, "_get_nonmissing_subset_index"),
        (training_rows_are_a_bootstrap, "_get_nonmissing_subset_index"),
    ],
)
def test_each_repair_is_needed_and_works(holds, repair):
    assert not holds(ImputationKernel)
    assert not holds(without(repair))
    assert holds(forest.RepairedKernel)


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


def test_a_binary_variable_with_four_events_is_imputed_and_stays_rare():
    shares = []
    for imputation in range(20):
        completed, trace = impute(rare_binary(seed=imputation), never_filled=[], ordinal=[], imputation=imputation)
        assert completed["rare"].notna().all()
        assert np.isfinite(trace["value"]).all()
        shares.append((completed["rare"].iloc[219:] == "yes").mean())
    # The observed share is 4 in 219, .018. Over 300 such runs the imputed share is half of it on average, .083 at most.
    assert max(shares) < 0.15
    assert 0 < np.mean(shares) / (4 / 219) < 2


def test_every_observed_level_is_in_every_bootstrap_sample():
    data = rare_binary(rows=80, events=1)
    kernel = kernel_of(forest.RepairedKernel, forest._encoded(data, []))
    for seed in range(50):
        drawn = kernel._get_nonmissing_subset_index("rare", seed)
        assert data.loc[drawn, "rare"].nunique() == 2
        assert drawn.size == 20


def test_levels_too_rare_for_any_bootstrap_sample_are_a_research_error():
    values = [f"level{row}" for row in range(30)] + [None] * 10
    data = pd.DataFrame({"village": pd.Categorical(values), "other": np.arange(40.0)})
    with pytest.raises(ResearchError, match=r"village: its levels are too rare"):
        impute(data, never_filled=[], ordinal=[])


def test_probabilities_of_one_do_not_stop_the_search_for_donors():
    # 150 observed events in 100,000 rows, told perfectly by another variable. Within one leaf the first Newton step is
    # 0.1 / 0.0015 = 67 on the log-odds scale; beyond 37 a probability is 1 in double precision.
    sign = np.zeros(100_000)
    sign[:160] = 1.0
    data = pd.DataFrame({"sign": sign, "rare": pd.Categorical.from_codes(sign.astype(int), ["no", "yes"])})
    data.loc[150:200, "rare"] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(ValueError, match="finite"):
            kernel_of(without("_mean_match_nearest_neighbors"), data).mice(1, **forest.PRESETS["stumps"])
        completed, _ = impute(data, never_filled=[], ordinal=[], iterations=1)
    assert (completed.loc[150:159, "rare"] == "yes").all()
    assert (completed.loc[160:200, "rare"] == "no").all()


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

    class RecordingKernel(forest.RepairedKernel):
        def __setitem__(self, key, draws):
            visited.append(key[:2])
            super().__setitem__(key, draws)

    monkeypatch.setattr(forest, "RepairedKernel", RecordingKernel)
    names = [f"v{number:02d}" for number in range(24)]
    data = pd.DataFrame(np.random.default_rng(1).normal(size=(40, 25)), columns=[*names, "outcome"])
    data.loc[0, "outcome"] = np.nan
    data.loc[:3, names] = np.nan
    data.loc[4, names[:12]] = np.nan
    impute(data[data.columns[::-1]], ordinal=[], iterations=1)
    assert [name for name, iteration in visited if iteration == 1] == names[12:] + names[:12]


def test_one_run_of_all_iterations_equals_runs_of_one_iteration():
    data = forest._encoded(study(), ["ordinal"])
    at_once, step_by_step = kernel_of(forest.RepairedKernel, data), kernel_of(forest.RepairedKernel, data)
    at_once.mice(3, **forest.PRESETS["trees"])
    for _ in range(3):
        step_by_step.mice(1, **forest.PRESETS["trees"])
    pd.testing.assert_frame_equal(at_once.complete_data(0), step_by_step.complete_data(0))


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
    data["nominal"] = data["nominal"].cat.add_categories("unused")
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


# Faults


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (lambda data: data.assign(score=np.nan), {}, r"score: all 150 values are missing"),
        (lambda data: data.assign(score=data["score"] * 0), {}, r"score: \d+ values are missing .* all the same"),
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


@pytest.mark.parametrize("library", ["miceforest", "lightgbm"])
def test_another_version_of_the_libraries_is_refused(monkeypatch, library):
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9" if name == library else real(name))
    spec = importlib.util.spec_from_file_location("forest_again", forest.__file__)
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

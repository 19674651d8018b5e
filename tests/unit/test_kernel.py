"""The repaired kernel of miceforest: each repair against the library as it comes, and the fast loop against all."""

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
from miceforest import ImputationKernel
from test_forest import rare_binary, study

from esmi.imputation import contract, forest
from esmi.imputation.kernel import RepairedKernel, chained_draws


def kernel_of(kernel_class, data, seed=1):
    return kernel_class(data, num_datasets=1, save_all_iterations_data=False, random_state=seed)


def without(repair):
    """The repaired kernel with one repair taken back, so that each property is seen to hang on its own repair."""
    stock = inspect.getattr_static(ImputationKernel, repair)
    return type("PartlyRepairedKernel", (RepairedKernel,), {repair: stock})


# The repairs: each property must fail on the stock class and on the class that lacks this repair alone.


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


def donors_are_shared_out_among_equals(kernel_class):
    """No prediction tells the observed rows apart: each of 30 is as good a donor as any, not only five of them."""
    data = pd.DataFrame({"value": np.arange(330.0), "half": np.arange(330) % 2.0})
    data["value"] = data["value"].where(data.index < 30)
    data.loc[:29, "half"] = 0.0
    kernel = kernel_of(kernel_class, data)
    kernel.mice(1, **forest.PRESETS["stumps"])
    return kernel.complete_data(0).loc[30:, "value"].nunique() > 12


@pytest.mark.parametrize(
    ("holds", "repair"),
    [
        (draws_use_each_other, "__setitem__"),
        (late_rows_are_used, "_get_nonmissing_index"),
        (means_vary_as_from_a_sample, "_get_nonmissing_subset_index"),
        (training_rows_are_a_bootstrap, "_get_nonmissing_subset_index"),
        (donors_are_shared_out_among_equals, "_mean_match_nearest_neighbors"),
    ],
)
def test_each_repair_is_needed_and_works(holds, repair):
    assert not holds(ImputationKernel)
    assert not holds(without(repair))
    assert holds(RepairedKernel)


def test_probabilities_of_one_stop_the_library_and_not_the_repaired_kernel():
    # As in test_forest: a rare level that another variable tells perfectly, in 100,000 rows.
    sign = np.zeros(100_000)
    sign[:160] = 1.0
    data = pd.DataFrame({"sign": sign, "rare": pd.Categorical.from_codes(sign.astype(int), ["no", "yes"])})
    data.loc[150:200, "rare"] = np.nan
    repaired = kernel_of(RepairedKernel, data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(ValueError, match="finite"):
            kernel_of(without("_mean_match_nearest_neighbors"), data).mice(1, **forest.PRESETS["stumps"])
        repaired.mice(1, **forest.PRESETS["stumps"])
    assert (repaired.complete_data(0).loc[150:159, "rare"] == "yes").all()


def test_without_equal_predictions_the_donors_are_those_of_the_library():
    generator = np.random.default_rng(3)
    of_observed, of_missing = generator.normal(size=(80, 3)), generator.normal(size=(50, 3))
    for donors in (1, 5):
        theirs = ImputationKernel._mean_match_nearest_neighbors(
            donors, pd.DataFrame(of_missing), pd.DataFrame(of_observed), pd.Series(range(80)), np.random.RandomState(7)
        )
        ours = forest.matched_donors(of_missing, of_observed, donors, np.random.RandomState(7))
        assert list(ours) == list(theirs)


def test_every_observed_level_is_in_every_bootstrap_sample():
    data = rare_binary(rows=80, events=1)
    kernel = kernel_of(RepairedKernel, forest._encoded(data, []))
    for seed in range(50):
        drawn = kernel._get_nonmissing_subset_index("rare", seed)
        assert data.loc[drawn, "rare"].nunique() == 2
        assert drawn.size == 20


def test_one_run_of_all_iterations_equals_runs_of_one_iteration():
    data = forest._encoded(study(), ["ordinal"])
    at_once, step_by_step = kernel_of(RepairedKernel, data), kernel_of(RepairedKernel, data)
    at_once.mice(3, **forest.PRESETS["trees"])
    for _ in range(3):
        step_by_step.mice(1, **forest.PRESETS["trees"])
    pd.testing.assert_frame_equal(at_once.complete_data(0), step_by_step.complete_data(0))


# The fast loop


@pytest.mark.parametrize("preset", list(forest.PRESETS))
@pytest.mark.parametrize("filled", [[], ["outcome"]], ids=["outcome left missing", "outcome filled"])
def test_the_fast_loop_equals_the_kernel_bit_for_bit(preset, filled):
    # More than 256 rows, all types of variables, missing outcomes.
    data = study(rows=279)
    encoded = forest._encoded(data, ["ordinal"])
    targets = contract.visit_sequence(data.drop(columns={"outcome"} - set(filled)))
    fast = forest._chained_draws(encoded, targets, preset, 3, 5, 11, {})
    slow = chained_draws(encoded, targets, preset, 3, 5, 11)
    for ours, theirs in zip(fast, slow, strict=True):
        assert list(ours) == list(theirs) == targets
        for name in targets:
            expected = forest._numbers(theirs[name])
            assert ours[name].tobytes() == expected.tobytes()


def test_the_fast_loop_equals_the_kernel_with_a_rare_level_and_a_perfect_predictor():
    data = rare_binary().assign(constant=1.0)
    data["perfect"] = (data["rare"] == "yes").astype(float)
    encoded = forest._encoded(data, [])
    targets = contract.visit_sequence(data)
    fast = forest._chained_draws(encoded, targets, "stumps", 2, 1, 4, {})
    for ours, theirs in zip(fast, chained_draws(encoded, targets, "stumps", 2, 1, 4), strict=True):
        for name in targets:
            assert ours[name].tobytes() == forest._numbers(theirs[name]).tobytes()

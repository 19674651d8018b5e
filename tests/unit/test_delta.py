"""The shift of imputed values: its size, its direction, its bounds, and a shift of 0 that changes nothing."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from test_forest import digest, impute, study

from esmi.errors import ResearchError
from esmi.imputation.delta import Delta, shift_levels, shift_scores


def levels(shift, size=1000, seed=4):
    """Draws from known probabilities, and the same draws shifted."""
    generator = np.random.RandomState(seed)
    probability = generator.beta(0.7, 1.5, size=size)
    yes = generator.random_sample(size) < probability
    return yes, probability, shift_levels(yes, probability, Delta("logit", shift), np.random.RandomState(seed + 1))


def test_scores_are_shifted_and_kept_within_bounds():
    draws = np.array([25.0, 40.0, 120.0])
    assert list(shift_scores(draws, Delta("score", 10.0))) == [35, 50, 130]
    assert list(shift_scores(draws, Delta("score", 10.0, 25, 125))) == [35, 50, 125]
    assert list(shift_scores(draws, Delta("score", -10.0, low=25))) == [25, 30, 110]
    assert list(draws) == [25, 40, 120]


def test_a_shift_of_zero_changes_no_byte():
    # Negative zero and a value out of bounds show that nothing is computed.
    draws = np.array([-0.0, 0.1, 300.0])
    assert shift_scores(draws, Delta("score", 0.0, 0, 100)).tobytes() == draws.tobytes()
    yes, _, shifted = levels(0.0)
    assert np.array_equal(shifted, yes)


def test_more_shift_never_means_fewer_yes():
    shifted = [levels(shift)[2] for shift in (-20, -3, -1, -0.2)]
    shifted += [levels(0.0)[2]]
    shifted += [levels(shift)[2] for shift in (0.2, 1, 3, 20)]
    for fewer, more in pairwise(shifted):
        assert (fewer <= more).all()
        assert fewer.sum() < more.sum()


@pytest.mark.parametrize("shift", [-2.0, -0.5, 0.5, 2.0])
def test_the_prevalence_is_that_of_the_shifted_log_odds(shift):
    size = 200_000
    _, probability, shifted = levels(shift, size)
    expected = expit(logit(probability) + shift)
    error = np.sqrt(np.mean(expected * (1 - expected)) / size)
    assert shifted.mean() == pytest.approx(expected.mean(), abs=4 * error)
    # And for the likely and the unlikely alone.
    likely = probability > 0.5
    for part in (likely, ~likely):
        assert shifted[part].mean() == pytest.approx(expected[part].mean(), abs=0.01)


@pytest.mark.parametrize(("shift", "share"), [(1.0, 1 - np.exp(-1)), (-1.0, 0.0)])
def test_a_no_against_a_certain_yes(shift, share):
    # The donor of a draw may contradict a prediction of 1: the limit of (p' - p) / (1 - p) as p goes to 1.
    no, certain = np.zeros(100_000, dtype=bool), np.ones(100_000)
    with np.errstate(all="raise"):
        shifted = shift_levels(no, certain, Delta("logit", shift), np.random.RandomState(1))
    assert shifted.mean() == pytest.approx(share, abs=0.007)


def test_a_level_that_is_impossible_stays_so():
    no, impossible = np.zeros(50, dtype=bool), np.zeros(50)
    assert not shift_levels(no, impossible, Delta("logit", 20.0), np.random.RandomState(1)).any()


@pytest.mark.parametrize("shift", [-1.0, 0.0, 1.0])
def test_the_generator_moves_on_alike_for_every_shift(shift):
    generator = np.random.RandomState(9)
    shift_levels(np.array([True, False]), np.array([0.3, 0.6]), Delta("logit", shift), generator)
    assert generator.random_sample() == np.random.RandomState(9).random_sample(3)[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("odds", 1.0), "scale of a delta is 'odds'"),
        (("score", float("nan")), "is nan: make it a finite number"),
        (("logit", 25.0), "25.0 log-odds: give one between -20 and 20"),
        (("score", 1.0, 5, 5), "bounds of a delta are 5 and 5"),
    ],
)
def test_deltas_that_cannot_be_applied_are_refused(arguments, message):
    with pytest.raises(ResearchError, match=message):
        Delta(*arguments)


# Inside the chain of the forest


@pytest.mark.parametrize("deltas", [{"score": Delta("score", 0.0, 0, 100)}, {"binary": Delta("logit", 0.0)}])
def test_a_shift_of_zero_changes_no_byte_of_the_forest(deltas):
    assert digest(*impute(study(), deltas=deltas)) == digest(*impute(study()))


def test_a_shifted_score_is_a_donor_plus_the_shift_within_bounds():
    data = study()
    missing = data["score"].isna()
    completed, trace = impute(data, deltas={"score": Delta("score", 5.0, 0, 70)})
    drawn = completed.loc[missing, "score"]
    assert set(drawn) <= set(np.minimum(data["score"].dropna() + 5, 70))
    assert not set(drawn) <= set(data["score"].dropna())
    pd.testing.assert_series_equal(completed.loc[~missing, "score"], data.loc[~missing, "score"])
    last = trace[(trace["iteration"] == 2) & (trace["variable"] == "score")].set_index("statistic")["value"]
    assert last["mean"] == pytest.approx(drawn.mean())


def test_other_variables_are_imputed_given_the_shifted_values():
    data = study()
    plain, shifted = impute(data)[0], impute(data, deltas={"score": Delta("score", -30.0)})[0]
    assert not shifted["age"].equals(plain["age"])


def test_the_prevalence_of_a_shifted_binary_variable_is_that_of_the_shifted_log_odds():
    # With nothing to predict from, the probability in each imputation is near the observed share, .30.
    generator = np.random.default_rng(4)
    data = pd.DataFrame({"noise": generator.normal(size=600), "binary": np.tile([0, 0, 1, 0, 1, 0, 0, 1, 0, 0], 60)})
    data["binary"] = pd.Categorical.from_codes(data["binary"], ["no", "yes"], ordered=True)
    data.loc[:299, "binary"] = np.nan

    def share(shift):
        deltas = {"binary": Delta("logit", shift)}
        settings = {"never_filled": [], "ordinal": [], "iterations": 1, "deltas": deltas}
        sets = [impute(data, imputation=number, **settings)[0] for number in range(20)]
        return np.mean([(completed.loc[:299, "binary"] == "yes").mean() for completed in sets])

    shares = [share(shift) for shift in (-1.0, 0.0, 1.0)]
    expected = [0.3 / (0.3 + 0.7 * np.exp(-shift)) for shift in (-1.0, 0.0, 1.0)]
    assert shares == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize(
    ("name", "delta", "message"),
    [
        ("scor", Delta("score", 1.0), "scor: a delta is given for it, but it is not in the data"),
        ("score", Delta("logit", 1.0), "score: its delta is on the logit scale: a number needs score"),
        ("binary", Delta("score", 1.0), "binary: its delta is on the score scale: a binary variable needs logit"),
        ("ordinal", Delta("score", 1.0), "ordinal: a delta is for numbers and binary variables"),
        ("outcome", Delta("logit", 1.0), "outcome: a delta is given for it, but it stays missing"),
    ],
)
def test_deltas_that_would_do_nothing_or_nonsense_are_refused(name, delta, message):
    with pytest.raises(ResearchError, match=message):
        impute(study(), deltas={name: delta})

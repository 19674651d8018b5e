"""The conditional models of the parametric engine, and the predictors they are given."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.discrete.discrete_model import MNLogit
from statsmodels.miscmodels.ordinal_model import OrderedModel

from esmi.imputation import conditional, predictors

# The models


@pytest.mark.parametrize("method", ["multinomial", "multinomial of two levels", "proportional_odds", "matching"])
def test_means_of_imputed_values_vary_as_if_the_parameters_were_estimated(method):
    # 60 observed, 600 missing, the predictor with the same mean in both: the mean of the imputed values varies with
    # variance s2 (1 / 60 + 1 / 600), of which a model that took its estimates for the truth would show a tenth.
    # Over 2,000 imputations the ratios were .89 to 1.00, by matching .77, for 60 donors have no tails.
    generator = np.random.default_rng(11)
    x = generator.normal(size=660)
    x[:60] -= x[:60].mean()
    x[60:] -= x[60:].mean()
    rows, state = np.column_stack([np.ones(660), x]), np.random.RandomState(1)
    if method == "matching":
        # The uncertainty moves the wanted predictions, which tells only where the predictions of the donors differ.
        numbers = 1.5 * x[:60] + generator.normal(size=60)
        residuals = numbers - np.polyval(np.polyfit(x[:60], numbers, 1), x[:60])
        means = [
            conditional.predictive_mean_matching(numbers, rows[:60], rows[60:], 5, state).mean() for _ in range(400)
        ]
    else:
        levels = np.arange(60) % (2 if "two" in method else 4)
        residuals = levels == 1
        model = getattr(conditional, method.split()[0])
        means = [(model(levels, rows[:60], rows[60:], state)[0] == 1).mean() for _ in range(400)]
    ratio = np.var(means, ddof=1) / (residuals.var() * (1 / 60 + 1 / 600))
    assert (0.6 if method == "matching" else 0.75) < ratio < 1.25


@pytest.mark.parametrize("method", ["multinomial", "proportional_odds"])
def test_parameters_are_drawn_around_the_maximum_with_its_covariance(monkeypatch, method):
    generator = np.random.default_rng(2)
    x = np.column_stack([np.ones(300), generator.normal(size=(300, 2))])
    levels = np.digitize(x @ [0, 1, -0.5] + generator.logistic(size=300), [-1, 1])
    drawn = []
    keep = conditional._drawn_parameters
    monkeypatch.setattr(conditional, "_drawn_parameters", lambda *given: drawn.append(keep(*given)) or drawn[-1])
    state = np.random.RandomState(1)
    for _ in range(400):
        getattr(conditional, method)(levels, x, x, state)
    parameters = np.array([parameters for parameters, _ in drawn])
    if method == "multinomial":
        fit = MNLogit(levels, x).fit(disp=False)
        estimate, covariance = fit.params.T.ravel(), fit.cov_params()
    else:
        fit = OrderedModel(levels, x[:, 1:], distr="logit").fit(method="newton", disp=False)
        # The thresholds have other parameters there: the slopes and their covariance are the same.
        parameters = parameters[:, 2:]
        estimate, covariance = fit.params[:2], fit.cov_params()[:2, :2]
    error = (parameters.mean(axis=0) - estimate) / np.sqrt(np.diag(covariance) / 400)
    assert np.abs(error).max() < 3.5
    # Over directions of unit variance: each variance is 1 within its Monte Carlo error of 7%.
    whitened = np.linalg.solve(np.linalg.cholesky(covariance), (parameters - estimate).T)
    assert np.abs(np.cov(whitened) - np.eye(len(whitened))).max() < 0.25


def test_probabilities_are_never_negative_though_thresholds_are_drawn_out_of_order():
    levels = np.repeat([0, 1, 2], [30, 1, 29])
    x, state = np.column_stack([np.ones(60), np.linspace(-1, 1, 60)]), np.random.RandomState(1)
    probabilities = [conditional.proportional_odds(levels, x, x, state)[1] for _ in range(200)]
    assert np.min(probabilities) == 0
    np.testing.assert_allclose(np.sum(probabilities, axis=2), 1)


# Matching


def test_donors_are_the_nearest_and_each_as_likely():
    of_donors = np.array([0.0, 10.0, 1.0, 11.0, 2.0, 30.0])
    wanted = np.repeat([-5.0, 10.4, 99.0], 3000)
    chosen = conditional._matched(of_donors, wanted, 3, np.random.RandomState(1)).reshape(3, 3000)
    for position, expected in enumerate([{0, 2, 4}, {1, 3, 4}, {1, 3, 5}]):
        donors, counts = np.unique(chosen[position], return_counts=True)
        assert set(donors) == expected
        assert counts.min() > 850


def test_every_draw_breaks_ties_for_itself():
    of_donors = np.array([1.0, *[2.0] * 50, 3.0])
    chosen = conditional._matched(of_donors, np.full(6000, 2.0), 5, np.random.RandomState(1))
    assert set(chosen) == set(range(1, 51))
    # With 50 ties for one place after the two nearest, the two have two thirds of the draws.
    few = conditional._matched(np.array([1.9, *[2.2] * 50, 2.0]), np.full(6000, 2.0), 3, np.random.RandomState(1))
    assert np.isin(few, [0, 51]).mean() == pytest.approx(2 / 3, abs=0.03)
    assert len(set(few)) == 52


# Perfect prediction, predictors without news


def test_pseudo_observations_weigh_one_more_than_there_are_predictors_and_shift_no_mean():
    x = np.column_stack([np.ones(50), np.random.default_rng(1).normal(size=(50, 3))])
    levels, rows, weights = conditional.augmented(np.arange(50) % 3, x)
    assert len(levels) == len(rows) == len(weights) == 50 + 2 * 3 * 3
    assert weights[50:].sum() == pytest.approx(4)
    assert np.bincount(levels[50:]).tolist() == [6, 6, 6]
    assert rows[50:].mean(axis=0) == pytest.approx(x.mean(axis=0))
    assert np.ptp(rows[50:, 2]) == pytest.approx(2 * x[:, 2].std())


def test_independence_is_judged_in_the_order_of_the_columns():
    generator = np.random.default_rng(1)
    x = generator.normal(size=(100, 4))
    x = np.column_stack([x[:, :2], x[:, 0] + x[:, 1], x[:, 2], x[:, 2] - 5 * x[:, 0], x[:, 3], 1e-9 * x[:, 3]])
    kept, events = predictors.informative(x, list("abcdefg"))
    assert kept.tolist() == [0, 1, 3, 5]
    assert [detail for _, detail in events] == [f"collinear predictor {name}" for name in "ceg"]
    # Nearly the same, but not quite: variance inflation of about 10,000 is borne.
    near = np.column_stack([x[:, 0], x[:, 0] + 0.01 * x[:, 1]])
    assert predictors.informative(near, ["a", "b"])[0].tolist() == [0, 1]


# Products


def categorical(codes, levels):
    return pd.Categorical.from_codes(np.asarray(codes, dtype=int), levels, ordered=True)


def test_products_follow_the_analysis_models():
    pairs = [("b", "a"), ("c", "d")]
    assert predictors.products_for("x", pairs, ["y"]) == [("a", "b"), ("c", "d")]
    assert predictors.products_for("a", pairs, ["y", "z"]) == [("b", "y"), ("b", "z"), ("c", "d")]
    assert predictors.products_for("y", pairs, ["y"]) == [("a", "b"), ("c", "d")]
    assert predictors.products_for("d", pairs, []) == [("a", "b")]


def test_products_of_categoricals_have_a_column_per_pair_of_levels():
    generator = np.random.default_rng(1)
    data = pd.DataFrame({"n": generator.normal(size=40), "k": categorical(np.arange(40) % 3, list("abc"))})
    variables = [predictors.encoded(data[name]) for name in ("k", "n")]
    blocks = {variable.name: predictors.block(variable, variable.numbers) for variable in variables}
    matrix, names = predictors.assembled(variables, blocks, [("k", "n")])
    assert names == ["k[b]", "k[c]", "n", "k[b]:n", "k[c]:n"]
    np.testing.assert_allclose(matrix[:, 3], (data["k"] == "b") * matrix[:, 2])
    assert matrix[:, 2].mean() == pytest.approx(0)

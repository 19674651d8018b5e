"""Firth's penalised likelihood: closed forms, invariance, and the reasons for having no estimates."""

import numpy as np
import pandas as pd
import pytest

from esmi import firth, logistic


def two_by_two(a, b, c, d):
    """a events and b non-events where x is 1, c events and d non-events where x is 0."""
    y = np.repeat([1.0, 0.0, 1.0, 0.0], [a, b, c, d])
    x = np.repeat([1.0, 1.0, 0.0, 0.0], [a, b, c, d])
    return y, pd.DataFrame({"(Intercept)": 1.0, "x[yes]": x})


@pytest.mark.parametrize("counts", [(12, 18, 30, 90), (0, 9, 30, 90), (7, 0, 0, 9)])
def test_two_by_two_table_is_half_an_observation_more_in_each_cell(counts):
    # Jeffreys' prior of a saturated table [Firth 1993, section 3.3].
    fitted = firth.fit(*two_by_two(*counts))
    a, b, c, d = np.array(counts) + 0.5
    assert fitted.converged
    np.testing.assert_allclose(fitted.estimates, [np.log(c / d), np.log(a * d / (b * c))], rtol=0, atol=1e-8)
    # The information at those probabilities, of the rows that there are.
    events, others = (counts[0] + counts[1]) * a * b / (a + b) ** 2, (counts[2] + counts[3]) * c * d / (c + d) ** 2
    expected = [[1 / others, -1 / others], [-1 / others, 1 / others + 1 / events]]
    np.testing.assert_allclose(fitted.covariance, expected, rtol=1e-7)
    p, q = a / (a + b), c / (c + d)
    log_likelihood = np.dot(counts, np.log([p, 1 - p, q, 1 - q]))
    assert fitted.log_likelihood == pytest.approx(log_likelihood, abs=1e-8)
    assert (fitted.n, fitted.events, fitted.df_resid) == (sum(counts), counts[0] + counts[2], sum(counts) - 2)


def simulated(n=279, p=15, seed=20260101):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    x[:, 0] = 1.0
    y = (rng.random(n) < 1 / (1 + np.exp(-x[:, 1] + 1.5))).astype(float)
    return y, pd.DataFrame(x, columns=["(Intercept)", *(f"x{j}" for j in range(1, p))])


def test_modified_score_is_zero():
    y, matrix = simulated()
    x, fitted = matrix.to_numpy(), firth.fit(y, matrix)
    p = 1 / (1 + np.exp(-x @ fitted.estimates))
    root = x * np.sqrt(p * (1 - p))[:, None]
    leverage = np.einsum("ij,jk,ik->i", root, np.linalg.inv(root.T @ root), root)
    np.testing.assert_allclose(x.T @ (y - p + leverage * (0.5 - p)), 0, atol=1e-7)
    np.testing.assert_allclose(fitted.covariance @ (root.T @ root), np.eye(15), atol=1e-10)


def test_units_of_a_covariate_do_not_matter():
    y, matrix = simulated()
    scaled = matrix.assign(x1=matrix["x1"] * 1e6 + 3e6, x2=matrix["x2"] * 1e-5)
    plain, other = firth.fit(y, matrix), firth.fit(y, scaled)
    np.testing.assert_allclose(other.estimates[1:3] * [1e6, 1e-5], plain.estimates[1:3], rtol=0, atol=1e-8)
    np.testing.assert_allclose(other.estimates[3:], plain.estimates[3:], rtol=0, atol=1e-8)


def test_complete_separation_has_finite_estimates_where_maximum_likelihood_has_none():
    y, matrix = simulated(n=80, p=5)
    matrix["x2"] = np.where(y == 1, 1, -1) * (0.1 + np.abs(matrix["x2"]))
    assert not logistic.fit(y, matrix).converged
    fitted = firth.fit(y, matrix)
    assert fitted.converged
    assert np.isfinite(fitted.estimates).all()
    assert (np.diag(fitted.covariance) > 0).all()


def test_halved_steps_where_full_ones_fail(monkeypatch):
    y, matrix = simulated()
    full = firth.fit(y, matrix).estimates
    monkeypatch.setattr(firth, "ATTEMPTS", firth.ATTEMPTS[1:])
    halved = firth.fit(y, matrix).estimates
    np.testing.assert_allclose(halved, full, rtol=0, atol=1e-6)
    monkeypatch.setattr(firth, "ATTEMPTS", [(0, 0.0), *firth.ATTEMPTS])
    np.testing.assert_array_equal(firth.fit(y, matrix).estimates, halved)


@pytest.mark.filterwarnings("error")
class TestNoEstimates:
    @pytest.mark.parametrize(("value", "found"), [(0.0, "no"), (1.0, "only")])
    def test_outcome_that_does_not_vary(self, value, found):
        fitted = firth.fit(np.full(6, value), pd.DataFrame({"(Intercept)": 1.0, "x": np.arange(6.0)}))
        assert fitted.reason == f"{found} events among 6 rows"
        assert np.isnan(fitted.estimates).all()

    def test_singular_matrix(self):
        y, matrix = simulated()
        fitted = firth.fit(y, matrix.assign(total=matrix["x1"] + matrix["x2"]))
        assert fitted.reason == "singular: each is a linear combination of the others: x1, x2, total"

    def test_no_convergence(self, monkeypatch):
        monkeypatch.setattr(firth, "MAX_STEPS", 2)
        fitted = firth.fit(*simulated())
        assert fitted.reason == "Firth's penalised likelihood did not converge"
        assert not fitted.converged

    def test_missing_values_are_a_defect(self):
        with pytest.raises(ValueError, match="complete covariates"):
            firth.fit(np.array([1.0, 0.0]), pd.DataFrame({"(Intercept)": 1.0, "x": [1.0, np.nan]}))

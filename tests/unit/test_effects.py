"""Average marginal effects and predicted probabilities, by hand and by repeated refitting of small tables."""

import numpy as np
import pandas as pd
import pytest

from esmi import design, logistic
from esmi.effects import effects


def yes_no(values):
    return pd.Categorical(np.where(values, "yes", "no"), ["no", "yes"], ordered=True)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(20260301)
    table = pd.DataFrame({"age": rng.normal(30, 6, 240), "pd": yes_no(rng.random(240) < 0.3)})
    race = np.array(["white", "black", "other"])[rng.integers(0, 3, 240)]
    table["race"] = pd.Categorical(race, ["white", "black", "other"], ordered=True)
    log_odds = (table["age"] - 30) / 8 + (table["pd"] == "yes") - 0.5
    return table.assign(t1=yes_no(rng.random(240) < 1 / (1 + np.exp(-log_odds))))


def fitted(data, terms):
    return logistic.fit(design.events_of(data, "t1"), design.model_matrix(data, terms))


def row(table, variable, kind, level):
    found = table[(table["variable"] == variable) & (table["kind"] == kind) & (table["level"] == level)]
    assert len(found) == 1
    return found.iloc[0]


def test_rows_and_columns(data):
    terms = ["age", "race", {"interaction": ["age", "race"]}]
    fit = fitted(data, terms)
    table = effects(fit, data, terms, {"age": [20, 32.5]})
    assert list(table.columns) == [
        *("variable", "level", "value", "kind", "estimate", "variance", "scale", "df_resid", "n", "events", "reason")
    ]
    assert list(zip(table["variable"], table["kind"], table["level"], table["scale"], strict=True)) == [
        ("age", "ame", "derivative", "identity"),
        ("age", "probability", "20", "logit"),
        ("age", "probability", "32.5", "logit"),
        ("race", "ame", "black", "identity"),
        ("race", "ame", "other", "identity"),
        ("race", "probability", "white", "logit"),
        ("race", "probability", "black", "logit"),
        ("race", "probability", "other", "logit"),
    ]
    np.testing.assert_array_equal(table["value"], [np.nan, 20, 32.5] + [np.nan] * 5)
    assert set(table["df_resid"]) == {234}
    assert set(table["n"]) == {240}
    assert set(table["events"]) == {fit.events}


def test_one_yes_no_variable_gives_the_risk_difference(data):
    # A saturated model: probabilities are proportions, with binomial variances.
    table = effects(fitted(data, ["pd"]), data, ["pd"], {})
    counts = pd.crosstab(data["pd"], data["t1"])
    n = counts.sum(axis=1)
    p = counts["yes"] / n
    variance = p * (1 - p) / n
    ame = row(table, "pd", "ame", "yes")
    assert ame["estimate"] == pytest.approx(p["yes"] - p["no"], abs=1e-10)
    assert ame["variance"] == pytest.approx(variance.sum(), rel=1e-8)
    for level in ("no", "yes"):
        probability = row(table, "pd", "probability", level)
        assert probability["estimate"] == pytest.approx(np.log(p[level] / (1 - p[level])), abs=1e-10)
        assert probability["variance"] == pytest.approx(1 / (n[level] * p[level] * (1 - p[level])), rel=1e-8)


def test_derivative_of_a_linear_term_in_closed_form(data):
    fit = fitted(data, ["age", "pd"])
    x = design.model_matrix(data, ["age", "pd"]).to_numpy()
    p = 1 / (1 + np.exp(-x @ fit.estimates))
    b, density = fit.estimates[1], p * (1 - p)
    gradient = (x * (b * density * (1 - 2 * p))[:, None]).mean(axis=0) + density.mean() * np.array([0, 1, 0])
    ame = row(effects(fit, data, ["age", "pd"], {"age": [30]}), "age", "ame", "derivative")
    assert ame["estimate"] == pytest.approx(b * density.mean(), rel=1e-9)
    assert ame["variance"] == pytest.approx(gradient @ fit.covariance @ gradient, rel=1e-9)


def test_a_small_unit_tends_to_the_derivative(data):
    terms = [{"spline": "age", "knots": [22, 30, 38]}, "pd", {"interaction": ["age", "pd"]}]
    fit = fitted(data, terms)
    derivative = row(effects(fit, data, terms, {"age": [30]}), "age", "ame", "derivative")
    unit = row(effects(fit, data, terms, {"age": [30]}, {"age": 1e-5}), "age", "ame", "+1e-05")
    assert unit["estimate"] / 1e-5 == pytest.approx(derivative["estimate"], rel=1e-4)
    assert unit["variance"] / 1e-10 == pytest.approx(derivative["variance"], rel=1e-4)


def test_the_interaction_follows_its_variable(data):
    terms = ["age", "pd", {"interaction": ["age", "pd"]}]
    fit = fitted(data, terms)
    intercept, age, pd_yes, product = fit.estimates
    log_odds = intercept + pd_yes + (age + product) * data["age"]
    expected = (1 / (1 + np.exp(-log_odds))).mean()
    found = row(effects(fit, data, terms, {"age": [30]}), "pd", "probability", "yes")
    assert found["estimate"] == pytest.approx(np.log(expected / (1 - expected)), abs=1e-12)


def test_a_fit_without_estimates_keeps_its_rows(data):
    separated = data.assign(pd=yes_no((data["t1"] == "no") & (data.index < 60)))
    terms = ["age", "pd"]
    table = effects(fitted(separated, terms), separated, terms, {"age": [30]})
    assert len(table) == 5
    assert table[["estimate", "variance"]].isna().all(axis=None)
    assert set(table["reason"]) == {"separation: no events where pd[yes]"}


def test_what_does_not_fit_together_is_a_defect(data):
    fit = fitted(data, ["age", "pd"])
    with pytest.raises(ValueError, match="the fit has the terms"):
        effects(fit, data, ["pd", "age"], {"age": [30]})
    with pytest.raises(ValueError, match="age needs values"):
        effects(fit, data, ["age", "pd"], {})
    with pytest.raises(ValueError, match="without missing covariates"):
        effects(fit, data.assign(age=data["age"].where(data.index > 0)), ["age", "pd"], {"age": [30]})

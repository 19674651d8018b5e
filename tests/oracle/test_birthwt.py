"""189 births (Hosmer & Lemeshow 1989; R package MASS), against what R 4.2.2 printed for them.

R computes `glm` standard errors from the weights of the step before its last one, by default (epsilon 1e-8)
one Newton step short of the estimates: they differ from the inverse information at the estimates, which is
what Stata prints and what is wanted, by up to 3e-5 here. `glm_of_r` follows R's algorithm step by step: stopped
where R stops it gives R's printed digits, run to the end it gives ours.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from esmi import comparison, logistic
from esmi.design import check_model, events_of, model_matrix

DATA = Path(__file__).parents[1] / "data"
TERMS = ["age", "lwt", "race", "smoke", "ptl", "ht", "ui"]

# R 4.2.2, glm(low ~ age + lwt + race + smoke + (ptl > 0) + ht + ui, family = binomial): estimate, standard error.
COMPLETE = {
    "(Intercept)": ("0.63691", "1.23028"),
    "age": ("-0.03775", "0.03781"),
    "lwt": ("-0.01491", "0.00704"),
    "race[black]": ("1.21274", "0.53248"),
    "race[other]": ("0.80412", "0.44843"),
    "smoke[yes]": ("0.84640", "0.40806"),
    "ptl[yes]": ("1.22175", "0.46301"),
    "ht[yes]": ("1.83869", "0.70324"),
    "ui[yes]": ("0.71113", "0.46311"),
}
# The same model in the 110 complete rows of the file with missing values; intercept and age were not reported.
COMPLETE_CASES = {
    "lwt": ("-0.02841", "0.01118"),
    "race[black]": ("2.15836", "0.80112"),
    "race[other]": ("1.38754", "0.68467"),
    "smoke[yes]": ("0.30088", "0.60200"),
    "ptl[yes]": ("0.84829", "0.68505"),
    "ht[yes]": ("2.68294", "1.04208"),
    "ui[yes]": ("0.68420", "0.65759"),
}


def recoded(raw: pd.DataFrame) -> pd.DataFrame:
    # Race 9 (not recorded) is no level, and Stata's .a arrives as the letter a.
    numbers = raw.apply(pd.to_numeric, errors="coerce")
    numbers["ptl"] = (numbers["ptl"] > 0).astype(float).where(numbers["ptl"].notna())
    data = numbers[["age", "lwt"]].copy()
    race = numbers["race"].map({1: "white", 2: "black", 3: "other"})
    data["race"] = pd.Categorical(race, ["white", "black", "other"], ordered=True)
    for variable in ["smoke", "ptl", "ht", "ui", "low"]:
        data[variable] = pd.Categorical(numbers[variable].map({0: "no", 1: "yes"}), ["no", "yes"], ordered=True)
    return data


@pytest.fixture(scope="module")
def births():
    return recoded(pyreadstat.read_sav(DATA / "birthwt.sav", user_missing=True)[0])


@pytest.fixture(scope="module")
def births_missing():
    return recoded(pyreadstat.read_dta(DATA / "birthwt_missing.dta", user_missing=True)[0])


def glm_of_r(y: np.ndarray, x: np.ndarray, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """Estimates and standard errors of R's glm.fit, binomial family, logit link."""
    mu = (y + 0.5) / 2
    eta = np.log(mu / (1 - mu))
    deviance = previous = np.inf
    for _ in range(25):
        weights = mu * (1 - mu)
        information = (x.T * weights) @ x
        estimates = np.linalg.solve(information, x.T @ (weights * eta + y - mu))
        eta = x @ estimates
        mu = 1 / (1 + np.exp(-eta))
        previous, deviance = deviance, -2 * np.log(np.where(y == 1, mu, 1 - mu)).sum()
        if abs(deviance - previous) / (abs(deviance) + 0.1) < epsilon:
            break
    return estimates, np.sqrt(np.diag(np.linalg.inv(information)))


def assert_as_r(data: pd.DataFrame, printed: dict[str, tuple[str, str]]) -> None:
    y, matrix = events_of(data, "low"), model_matrix(data, TERMS)
    fitted = logistic.fit(y, matrix)
    assert fitted.converged
    ours = dict(zip(fitted.terms, fitted.estimates, strict=True))
    assert {term: f"{ours[term]:.5f}" for term in printed} == {term: b for term, (b, _) in printed.items()}

    _, stopped = glm_of_r(y.to_numpy(), matrix.to_numpy(), epsilon=1e-8)
    by_term = dict(zip(fitted.terms, stopped, strict=True))
    assert {term: f"{by_term[term]:.5f}" for term in printed} == {term: se for term, (_, se) in printed.items()}

    estimates, std_errors = glm_of_r(y.to_numpy(), matrix.to_numpy(), epsilon=0)
    np.testing.assert_allclose(fitted.estimates, estimates, rtol=0, atol=1e-10)
    np.testing.assert_allclose(np.sqrt(np.diag(fitted.covariance)), std_errors, rtol=0, atol=1e-10)


def test_complete_data_as_printed_by_r(births):
    assert_as_r(births, COMPLETE)
    fitted = logistic.fit(events_of(births, "low"), model_matrix(births, TERMS))
    assert f"{fitted.log_likelihood:.5f}" == "-98.41685"
    assert (fitted.n, fitted.events, fitted.df_resid) == (189, 59, 180)


def test_complete_cases_as_printed_by_r(births_missing):
    complete = births_missing.dropna()
    assert len(complete) == 110
    assert_as_r(complete, COMPLETE_CASES)
    table = logistic.fit_complete_cases(births_missing, "low", TERMS, 0.95)
    assert set(table["n"]) == {110}
    adjusted = table[table["model_part"] == "adjusted"].set_index("term")["estimate"]
    assert {term: f"{adjusted[term]:.5f}" for term in COMPLETE_CASES} == {t: b for t, (b, _) in COMPLETE_CASES.items()}


def test_what_the_file_with_missing_values_offers_the_model(births_missing):
    row = check_model(births_missing, "primary", "low", TERMS).iloc[0]
    assert (row["n"], row["n_outcome_missing"], row["parameters"], row["complete_cases"]) == (188, 1, 8, 110)


def test_unadjusted_odds_ratios_by_hand(births):
    # Low weight in 30 of 74 births to smokers and 29 of 115 to others (Hosmer & Lemeshow 1989).
    fits = logistic.fit_model(births, "low", ["smoke"], parts=("unadjusted",)).set_index("term")
    assert fits.loc["smoke[yes]", "estimate"] == pytest.approx(np.log(30 * 86 / (44 * 29)), abs=1e-12)
    assert fits.loc["smoke[yes]", "std_error"] == pytest.approx(np.sqrt(1 / 30 + 1 / 44 + 1 / 29 + 1 / 86), abs=1e-12)


def test_chi_squared_by_hand(births):
    smoke = comparison.compare(births, "smoke", "low").iloc[0]
    assert smoke["statistic"] == pytest.approx(189 * (86 * 30 - 44 * 29) ** 2 / (130 * 59 * 115 * 74), rel=1e-12)
    race = comparison.compare(births, "race", "low").iloc[0]
    observed = np.array([[73, 15, 42], [23, 11, 25]])
    expected = np.outer([130, 59], [96, 26, 67]) / 189
    assert race["statistic"] == pytest.approx(((observed - expected) ** 2 / expected).sum(), rel=1e-12)
    # The upper tail of chi-squared with two degrees of freedom is exp(-x/2).
    assert race["p_value"] == pytest.approx(np.exp(-race["statistic"] / 2), rel=1e-12)
    assert race["smallest_expected"] == pytest.approx(59 * 26 / 189)

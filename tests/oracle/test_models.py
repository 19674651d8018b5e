"""Firth's method, clusters, splines, interactions and effects, against the numbers of models.R."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from oracle.test_birthwt import DATA, TERMS, recoded
from statsmodels.discrete.discrete_model import Logit

from esmi import design, firth, logistic
from esmi.effects import effects
from esmi.estimates import Fit

NUMBERS = pd.read_csv(Path(__file__).with_name("models.csv"))
YES_NO = ["smoke", "ptl", "ht", "ui", "rare"]


@pytest.fixture(scope="module")
def births():
    return recoded(pyreadstat.read_sav(DATA / "birthwt.sav", user_missing=True)[0])


@pytest.fixture(scope="module")
def complete_cases():
    return recoded(pyreadstat.read_dta(DATA / "birthwt_missing.dta", user_missing=True)[0]).dropna()


@pytest.fixture(scope="module")
def separated(births):
    rare = np.where((births["low"] == "no") & (births["ui"] == "yes"), "yes", "no")
    return births.assign(rare=pd.Categorical(rare, ["no", "yes"], ordered=True))


def numbers(case: str, quantity: str) -> pd.Series:
    found = NUMBERS[(NUMBERS["case"] == case) & (NUMBERS["quantity"] == quantity)]
    return found.set_index("name")["value"]


def our_name(of_r: str) -> str:
    name = re.sub(r"^race(\w+)", r"race[\1]", of_r)
    return ":".join(f"{part}[yes]" if part in YES_NO else part for part in name.split(":"))


def assert_as_r(fitted: Fit, case: str, tolerance: float) -> None:
    estimates = numbers(case, "estimate")
    places = [fitted.terms.index(our_name(name)) for name in estimates.index]
    assert sorted(places) == list(range(len(fitted.terms)))
    np.testing.assert_allclose(fitted.estimates[places], estimates, rtol=0, atol=tolerance)
    covariance = numbers(case, "covariance").to_numpy().reshape(len(places), len(places))
    np.testing.assert_allclose(fitted.covariance[np.ix_(places, places)], covariance, rtol=tolerance, atol=tolerance)


def fitted(data: pd.DataFrame, terms: list, fitter=logistic.fit, **further) -> Fit:
    return fitter(design.events_of(data, "low"), design.model_matrix(data, terms), **further)


class TestFirth:
    def test_all_births(self, births):
        assert_as_r(fitted(births, TERMS, firth.fit), "firth", 1e-8)

    def test_complete_cases(self, complete_cases):
        assert_as_r(fitted(complete_cases, TERMS, firth.fit), "firth complete cases", 1e-8)

    def test_a_level_without_events(self, separated):
        terms = [*TERMS, "rare"]
        assert fitted(separated, terms).reason == "separation: no events where rare[yes]"
        assert_as_r(fitted(separated, terms, firth.fit), "firth separated", 1e-6)


def test_covariance_robust_to_clusters(births):
    robust = fitted(births, TERMS, clusters=np.arange(189) % 21)
    assert_as_r(robust, "cluster", 1e-8)
    assert robust.df_resid == 20


class TestSplines:
    @pytest.mark.parametrize("number", [3, 4, 5, 6, 7])
    def test_knots_at_harrells_quantiles(self, births, number):
        (term,) = design.resolve_knots(births, [{"spline": "lwt", "knots": number}])
        np.testing.assert_allclose(term["knots"], numbers("knots lwt", "knots")[str(number)], rtol=1e-12)

    def test_outer_knots_with_fewer_than_a_hundred_values(self, births):
        (term,) = design.resolve_knots(births[:60], [{"spline": "lwt", "knots": 4}])
        np.testing.assert_allclose(term["knots"], numbers("knots of the first 60 births", "knots"), rtol=1e-12)

    def test_columns(self):
        ages = pd.DataFrame({"age": [14.0, 18.0, 23.0, 30.0, 45.0]})
        knots = numbers("knots age", "knots").tolist()
        matrix = design.model_matrix(ages, [{"spline": "age", "knots": knots}])
        expected = numbers("basis", "column").to_numpy().reshape(3, 5).T
        np.testing.assert_allclose(matrix[["age", "age'", "age''"]], expected, rtol=0, atol=1e-12)

    def test_fit_with_a_product(self, births):
        assert_as_r(fitted(births, curved(births)), "curved", 1e-7)

    def test_products_with_every_column_of_a_spline(self, births):
        terms = [{"spline": "age", "knots": 4}, "smoke", {"interaction": ["age", "smoke"]}, "lwt"]
        assert_as_r(fitted(births, design.resolve_knots(births, terms)), "curved by level", 1e-6)


def curved(births: pd.DataFrame) -> list:
    terms = [{"spline": "age", "knots": 4}, "lwt", "race", "smoke", {"interaction": ["lwt", "smoke"]}]
    return design.resolve_knots(births, terms)


class TestEffects:
    GRID = {"lwt": [100, 130], "age": [18, 35]}

    def test_effects_and_probabilities_of_a_curved_model(self, births):
        terms = curved(births)
        tables = [effects(fitted(births, terms), births, terms, self.GRID, units) for units in ({}, {"lwt": 10.0})]
        table = pd.concat(tables).assign(name=lambda t: t["kind"] + " " + t["variable"] + " " + t["level"])
        table = table.drop_duplicates("name").set_index("name")
        estimates = numbers("effects", "estimate")
        # "smoke no" and "smoke yes" probabilities alone are not among R's.
        assert set(table.index) - set(estimates.index) == {"probability smoke no", "probability smoke yes"}
        ours = table.loc[estimates.index]
        np.testing.assert_allclose(ours["estimate"], estimates, rtol=1e-7)
        np.testing.assert_allclose(ours["variance"], numbers("effects", "variance"), rtol=1e-6)

    def test_as_statsmodels_for_numbers_and_two_levels(self, births):
        terms = ["age", "lwt", "smoke", "ht"]
        y, matrix = design.events_of(births, "low"), design.model_matrix(births, terms)
        margins = Logit(y, matrix).fit(disp=0, tol=1e-12).get_margeff(dummy=True)
        ame = effects(logistic.fit(y, matrix), births, terms, self.GRID).query("kind == 'ame'")
        assert list(ame["variable"]) == terms
        np.testing.assert_allclose(ame["estimate"], margins.margeff, rtol=1e-8)
        np.testing.assert_allclose(np.sqrt(ame["variance"]), margins.margeff_se, rtol=1e-7)

"""Joint tests of two coefficients over 20 imputations of mheart1s20 against R, and of print.

joint_tests.csv is the output of joint_tests.R, which names its versions: D1, D2 and D4 by mitml, D3 by its formula.
"""

from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from esmi import joint_tests, logistic
from esmi.joint_tests import d2, likelihood_tests

FOLDER = Path(__file__).parent
TERMS = ["smokes", "age", "bmi", "hsgrad", "female"]
COLUMNS = {"smokes": ["smokes"], "age and bmi": ["age", "bmi"], "hsgrad": ["hsgrad"], "female": ["female"]}
R = pd.read_csv(FOLDER / "joint_tests.csv", comment="#", index_col="method")
NUMBERS = ["F", "df1", "df2", "p_value", "riv"]


@pytest.fixture(scope="module")
def sets():
    data, _ = pyreadstat.read_dta(FOLDER.parent / "data" / "mheart1s20.dta")
    observed = data[data["_mi_m"] == 0].set_index("_mi_id")
    completed = []
    for number, imputed in data[data["_mi_m"] > 0].groupby("_mi_m"):
        complete = observed.copy()
        complete.update(imputed.set_index("_mi_id")[["bmi"]])
        attack = pd.Categorical.from_codes(complete["attack"].astype(int), ["no", "yes"], ordered=True)
        completed.append((int(number), complete.assign(attack=attack).reset_index(drop=True)))
    return completed


@pytest.fixture(scope="module")
def tests(sets):
    fits = pd.concat(
        [logistic.fit_model(data, "attack", TERMS, parts=("adjusted",)).assign(imputation=m) for m, data in sets]
    )
    by_likelihood = likelihood_tests(sets, "attack", TERMS, COLUMNS)
    return pd.concat([joint_tests.joint_tests(fits, COLUMNS), by_likelihood])


@pytest.mark.parametrize("method", ["D1", "D2", "D3", "D4"])
def test_two_coefficients_as_r_tests_them(tests, method):
    ours = tests[(tests["variable"] == "age and bmi") & (tests["method"] == method)].iloc[0]
    for name in NUMBERS:
        assert ours[name] == pytest.approx(R.loc[method, name], rel=1e-6), name


def test_d3_of_mice_is_near(tests):
    # mice refits with coefficients held fixed, and its own tests record that its D3 differs from other programs'.
    ours = tests[(tests["variable"] == "age and bmi") & (tests["method"] == "D3")].iloc[0]
    assert ours["F"] == pytest.approx(R.loc["D3_mice", "F"], rel=5e-3)


def test_the_whole_model_as_stata_tests_it(tests):
    # Stata 17 [MI] mi estimate: Model F test, Equal FMI: F(5, 71379.3) = 3.59, Prob > F = 0.0030.
    whole = tests[(tests["variable"] == "(all)") & (tests["method"] == "D1")].iloc[0]
    assert (f"{whole['F']:.2f}", f"{whole['df2']:.1f}", f"{whole['p_value']:.4f}") == ("3.59", "71379.3", "0.0030")


def test_all_methods_agree_on_the_whole_model(tests):
    whole = tests[tests["variable"] == "(all)"]
    assert sorted(whole["method"]) == ["D1", "D2", "D3", "D4"]
    assert whole["p_value"].between(0.0005, 0.005).all()


# mitml's documentation and miceadds::micombine.chisquare.
@pytest.mark.parametrize(
    ("statistics", "F", "df2"),
    [
        ([24.957, 18.051, 18.812, 17.362, 21.234, 18.615, 19.84], 4.4380, 482.06),
        ([2.25, 3.95, 6.24, 5.27, 2.81], 0.5928, 59.20),
    ],
)
def test_d2_of_printed_statistics(statistics, F, df2):
    test = d2(statistics, 4)
    assert (test.F, test.df2) == (pytest.approx(F, abs=6e-5), pytest.approx(df2, abs=6e-3))
    backwards = d2(statistics[::-1], 4)
    assert (backwards.F, backwards.df2) == (pytest.approx(test.F), pytest.approx(test.df2))

"""Heart attacks in 154 people, 20 imputations of bmi, pooled: against what Stata and R printed for them.

Stata: `mi estimate, mcerror: logit attack smokes age bmi hsgrad female` and the same with `vartable`, the example of
Stata's manual entry [MI] mi estimate. R: `pool(fit)`, `summary(pool(fit), conf.int = TRUE)` and `summary(mcerror(fit))`
of the packages mice and mice.mcerror (MIT licence, its README of May 2022), whose README prints both. Every number is
compared at the number of digits printed; MISSED lists the four that are not met.

R computes `glm` covariances from the weights of the step before its last one, so its digits are those of fits stopped
where R stops; Stata's are compared with fits run to convergence.
"""

from pathlib import Path

import numpy as np
import pyreadstat
import pytest
from statsmodels.discrete.discrete_model import Logit
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from esmi.pooling import Pooled, joint_test, monte_carlo_error, rubin

DATA = Path(__file__).parents[1] / "data" / "mheart1s20.dta"
TERMS = ["smokes", "age", "bmi", "hsgrad", "female", "_cons"]
DF_COMPLETE = 154 - len(TERMS)

# Coef., Std. Err., t, P>|t|, 95% Conf. Interval; beneath, their Monte Carlo errors.
STATA_COLUMNS = ["estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]
STATA = {
    "smokes": "1.198595 .3578195 3.35 0.001 .4972789 1.899911",
    "age": ".0360159 .0154399 2.33 0.020 .0057541 .0662776",
    "bmi": ".1039416 .0476136 2.18 0.029 .010514 .1973692",
    "hsgrad": ".1578992 .4049257 0.39 0.697 -.6357464 .9515449",
    "female": "-.1067433 .4164735 -0.26 0.798 -.9230191 .7095326",
    "_cons": "-5.478143 1.685075 -3.25 0.001 -8.782394 -2.173892",
}
STATA_ERRORS = {
    "smokes": ".0068541 .0008562 0.01 0.000 .0056572 .0082212",
    "age": ".0002654 .0000351 0.01 0.001 .0002319 .0003108",
    "bmi": ".0038014 .0008904 0.09 0.006 .0039928 .0044049",
    "hsgrad": ".0091517 .0010209 0.02 0.016 .0086215 .0100602",
    "female": ".0077566 .0009279 0.02 0.015 .006985 .0088408",
    "_cons": ".1079841 .0248274 0.07 0.000 .1310618 .1050817",
}
# Variance information: Within, Between, Total, RVI, FMI, Relative efficiency; beneath, their Monte Carlo errors.
VARIANCE_COLUMNS = ["within", "between", "total", "riv", "fmi", "efficiency"]
STATA_VARIANCES = {
    "smokes": ".127048 .00094 .128035 .007765 .007711 .999615",
    "age": ".000237 1.4e-06 .000238 .006245 .00621 .99969",
    "bmi": ".001964 .000289 .002267 .154545 .135487 .993271",
    "hsgrad": ".162206 .001675 .163965 .010843 .010739 .999463",
    "female": ".172187 .001203 .17345 .007338 .00729 .999636",
    "_cons": "2.5946 .233211 2.83948 .094377 .086953 .995671",
}
STATA_VARIANCE_ERRORS = {
    "smokes": ".000559 .000211 .000613 .001744 .00172 .00009",
    "age": "8.6e-07 4.6e-07 1.1e-06 .002054 .002033 .000107",
    "bmi": ".000026 .000077 .000085 .04134 .031986 .00166",
    "hsgrad": ".000521 .000552 .000827 .003579 .003516 .000185",
    "female": ".000614 .000297 .000773 .001811 .001788 .000094",
    "_cons": ".029651 .070081 .083436 .028332 .024216 .001263",
}
R_COLUMNS = ["estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high", "riv", "lambda_", "fmi"]
R = {
    "smokes": "1.19859490 0.35781943 3.3497199 144.8489 0.001031456 0.491373044 1.9058167"
    " 0.007765124 0.007705292 0.02112839",
    "age": "0.03601589 0.01543992 2.3326480 145.0907 0.021041181 0.005499680 0.0665321"
    " 0.006244670 0.006205916 0.01962734",
    "bmi": "0.10394161 0.04761362 2.1830229 113.0103 0.031102235 0.009610547 0.1982727"
    " 0.154545511 0.133858310 0.14879046",
    "hsgrad": "0.15789925 0.40492566 0.3899463 144.3469 0.697151071 -0.642450426 0.9582489"
    " 0.010843064 0.010726753 0.02415456",
    "female": "-0.10674329 0.41647344 -0.2563028 144.9173 0.798080548 -0.929890162 0.7164036"
    " 0.007337752 0.007284302 0.02070688",
    "_cons": "-5.47814267 1.68507424 -3.2509800 126.8211 0.001473199 -8.812645721 -2.1436396"
    " 0.094377437 0.086238472 0.10031571",
}
R_ERROR_COLUMNS = ["estimate", "std_error", "statistic", "df", "p_value", "riv", "lambda_", "fmi"]
R_ERRORS = {
    "smokes": "0.0068540746 0.0008562227 0.01391383 0.2809890 0.00004807809 0.001743612 0.001717197 0.001719479",
    "age": "0.0002654228 0.0000350775 0.01472704 0.3241435 0.00079508665 0.002054099 0.002030107 0.002032066",
    "bmi": "0.0038014054 0.0008904166 0.08508803 9.4563780 0.00635632037 0.041340237 0.031262521 0.031939611",
    "hsgrad": "0.0091516583 0.0010209042 0.02227213 0.5925768 0.01642837575 0.003579272 0.003508304 0.003514678",
    "female": "0.0077566042 0.0009278750 0.01893419 0.2898725 0.01458706658 0.001810954 0.001785572 0.001787732",
    "_cons": "0.1079841257 0.0248274274 0.06805349 6.7080984 0.00032722871 0.028332497 0.023832967 0.024191009",
}


def as_printed(value, printed):
    """`value` with as many digits as `printed` has, in its notation."""
    mantissa, _, exponent = printed.partition("e")
    digits = len(mantissa.split(".")[1])
    text = f"{value:{',' if ',' in printed else ''}.{digits}{'e' if exponent else 'f'}}"
    # Stata leaves out a leading zero.
    return text.replace("0.", ".", 1) if printed.lstrip("-").startswith(".") else text


def cells(table, columns):
    """(row of TERMS, column, printed number), one by one."""
    return [
        (TERMS.index(term), column, printed)
        for term, line in table.items()
        for column, printed in zip(columns, line.split(), strict=True)
    ]


def completed_data():
    """Covariates with a constant (154 x 6) and outcome of every imputation, from Stata's style mlong."""
    data, _ = pyreadstat.read_dta(DATA)
    original = data[data["_mi_m"] == 0].set_index("_mi_id").assign(_cons=1.0)
    for _, imputed in data[data["_mi_m"] > 0].groupby("_mi_m"):
        complete = original.copy()
        complete.update(imputed.set_index("_mi_id")[["bmi"]])
        yield complete[TERMS].to_numpy(), complete["attack"].to_numpy()


def converged_fit(x, y):
    return Logit(y, x).fit(method="newton", tol=1e-12, maxiter=50, disp=0)


def fit_of_r(x, y):
    # R stops at a relative change in deviance of 1e-8; statsmodels at an absolute one, and the deviance is about 180.
    return GLM(y, x, family=Binomial()).fit(tol=1.8e-6)


def fitted(fit):
    fits = [fit(x, y) for x, y in completed_data()]
    return np.array([f.params for f in fits]), np.array([f.cov_params() for f in fits])


@pytest.fixture(scope="module")
def stata_fits():
    return fitted(converged_fit)


@pytest.fixture(scope="module")
def r_fits():
    return fitted(fit_of_r)


def large_sample(estimates, covariances) -> Pooled:
    return rubin(estimates, covariances, DF_COMPLETE, "large-sample")


def barnard_rubin(estimates, covariances) -> Pooled:
    return rubin(estimates, covariances, DF_COMPLETE, "barnard-rubin")


def stata_table(estimates, covariances):
    pooled = large_sample(estimates, covariances)
    return np.column_stack([getattr(pooled, column) for column in STATA_COLUMNS])


def stata_variances(estimates, covariances):
    pooled = large_sample(estimates, covariances)
    efficiency = 1 / (1 + pooled.fmi / pooled.m)
    total = np.diag(pooled.covariance)
    return np.column_stack([pooled.ubar, pooled.b, total, pooled.riv, pooled.fmi, efficiency])


def r_table(estimates, covariances, columns=R_COLUMNS):
    pooled = barnard_rubin(estimates, covariances)
    return np.column_stack([getattr(pooled, column) for column in columns])


def misprints(values, table, columns):
    """The cells where our digits are not the printed ones."""
    return {
        (TERMS[row], column): f"{as_printed(values[row, columns.index(column)], printed)} for {printed}"
        for row, column, printed in cells(table, columns)
        if as_printed(values[row, columns.index(column)], printed) != printed
    }


# Four printed numbers are missed, by at most 1.3 parts in a million; Stata's fits are not known to that accuracy. The
# data are in single precision, and in another release than the printed output: rounding age and bmi afresh moves the
# largest df by up to 0.3 and the limit by up to 5e-9. Nor is it published where Stata starts and stops: two Newton
# steps from a linear regression give .1310618 and move the largest df by up to 0.6. Which it is cannot be told.
MISSED = {
    "average df": ("223,362.56", lambda q, u: large_sample(q, u).df.mean()),
    "largest df": ("493,335.88", lambda q, u: large_sample(q, u).df.max()),
    "upper limit of age": (".0662776", lambda q, u: large_sample(q, u).conf_high[TERMS.index("age")]),
    "Monte Carlo error of the lower limit of _cons": (
        ".1310618",
        lambda q, u: monte_carlo_error(lambda *left: large_sample(*left).conf_low[TERMS.index("_cons")], q, u),
    ),
}


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="beyond the accuracy to which Stata's fits are known")
@pytest.mark.parametrize("name", MISSED)
def test_missed_digits(name, stata_fits):
    printed, statistic = MISSED[name]
    assert as_printed(statistic(*stata_fits), printed) == printed


@pytest.mark.parametrize("name", MISSED)
def test_missed_digits_are_right_to_parts_in_a_million(name, stata_fits):
    printed, statistic = MISSED[name]
    half_unit = 0.5 * 10.0 ** -len(printed.split(".")[1])
    value = statistic(*stata_fits)
    assert abs(value - float(printed.replace(",", ""))) < half_unit + 1.5e-6 * value


def test_the_data_are_twenty_imputations_of_154_people():
    sets = list(completed_data())
    assert len(sets) == 20
    assert all(x.shape == (154, 6) and np.isfinite(x).all() for x, _ in sets)


def test_stata_table(stata_fits):
    found = misprints(stata_table(*stata_fits), STATA, STATA_COLUMNS)
    assert set(found) == {("age", "conf_high")}, found  # see MISSED


def test_stata_monte_carlo_errors(stata_fits):
    found = misprints(monte_carlo_error(stata_table, *stata_fits), STATA_ERRORS, STATA_COLUMNS)
    assert set(found) == {("_cons", "conf_low")}, found  # see MISSED


def test_stata_variance_table(stata_fits):
    assert misprints(stata_variances(*stata_fits), STATA_VARIANCES, VARIANCE_COLUMNS) == {}


def test_stata_monte_carlo_errors_of_the_variances(stata_fits):
    errors = monte_carlo_error(stata_variances, *stata_fits)
    assert misprints(errors, STATA_VARIANCE_ERRORS, VARIANCE_COLUMNS) == {}


def test_stata_head_of_the_table(stata_fits):
    estimates, covariances = stata_fits
    pooled = large_sample(*stata_fits)
    assert as_printed(joint_test(*stata_fits).riv, "0.0312") == "0.0312"  # Average RVI: of all six, the constant too
    assert as_printed(pooled.fmi.max(), "0.1355") == "0.1355"
    assert as_printed(pooled.df.min(), "1,060.38") == "1,060.38"
    test = joint_test(estimates[:, :5], covariances[:, :5, :5])
    assert test.df1 == 5
    assert as_printed(test.df2, "71379.3") == "71379.3"
    assert as_printed(test.F, "3.59") == "3.59"
    assert as_printed(test.p_value, "0.0030") == "0.0030"


def test_r_table(r_fits):
    assert misprints(r_table(*r_fits), R, R_COLUMNS) == {}


def test_r_monte_carlo_errors(r_fits):
    errors = monte_carlo_error(lambda q, u: r_table(q, u, R_ERROR_COLUMNS), *r_fits)
    assert misprints(errors, R_ERRORS, R_ERROR_COLUMNS) == {}


def test_barnard_rubin_df_do_not_depend_on_where_the_fits_stopped(stata_fits):
    df = barnard_rubin(*stata_fits).df
    printed = {term: line.split()[3] for term, line in R.items()}
    assert {term: as_printed(df[j], printed[term]) for j, term in enumerate(TERMS)} == printed

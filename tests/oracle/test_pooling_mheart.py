"""Heart attacks in 154 people, 20 imputations of bmi, pooled: against what Stata and R printed for them.

Stata: `mi estimate, mcerror: logit attack smokes age bmi hsgrad female` and the same with `vartable`, the example of
Stata's manual entry [MI] mi estimate. R: `pool(fit)`, `summary(pool(fit), conf.int = TRUE)` and `summary(mcerror(fit))`
of the packages mice and mice.mcerror (MIT licence, its README of May 2022), whose README prints both. Every number is
compared at the number of digits printed, and all are met.

The sets are those of `studies/mheart`: read from Stata's file, and held against the cleaned data, as the workflow does.

Large degrees of freedom print more digits than fits have that stop early, so each program's digits are those of fits
that stop where it stops. R takes `glm` covariances from the weights of the step before its last one. Stata's way is not
published; `fit_of_stata` is what reproduces the iteration log in its manual. The workflow's own fits go on to
convergence: they meet all but four of the printed numbers (CONVERGED), and these to parts in a million.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from esmi import codebook, derive, extract, logistic, settings
from esmi.imputation import imported
from esmi.joint_tests import joint_test
from esmi.pooling import Pooled, by_fit, monte_carlo_error, pool_fits, rubin

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "studies" / "mheart" / "config.yaml"
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


@pytest.fixture(scope="module")
def study():
    return settings.load(CONFIG)


@pytest.fixture(scope="module")
def cleaned(study):
    book = codebook.load(CONFIG.parent / study.codebook)
    raw = extract.read_raw(CONFIG.parent / study.extract.files["people"])
    return derive.clean({"people": extract.ingest(raw, "id", {})}, book, "people", []).table


@pytest.fixture(scope="module")
def sets(study, cleaned):
    """The imputed sets of the study, one below the other, as the workflow takes them in."""
    how = study.imputation.imported
    long = imported.read(CONFIG.parent / how.file, how.number, how.id)
    return imported.sets(long, cleaned, how.columns, how.levels, study.outcomes, study.imputation.m, how.file)


@pytest.fixture(scope="module")
def completed_data(sets):
    """Covariates with a constant (154 x 6) and outcome of every imputation."""
    numbers = sets.assign(_cons=1.0)
    for name in ("attack", "smokes", "hsgrad", "female"):
        numbers[name] = (numbers[name] == "yes").astype(float)
    return [(data[TERMS].to_numpy(), data["attack"].to_numpy()) for _, data in numbers.groupby("imputation")]


@pytest.fixture(scope="module")
def fits(study, sets):
    """The workflow's own fits of the study's model to every set."""
    model = study.models["attack"]
    return pd.concat(
        [
            logistic.fit_model(data, model.outcome, model.terms).assign(imputation=number)
            for number, data in sets.groupby("imputation")
        ],
        ignore_index=True,
    )


@pytest.fixture(scope="module")
def converged_fits(fits):
    """Their estimates and covariances, all terms together, in the order of TERMS."""
    (fit,) = [fit for fit in by_fit(fits) if fit.model_part == "adjusted"]
    names = [term.removesuffix("[yes]").replace("(Intercept)", "_cons") for term in fit.terms]
    order = [names.index(term) for term in TERMS]
    return fit.estimates[:, order], fit.covariances[:, order][:, :, order]


def log_likelihood(x, y, b):
    return (y * (x @ b) - np.logaddexp(0, x @ b)).sum()


def information(x, b):
    p = 1 / (1 + np.exp(-x @ b))
    return (x * (p * (1 - p))[:, np.newaxis]).T @ x


def fit_of_stata(x, y):
    """Estimates, covariance and log likelihoods of a logit model (the constant last) as Stata iterates.

    From the fit of the constant alone, Newton steps; a step that is better still when longer by an eighth is taken so
    (early releases took the plain step).
    The end: the log likelihood changed by less than 1e-7 of itself, and g' inv(H) g is below 1e-5, with the gradient g
    and the Hessian H at the estimates ([R] maximize). The covariance is the inverse information at the estimates.
    """
    b = np.zeros(x.shape[1])
    b[-1] = np.log(y.mean() / (1 - y.mean()))
    log = [log_likelihood(x, y, b)]
    while True:
        step = np.linalg.solve(information(x, b), x.T @ (y - 1 / (1 + np.exp(-x @ b))))
        b = max(b + step, b + 1.125 * step, key=lambda point: log_likelihood(x, y, point))
        log.append(log_likelihood(x, y, b))
        covariance, gradient = np.linalg.inv(information(x, b)), x.T @ (y - 1 / (1 + np.exp(-x @ b)))
        if log[-1] - log[-2] < 1e-7 * abs(log[-1]) and gradient @ covariance @ gradient < 1e-5:
            return b, covariance, log


def fit_of_r(x, y):
    # R stops at a relative change in deviance of 1e-8; statsmodels at an absolute one, and the deviance is about 180.
    fit = GLM(y, x, family=Binomial()).fit(tol=1.8e-6)
    return fit.params, fit.cov_params()


def fitted(fit, completed_data):
    found = [fit(x, y) for x, y in completed_data]
    return np.array([f[0] for f in found]), np.array([f[1] for f in found])


@pytest.fixture(scope="module")
def stata_fits(completed_data):
    return fitted(fit_of_stata, completed_data)


@pytest.fixture(scope="module")
def r_fits(completed_data):
    return fitted(fit_of_r, completed_data)


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


# What fits that have converged give for the numbers of Stata's output that know where its fits stop.
CONVERGED = {
    "average df": ("223,362.56", "223,362.39", lambda q, u: large_sample(q, u).df.mean()),
    "largest df": ("493,335.88", "493,335.26", lambda q, u: large_sample(q, u).df.max()),
    "upper limit of age": (".0662776", ".0662777", lambda q, u: large_sample(q, u).conf_high[TERMS.index("age")]),
    "Monte Carlo error of the lower limit of _cons": (
        ".1310618",
        ".1310619",
        lambda q, u: monte_carlo_error(lambda *left: large_sample(*left).conf_low[TERMS.index("_cons")], q, u),
    ),
}
# The iteration log in Stata's manual, [R] logit: foreign on two groups of 18 and 30 cars, of which 9 and 3 are foreign.
CARS = (np.column_stack([np.repeat([0.0, 1.0], [18, 30]), np.ones(48)]), np.repeat([1.0, 0.0, 1.0, 0.0], [9, 9, 3, 27]))
CARS_LOG = "-26.992087 -22.483187 -22.230498 -22.229139 -22.229138"


def test_the_data_are_twenty_imputations_of_154_people(completed_data):
    assert len(completed_data) == 20
    assert all(x.shape == (154, 6) and np.isfinite(x).all() for x, _ in completed_data)


def test_the_raw_extract_of_the_study_is_the_file_before_imputation(study):
    raw, _ = pyreadstat.read_dta(CONFIG.parent / study.extract.files["people"])
    stored, _ = pyreadstat.read_dta(CONFIG.parent / study.imputation.imported.file)
    original = stored[stored["_mi_m"] == 0].drop(columns=["_mi_m", "_mi_miss"])
    pd.testing.assert_frame_equal(raw, original.rename(columns={"_mi_id": "id"}))


def test_what_is_imputed_is_bmi_of_22_people_as_the_file_has_it(sets, cleaned):
    first = sets[sets["imputation"] == 1].reset_index(drop=True)
    imputed = cleaned["bmi"].isna()
    assert imputed.sum() == 22
    pd.testing.assert_frame_equal(first.drop(columns=["imputation", "bmi"]), cleaned.drop(columns="bmi"))
    pd.testing.assert_series_equal(first["bmi"][~imputed], cleaned["bmi"][~imputed])
    # The first three of m = 1 in the file, ids 8, 11 and 18.
    found = first.set_index("id")["bmi"]
    np.testing.assert_allclose(found[["8", "11", "18"]], [18.635773, 31.967911, 21.338177], atol=1e-6)


def test_the_way_of_stata_gives_the_iteration_log_of_its_manual():
    assert " ".join(f"{value:.6f}" for value in fit_of_stata(*CARS)[2]) == CARS_LOG


@pytest.mark.parametrize("name", CONVERGED)
def test_numbers_that_know_where_the_fits_stopped(name, stata_fits, converged_fits):
    printed, converged, statistic = CONVERGED[name]
    assert as_printed(statistic(*stata_fits), printed) == printed
    assert as_printed(statistic(*converged_fits), printed) == converged


def test_the_fits_of_the_workflow_give_all_other_numbers_of_stata(converged_fits):
    assert set(misprints(stata_table(*converged_fits), STATA, STATA_COLUMNS)) == {("age", "conf_high")}
    errors = monte_carlo_error(stata_table, *converged_fits)
    assert set(misprints(errors, STATA_ERRORS, STATA_COLUMNS)) == {("_cons", "conf_low")}
    assert misprints(stata_variances(*converged_fits), STATA_VARIANCES, VARIANCE_COLUMNS) == {}
    errors = monte_carlo_error(stata_variances, *converged_fits)
    assert misprints(errors, STATA_VARIANCE_ERRORS, VARIANCE_COLUMNS) == {}
    assert_head_of_the_table(*converged_fits)


def test_the_pooled_table_of_the_workflow_is_that_of_stata(study, fits):
    table = pool_fits(fits, study.inference.df, study.inference.level).query("model_part == 'adjusted'")
    table = table.set_index(table["term"].str.removesuffix("[yes]").replace("(Intercept)", "_cons")).loc[TERMS]
    numbers = table.assign(efficiency=1 / (1 + table["fmi"] / 20))
    found = misprints(numbers[STATA_COLUMNS].to_numpy(), STATA, STATA_COLUMNS)
    assert set(found) == {("age", "conf_high")}, found  # see CONVERGED
    columns = ["ubar", "b", "t", "riv", "fmi", "efficiency"]
    assert misprints(numbers[columns].to_numpy(), STATA_VARIANCES, VARIANCE_COLUMNS) == {}
    of_estimates = {term: line.split()[0] for term, line in STATA_ERRORS.items()}
    assert misprints(numbers[["mcse"]].to_numpy(), of_estimates, ["mcse"]) == {}
    assert set(table["n"]) == {154}
    assert set(table["events"]) == {69}


def test_stata_table(stata_fits):
    assert misprints(stata_table(*stata_fits), STATA, STATA_COLUMNS) == {}


def test_stata_monte_carlo_errors(stata_fits):
    assert misprints(monte_carlo_error(stata_table, *stata_fits), STATA_ERRORS, STATA_COLUMNS) == {}


def test_stata_variance_table(stata_fits):
    assert misprints(stata_variances(*stata_fits), STATA_VARIANCES, VARIANCE_COLUMNS) == {}


def test_stata_monte_carlo_errors_of_the_variances(stata_fits):
    errors = monte_carlo_error(stata_variances, *stata_fits)
    assert misprints(errors, STATA_VARIANCE_ERRORS, VARIANCE_COLUMNS) == {}


def assert_head_of_the_table(estimates, covariances):
    pooled = large_sample(estimates, covariances)
    # Average RVI: of all six, the constant too.
    assert as_printed(joint_test(estimates, covariances).riv, "0.0312") == "0.0312"
    assert as_printed(pooled.fmi.max(), "0.1355") == "0.1355"
    assert as_printed(pooled.df.min(), "1,060.38") == "1,060.38"
    test = joint_test(estimates[:, :5], covariances[:, :5, :5])
    assert test.df1 == 5
    assert as_printed(test.df2, "71379.3") == "71379.3"
    assert as_printed(test.F, "3.59") == "3.59"
    assert as_printed(test.p_value, "0.0030") == "0.0030"


def test_stata_head_of_the_table(stata_fits):
    assert_head_of_the_table(*stata_fits)


def test_r_table(r_fits):
    assert misprints(r_table(*r_fits), R, R_COLUMNS) == {}


def test_r_monte_carlo_errors(r_fits):
    errors = monte_carlo_error(lambda q, u: r_table(q, u, R_ERROR_COLUMNS), *r_fits)
    assert misprints(errors, R_ERRORS, R_ERROR_COLUMNS) == {}


def test_barnard_rubin_df_do_not_depend_on_where_the_fits_stopped(converged_fits):
    df = barnard_rubin(*converged_fits).df
    printed = {term: line.split()[3] for term, line in R.items()}
    assert {term: as_printed(df[j], printed[term]) for j, term in enumerate(TERMS)} == printed

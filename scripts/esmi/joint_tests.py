"""Joint tests over imputations that several coefficients are all zero: D1 to D4."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import log_expit

from esmi import logistic, pooling
from esmi.design import Term, events_of, model_matrix
from esmi.errors import ResearchError, listed
from esmi.pooling import FitOverImputations

TEST_COLUMNS = ["model_part", "variable", "method", "k", "F", "df1", "df2", "p_value", "riv", "preferred"]
# What is tested: the terms of one variable, or all of the model.
ALL_TERMS = "(all)"
# Needs neither likelihoods nor equal weight of all imputations' statistics, and is what Stata prints.
PREFERRED = "D1"


@dataclass(frozen=True)
class JointTest:
    """A test that k coefficients are all zero: F on df1 and df2; riv: mean relative increase in variance of the k."""

    method: str
    k: int
    F: float
    df1: float
    df2: float
    p_value: float
    riv: float


def joint_test(estimates: np.ndarray, covariances: np.ndarray, method: str = PREFERRED) -> JointTest:
    """Test that k coefficients are all zero, from their `estimates` (m x k) and `covariances` (m x k x k).

    To test some coefficients of a fit, give their columns of the estimates and their rows and columns of the
    covariances. "D1": Li, Raghunathan & Rubin 1991, which takes the fraction of missing information as equal for all
    k and the complete data as a large sample (Stata: "Equal FMI" and "Large sample"). "D2": `d2` of the m Wald
    statistics.

    Raises ResearchError with fewer than two imputations or a singular within-imputation covariance; ValueError on
    shapes that do not fit together, numbers that are not finite, an unknown `method`.
    """
    if method not in JOINT_TESTS:
        raise ValueError(f"joint test {method!r} is none of {', '.join(JOINT_TESTS)}")
    return JOINT_TESTS[method](*pooling.checked(estimates, covariances))


def d2(statistics: Sequence[float], k: int) -> JointTest:
    """The test of k coefficients from their m chi-squared statistics alone [Li, Meng, Raghunathan & Rubin 1991].

    r = (1 + 1/m) var(sqrt d); F = (mean(d)/k - (m + 1)/(m - 1) r)/(1 + r) on k and k^(-3/m) (m - 1)(1 + 1/r)^2. A
    negative F, which chance can give, has a p-value of 1. The order of the statistics has no effect.

    Raises ResearchError with fewer than two imputations.
    """
    d, m = np.asarray(statistics, dtype=float), len(statistics)
    pooling.require_two(m)
    roots = np.sqrt(d)
    # Measured from the first, statistics that do not vary have a variance of exactly zero.
    riv = (1 + 1 / m) * np.var(roots - roots[0], ddof=1)
    F = (d.mean() / k - (m + 1) / (m - 1) * riv) / (1 + riv)
    df2 = k ** (-3 / m) * (m - 1) * (1 + 1 / riv) ** 2 if riv > 0 else np.inf
    return _f_test("D2", F, k, df2, riv)


def d3(at_own: float, at_pooled: float, k: int, m: int) -> JointTest:
    """The likelihood-ratio test of k coefficients [Meng & Rubin 1992].

    `at_own`: the mean of the m likelihood-ratio statistics, each set at its own estimates; `at_pooled`: the same with
    every set at the pooled estimates of both models. r = (m + 1)/(k (m - 1)) (at_own - at_pooled), not below 0;
    F = at_pooled/(k (1 + r)); denominator degrees of freedom as D1.
    """
    pooling.require_two(m)
    riv = max((m + 1) / (k * (m - 1)) * (at_own - at_pooled), 0.0)
    return _f_test("D3", at_pooled / (k * (1 + riv)), k, _denominator(riv, k, m), riv)


def d4(at_own: float, stacked: float, k: int, m: int) -> JointTest:
    """The likelihood-ratio test of k coefficients from stacked sets [Chan & Meng 2019].

    `at_own` as in `d3`; `stacked`: the likelihood-ratio statistic of the m sets taken as one, over m.
    r = (m + 1)/(k (m - 1)) (at_own - stacked), not below 0; F = stacked/(k (1 + r)) on k and k (m - 1)(1 + 1/r)^2.
    """
    pooling.require_two(m)
    riv = max((m + 1) / (k * (m - 1)) * (at_own - stacked), 0.0)
    df2 = k * (m - 1) * (1 + 1 / riv) ** 2 if riv > 0 else np.inf
    return _f_test("D4", stacked / (k * (1 + riv)), k, df2, riv)


def joint_tests(fits: pd.DataFrame, terms_of: dict[str, list[str]], allow_failed: bool = False) -> pd.DataFrame:
    """D1 and D2 for every variable with more than one term, in every fit that holds it, and for the adjusted model.

    A row per (model_part, variable, method), TEST_COLUMNS; the test of all terms of the adjusted model stands under
    ALL_TERMS. `fits` and `allow_failed` as in `pooling.pool_fits`; `terms_of`: the terms of each variable. Where a fit
    is not pooled the test is empty (NaN); the reason stands in the pooled table.

    Raises ResearchError as `pool_fits` does, and when a fit holds some but not all terms of a variable or no fit
    holds a variable.
    """
    collected = [fit.without_failed() if allow_failed else fit for fit in pooling.by_fit(fits)]
    tested = {variable: terms for variable, terms in terms_of.items() if len(terms) > 1}
    faults = [
        f"{variable}: no fit holds any of its terms {', '.join(terms)}"
        for variable, terms in tested.items()
        if not any(set(terms) & set(fit.terms) for fit in collected)
    ]
    faults += [
        f"{fit.label}: of the terms of {variable} it lacks {', '.join(t for t in terms if t not in fit.terms)}"
        for fit in collected
        for variable, terms in tested.items()
        if set(terms) & set(fit.terms) and not set(terms) <= set(fit.terms)
    ]
    if faults:
        raise listed("The fits and the variables to be tested do not agree", faults)
    rows = [
        {"model_part": fit.model_part, "variable": variable} | asdict(_test_of(fit, terms, method))
        for fit in collected
        for variable, terms in _tested(fit, tested).items()
        for method in JOINT_TESTS
    ]
    return _table(rows)


def likelihood_tests(
    sets: Iterable[tuple[int, pd.DataFrame]],
    outcome: str,
    terms: Sequence[Term],
    columns: dict[str, list[str]],
) -> pd.DataFrame:
    """D3 and D4 of the adjusted model fitted by maximum likelihood: rows as in `joint_tests`.

    `sets`: each imputed set with its number; `terms`: settled; `columns`: key of a term -> its columns. Keys with more
    than one column are tested, and all of them together. A test is empty where either model cannot be fitted.
    """
    data = [_arrays(table, outcome, terms) for _, table in sets]
    names = list(data[0][1].columns)
    stack = np.concatenate([y for y, _ in data]), pd.concat([x for _, x in data], ignore_index=True)
    full = _Likelihood(data, stack, names)
    tested = {key: own for key, own in columns.items() if len(own) > 1} | {ALL_TERMS: names[1:]}
    rows = []
    for key, own in tested.items():
        null = _Likelihood(data, stack, [name for name in names if name not in own])
        k, m = len(own), len(data)
        for test, against in ((d3, "pooled"), (d4, "stacked")):
            result = _empty(test.__name__.upper(), k)
            if full.fitted and null.fitted:
                ratio = 2 * (getattr(full, against) - getattr(null, against))
                result = test(2 * (full.own - null.own), ratio, k, m)
            rows.append({"model_part": "adjusted", "variable": key} | asdict(result))
    return _table(rows)


class _Likelihood:
    """One model's log-likelihood per set: own, mean at each set's estimates; pooled, at their mean; stacked, of all."""

    def __init__(self, data: list[tuple[np.ndarray, pd.DataFrame]], stack: tuple, names: list[str]) -> None:
        fits = [logistic.fit(y, x[names]) for y, x in data]
        whole = logistic.fit(stack[0], stack[1][names])
        self.fitted = whole.converged and all(fit.converged for fit in fits)
        if self.fitted:
            mean = np.mean([fit.estimates for fit in fits], axis=0)
            self.own = float(np.mean([fit.log_likelihood for fit in fits]))
            self.pooled = float(np.mean([_log_likelihood(y, x[names].to_numpy() @ mean) for y, x in data]))
            self.stacked = whole.log_likelihood / len(data)


def _arrays(data: pd.DataFrame, outcome: str, terms: Sequence[Term]) -> tuple[np.ndarray, pd.DataFrame]:
    y = events_of(data, outcome).dropna()
    return y.to_numpy(), model_matrix(data.loc[y.index], terms)


def _log_likelihood(y: np.ndarray, log_odds: np.ndarray) -> float:
    return float(log_expit(np.where(y == 1, log_odds, -log_odds)).sum())


def _tested(fit: FitOverImputations, tested: dict[str, list[str]]) -> dict[str, list[str]]:
    """What is tested in a fit: the variables it holds, and in the adjusted one all terms but the intercept."""
    held = {variable: terms for variable, terms in tested.items() if set(terms) <= set(fit.terms)}
    return held | ({ALL_TERMS: list(fit.terms[1:])} if fit.model_part == "adjusted" else {})


def _table(rows: list[dict]) -> pd.DataFrame:
    return pd.DataFrame([row | {"preferred": row["method"] == PREFERRED} for row in rows], columns=TEST_COLUMNS)


def _d1(estimates: np.ndarray, covariances: np.ndarray) -> JointTest:
    m, k = estimates.shape
    estimate, ubar, b = pooling.moments(estimates, covariances)
    try:
        inverse = np.linalg.inv(ubar)
    except np.linalg.LinAlgError:
        raise ResearchError(
            f"The joint test of {k} coefficients cannot be done: their covariance is singular, so that at least one "
            "of them is determined by the others. Take a redundant variable or category out of the model."
        ) from None
    riv = (1 + 1 / m) * np.trace(b @ inverse) / k
    F = estimate @ inverse @ estimate / (k * (1 + riv))
    df2 = _denominator(riv, k, m)
    return _f_test("D1", F, k, df2, riv)


def _d2(estimates: np.ndarray, covariances: np.ndarray) -> JointTest:
    wald = [q @ np.linalg.solve(u, q) for q, u in zip(estimates, covariances, strict=True)]
    return d2(wald, estimates.shape[1])


def _denominator(riv: float, k: int, m: int) -> float:
    """Denominator degrees of freedom of D1 and D3 [Li, Raghunathan & Rubin 1991]."""
    if riv == 0:
        return np.inf
    t = k * (m - 1)
    if t > 4:
        return 4 + (t - 4) * (1 + (1 - 2 / t) / riv) ** 2
    return t * (1 + 1 / k) * (1 + 1 / riv) ** 2 / 2


JOINT_TESTS: dict[str, Callable[[np.ndarray, np.ndarray], JointTest]] = {"D1": _d1, "D2": _d2}


def _f_test(method: str, F: float, k: int, df2: float, riv: float) -> JointTest:
    # F on k and infinitely many degrees of freedom is chi-squared on k, divided by k.
    p_value = stats.f.sf(F, k, df2) if np.isfinite(df2) else stats.chi2.sf(k * F, k)
    return JointTest(method, k, float(F), float(k), float(df2), float(p_value), float(riv))


def _empty(method: str, k: int) -> JointTest:
    return JointTest(method, k, np.nan, float(k), np.nan, np.nan, np.nan)


def _test_of(fit: FitOverImputations, terms: list[str], method: str) -> JointTest:
    if fit.failure:
        return _empty(method, len(terms))
    places = [fit.terms.index(term) for term in terms]
    return joint_test(fit.estimates[:, places], fit.covariances[:, places][:, :, places], method)

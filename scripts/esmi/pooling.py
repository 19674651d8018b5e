"""Pooling over imputations: Rubin's rules, degrees of freedom, joint tests, Monte Carlo error."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from esmi.errors import ResearchError, listed

DfMethod = Literal["barnard-rubin", "large-sample"]

POOLED_COLUMNS = [
    "model_part",
    "fit",
    "term",
    "estimate",
    "std_error",
    "statistic",
    "df",
    "p_value",
    "conf_low",
    "conf_high",
    "odds_ratio",
    "or_low",
    "or_high",
    "n",
    "events",
    "m",
    "ubar",
    "b",
    "t",
    "riv",
    "lambda",
    "fmi",
    "mcse",
    "df_method",
    "reason",
]
TEST_COLUMNS = ["model_part", "variable", "method", "k", "F", "df1", "df2", "p_value", "riv"]


@dataclass(frozen=True)
class Pooled:
    """k coefficients pooled over m imputations; arrays of length k but for the k x k total covariance.

    estimate: mean over imputations; covariance: total covariance T; ubar: within-imputation variance; b:
    between-imputation variance; riv: relative increase in variance; lambda_: proportion of the variance that is
    due to missing data; fmi: fraction of missing information; df: degrees of freedom of the t distribution behind
    p_value (two-sided, of the coefficient being zero), conf_low and conf_high. All on the scale of the estimates.
    """

    m: int
    estimate: np.ndarray
    covariance: np.ndarray
    ubar: np.ndarray
    b: np.ndarray
    riv: np.ndarray
    lambda_: np.ndarray
    fmi: np.ndarray
    df: np.ndarray
    std_error: np.ndarray
    statistic: np.ndarray
    p_value: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray


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


def rubin(
    estimates: np.ndarray,
    covariances: np.ndarray,
    df_complete: float | None,
    df_method: DfMethod = "barnard-rubin",
    level: float = 0.95,
) -> Pooled:
    """Rubin's rules for `estimates` (m x k) with `covariances` (m x k x k) from m imputations.

    T = Ubar + (1 + 1/m) B; riv = (1 + 1/m) B/Ubar; lambda = (1 + 1/m) B/T [Rubin 1987, equations 3.1.2 to 3.1.7].
    Degrees of freedom: "large-sample" nu_old = (m - 1)/lambda^2 [Rubin 1987, equation 3.1.6]; "barnard-rubin"
    [Barnard & Rubin 1999] nu_old nu_obs/(nu_old + nu_obs), nu_obs = (nu_c + 1)/(nu_c + 3) nu_c (1 - lambda), where nu_c
    is `df_complete`, the residual degrees of freedom of the fit had nothing been missing (None: infinitely many, which
    gives nu_old). fmi = (riv + 2/(nu + 3))/(1 + riv) [Rubin 1987, equation 3.1.10] with nu the degrees of freedom in
    use: Stata reports it with the large-sample ones, R mice with those of Barnard and Rubin. Intervals have
    confidence `level`.

    Coefficients that do not vary between imputations have riv, lambda 0 and the degrees of freedom of the observed
    data: infinitely many (the normal distribution) for "large-sample".

    Raises ResearchError with fewer than two imputations; ValueError on shapes that do not fit together, numbers that
    are not finite, variances or `df_complete` that are not positive, an unknown `df_method`.
    """
    estimates, covariances = _checked(estimates, covariances)
    m = len(estimates)
    estimate, ubar, b = _moments(estimates, covariances)
    total = ubar + (1 + 1 / m) * b
    within, between, variance = np.diag(ubar), np.diag(b), np.diag(total)
    if (within <= 0).any():
        raise ValueError("every coefficient needs a variance above zero")
    riv = (1 + 1 / m) * between / within
    lambda_ = (1 + 1 / m) * between / variance
    df = _degrees_of_freedom(lambda_, m, df_complete, df_method)
    std_error = np.sqrt(variance)
    statistic = estimate / std_error
    half_width = stats.t.ppf((1 + level) / 2, df) * std_error
    return Pooled(
        m=m,
        estimate=estimate,
        covariance=total,
        ubar=within,
        b=between,
        riv=riv,
        lambda_=lambda_,
        fmi=(riv + 2 / (df + 3)) / (1 + riv),
        df=df,
        std_error=std_error,
        statistic=statistic,
        p_value=2 * stats.t.sf(np.abs(statistic), df),
        conf_low=estimate - half_width,
        conf_high=estimate + half_width,
    )


def joint_test(estimates: np.ndarray, covariances: np.ndarray, method: str = "D1") -> JointTest:
    """Test that k coefficients are all zero, from their `estimates` (m x k) and `covariances` (m x k x k).

    To test some coefficients of a fit, give their columns of the estimates and their rows and columns of the
    covariances. "D1": Li, Raghunathan & Rubin 1991, which takes the fraction of missing information as equal for all
    k and the complete data as a large sample (Stata: "Equal FMI" and "Large sample").

    Raises ResearchError with fewer than two imputations or a singular within-imputation covariance; ValueError on
    shapes that do not fit together, numbers that are not finite, an unknown `method`.
    """
    if method not in JOINT_TESTS:
        raise ValueError(f"joint test {method!r} is none of {', '.join(JOINT_TESTS)}")
    return JOINT_TESTS[method](*_checked(estimates, covariances))


def monte_carlo_error(
    statistic: Callable[[np.ndarray, np.ndarray], np.ndarray], estimates: np.ndarray, covariances: np.ndarray
) -> np.ndarray:
    """Jackknife standard error, over imputations, of each element of `statistic(estimates, covariances)`.

    How much a reported number would vary were the imputation repeated with another seed and the same m [White,
    Royston & Wood 2011]. `statistic` is computed m times, each with one imputation left out:
    sqrt((m - 1)/m sum_j (s_(j) - mean s)^2), in the units and the shape of what it returns.

    Raises ResearchError with fewer than two imputations, or three where `statistic` itself pools.
    """
    estimates, covariances = _checked(estimates, covariances)
    m = len(estimates)
    left_out = np.array([statistic(np.delete(estimates, j, 0), np.delete(covariances, j, 0)) for j in range(m)])
    return np.sqrt((m - 1) / m * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))


def pool_fits(fits: pd.DataFrame, df_method: DfMethod, level: float) -> pd.DataFrame:
    """Pool every fit of one model over its imputations with Rubin's rules: a row per (model_part, fit, term).

    `fits`: a row per (imputation, model_part, fit, term), batches of imputations one below the other. Rows keep the
    order of the fits and terms. Log-odds are pooled; odds ratios are their exponentials. t is the total variance and
    mcse the Monte Carlo error of the estimate. A fit without estimates in some imputation is not pooled over the
    others: its rows hold n, events and m, no estimates, and a reason that says in how many imputations it failed
    and why.

    Raises ResearchError, naming all faults at once, when the imputations of a fit are not 1 to M each once with M at
    least two, or when its terms, n or events differ between imputations.
    """
    rows = [_pooled_rows(fit, df_method, level) for fit in _by_fit(fits)]
    return pd.concat(rows, ignore_index=True)


def joint_tests(fits: pd.DataFrame, terms_of: dict[str, list[str]]) -> pd.DataFrame:
    """Test D1 for every variable with more than one term, in every fit that holds it: a row per (model_part, variable).

    `fits` as in `pool_fits`; `terms_of`: the terms of each variable. Where a fit has no estimates in some
    imputation the test is empty (NaN); the reason stands in the pooled table.

    Raises ResearchError as `pool_fits` does, and when a fit holds some but not all terms of a variable or no fit
    holds a variable.
    """
    collected = _by_fit(fits)
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
        {"model_part": fit.model_part, "variable": variable} | asdict(_test_of(fit, terms))
        for fit in collected
        for variable, terms in tested.items()
        if set(terms) <= set(fit.terms)
    ]
    return pd.DataFrame(rows, columns=TEST_COLUMNS)


def _checked(estimates: np.ndarray, covariances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    estimates, covariances = np.asarray(estimates, dtype=float), np.asarray(covariances, dtype=float)
    m, k = estimates.shape
    if covariances.shape != (m, k, k):
        raise ValueError(f"estimates {estimates.shape} and covariances {covariances.shape} do not fit together")
    if not (np.isfinite(estimates).all() and np.isfinite(covariances).all()):
        raise ValueError("estimates and covariances must be finite in every imputation")
    _require_two(m)
    return estimates, covariances


def _require_two(m: int) -> None:
    if m < 2:
        raise ResearchError(
            f"Pooling needs at least two imputations, and there is {m}: with fewer, the variance between imputations "
            "cannot be known. Raise the number of imputations in the settings."
        )


def _moments(estimates: np.ndarray, covariances: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean estimate, the mean covariance Ubar, and the covariance B between imputations."""
    # Measured from the first imputation, coefficients that do not vary have a variance of exactly zero.
    from_first = estimates - estimates[0]
    deviations = from_first - from_first.mean(axis=0)
    return (
        estimates[0] + from_first.mean(axis=0),
        covariances.mean(axis=0),
        deviations.T @ deviations / (len(estimates) - 1),
    )


def _degrees_of_freedom(lambda_: np.ndarray, m: int, df_complete: float | None, df_method: str) -> np.ndarray:
    reciprocal = lambda_**2 / (m - 1)
    if df_method == "barnard-rubin":
        if df_complete is not None:
            if not df_complete > 0:
                raise ValueError(f"the complete-data degrees of freedom must be positive, not {df_complete}")
            reciprocal += 1 / ((df_complete + 1) / (df_complete + 3) * df_complete * (1 - lambda_))
    elif df_method != "large-sample":
        raise ValueError(f"degrees of freedom {df_method!r} are neither barnard-rubin nor large-sample")
    with np.errstate(divide="ignore"):
        return 1 / reciprocal


def _d1(estimates: np.ndarray, covariances: np.ndarray) -> JointTest:
    m, k = estimates.shape
    estimate, ubar, b = _moments(estimates, covariances)
    try:
        inverse = np.linalg.inv(ubar)
    except np.linalg.LinAlgError:
        raise ResearchError(
            f"The joint test of {k} coefficients cannot be done: their covariance is singular, so that at least one "
            "of them is determined by the others. Take a redundant variable or category out of the model."
        ) from None
    riv = (1 + 1 / m) * np.trace(b @ inverse) / k
    F = estimate @ inverse @ estimate / (k * (1 + riv))
    df2 = _d1_denominator(riv, k, m)
    # F on k and infinitely many degrees of freedom is chi-squared on k, divided by k.
    p_value = stats.f.sf(F, k, df2) if np.isfinite(df2) else stats.chi2.sf(k * F, k)
    return JointTest("D1", k, float(F), float(k), float(df2), float(p_value), float(riv))


def _d1_denominator(riv: float, k: int, m: int) -> float:
    """Denominator degrees of freedom of D1 [Li, Raghunathan & Rubin 1991]."""
    if riv == 0:
        return np.inf
    t = k * (m - 1)
    if t > 4:
        return 4 + (t - 4) * (1 + (1 - 2 / t) / riv) ** 2
    return t * (1 + 1 / k) * (1 + 1 / riv) ** 2 / 2


JOINT_TESTS: dict[str, Callable[[np.ndarray, np.ndarray], JointTest]] = {"D1": _d1}


@dataclass(frozen=True)
class _FitOverImputations:
    """One fit in all m imputations, in their order; reasons: why there are no estimates, "" where there are."""

    model_part: str
    name: str
    terms: tuple[str, ...]
    estimates: np.ndarray
    covariances: np.ndarray
    df_complete: float
    n: int
    events: int
    reasons: tuple[str, ...]

    @property
    def label(self) -> str:
        return _label(self.model_part, self.name)

    @property
    def failure(self) -> str:
        """In how many imputations there are no estimates and why; "" where there are in all."""
        counts = Counter(reason for reason in self.reasons if reason)
        if not counts:
            return ""
        why = "; ".join(f"in {count}: {reason}" for reason, count in counts.items())
        return f"no estimates in {counts.total()} of {len(self.reasons)} imputations ({why})"


def _label(model_part: str, name: str) -> str:
    return model_part if model_part == name else f"{model_part} fit of {name}"


def _by_fit(fits: pd.DataFrame) -> list[_FitOverImputations]:
    """The fits as arrays, once they are known to be complete and of one shape."""
    m = int(fits["imputation"].max())
    groups = {
        key: rows.sort_values("imputation", kind="stable")
        for key, rows in fits.groupby(["model_part", "fit"], sort=False, observed=True)
    }
    faults = [fault for key, rows in groups.items() for fault in _faults(_label(*key), rows, m)]
    if faults:
        raise listed("The fits cannot be pooled", faults)
    _require_two(m)
    return [_collected(*key, rows, m) for key, rows in groups.items()]


def _faults(label: str, rows: pd.DataFrame, m: int) -> list[str]:
    found = rows["imputation"]
    expected = range(1, m + 1)
    holes = sorted(set(expected) - set(found))
    strangers = sorted(set(found) - set(expected))
    repeats = sorted(set(found[rows.duplicated(["imputation", "term"])]))
    by_imputation = {number: tuple(terms) for number, terms in rows.groupby("imputation")["term"]}
    first = next(iter(by_imputation.values()))
    other_terms = [n for n, terms in by_imputation.items() if terms != first and n not in repeats]
    faults = [
        (holes, f"of imputations 1 to {m} these are missing: "),
        (strangers, f"imputations are numbered 1 to {m}, but there are fits of: "),
        (repeats, "there are several fits for each of imputations "),
        (other_terms, "terms differ from those of the first imputation in imputations "),
    ]
    counts = [
        f"{label}: {name} differs between imputations ({rows[name].min()} to {rows[name].max()}): outcomes are not "
        "imputed, so every imputation must hold the same people and outcomes"
        for name in ("n", "events")
        if rows[name].min() != rows[name].max()
    ]
    return [f"{label}: {text}{', '.join(map(str, numbers))}" for numbers, text in faults if numbers] + counts


def _collected(model_part: str, name: str, rows: pd.DataFrame, m: int) -> _FitOverImputations:
    k = len(rows) // m
    heads = rows.iloc[::k]
    converged = heads["converged"].to_numpy(dtype=bool)
    reasons = [
        "" if fine else (why or "it did not converge") for fine, why in zip(converged, heads["reason"], strict=True)
    ]
    return _FitOverImputations(
        model_part=model_part,
        name=name,
        terms=tuple(rows["term"].iloc[:k]),
        estimates=rows["estimate"].to_numpy(dtype=float).reshape(m, k),
        covariances=np.array(rows["covariance"].tolist(), dtype=float).reshape(m, k, k),
        # Should they ever differ, the fewest give the widest intervals: no imputation then claims more than it has.
        df_complete=float(rows["df_resid"].min()),
        n=int(heads["n"].iloc[0]),
        events=int(heads["events"].iloc[0]),
        reasons=tuple(reasons),
    )


def _pooled_rows(fit: _FitOverImputations, df_method: DfMethod, level: float) -> pd.DataFrame:
    m = len(fit.reasons)
    numbers: dict[str, np.ndarray] = {}
    if not fit.failure:
        pooled = rubin(fit.estimates, fit.covariances, fit.df_complete, df_method, level)
        numbers = {
            "estimate": pooled.estimate,
            "std_error": pooled.std_error,
            "statistic": pooled.statistic,
            "df": pooled.df,
            "p_value": pooled.p_value,
            "conf_low": pooled.conf_low,
            "conf_high": pooled.conf_high,
            "odds_ratio": np.exp(pooled.estimate),
            "or_low": np.exp(pooled.conf_low),
            "or_high": np.exp(pooled.conf_high),
            "ubar": pooled.ubar,
            "b": pooled.b,
            "t": np.diag(pooled.covariance),
            "riv": pooled.riv,
            "lambda": pooled.lambda_,
            "fmi": pooled.fmi,
            # The jackknife of a mean in closed form.
            "mcse": np.sqrt(pooled.b / m),
        }
    known = {
        "model_part": fit.model_part,
        "fit": fit.name,
        "term": list(fit.terms),
        "n": fit.n,
        "events": fit.events,
        "m": m,
        "df_method": df_method,
        "reason": fit.failure,
    }
    empty = dict.fromkeys(POOLED_COLUMNS, np.nan)
    return pd.DataFrame(empty | known | numbers, columns=POOLED_COLUMNS)


def _test_of(fit: _FitOverImputations, terms: list[str]) -> JointTest:
    if fit.failure:
        return JointTest("D1", len(terms), np.nan, float(len(terms)), np.nan, np.nan, np.nan)
    places = [fit.terms.index(term) for term in terms]
    return joint_test(fit.estimates[:, places], fit.covariances[:, places][:, :, places])

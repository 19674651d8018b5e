"""Pooling over imputations: Rubin's rules, degrees of freedom, fractions of missing information, Monte Carlo error."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit, logit

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
    "fmi_low",
    "fmi_high",
    "std_error_mcse",
    "statistic_mcse",
    "df_mcse",
    "p_value_mcse",
    "conf_low_mcse",
    "conf_high_mcse",
    "odds_ratio_mcse",
    "or_low_mcse",
    "or_high_mcse",
    "riv_mcse",
    "fmi_mcse",
]
# The statistics of single coefficients whose Monte Carlo errors are reported.
JACKKNIFED = [
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
    "riv",
    "fmi",
]


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
    estimates, covariances = checked(estimates, covariances)
    m = len(estimates)
    estimate, ubar, b = moments(estimates, covariances)
    if (np.diag(ubar) <= 0).any():
        raise ValueError("every coefficient needs a variance above zero")
    one_by_one = _rules(estimate, np.diag(ubar), np.diag(b), m, df_complete, df_method, level)
    return Pooled(m=m, covariance=ubar + (1 + 1 / m) * b, **one_by_one)


def fmi_interval(fmi: np.ndarray, m: int, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """The uncertainty of fractions of missing information estimated from `m` imputations: lower and upper limits.

    logit(fmi) is about normal with standard deviation sqrt(2/m) [Harel 2007; von Hippel 2020, equation 6].
    """
    half_width = stats.norm.ppf((1 + level) / 2) * np.sqrt(2 / m)
    with np.errstate(divide="ignore"):
        return expit(logit(fmi) - half_width), expit(logit(fmi) + half_width)


def imputations_needed(fmi: float | np.ndarray, m: int, cv: float = 0.05, level: float = 0.95) -> np.ndarray:
    """How many imputations give standard errors with a coefficient of variation of `cv` were the data imputed anew.

    ceil(1 + (u/cv)^2/2) with u the upper confidence limit of the fraction of missing information `fmi` as estimated
    from `m` imputations [von Hippel 2020, equations 4 and 6].
    """
    _, upper = fmi_interval(np.asarray(fmi, dtype=float), m, level)
    return np.ceil(1 + (upper / cv) ** 2 / 2).astype(int)


def monte_carlo_error(
    statistic: Callable[[np.ndarray, np.ndarray], np.ndarray], estimates: np.ndarray, covariances: np.ndarray
) -> np.ndarray:
    """Jackknife standard error, over imputations, of each element of `statistic(estimates, covariances)`.

    How much a reported number would vary were the imputation repeated with another seed and the same m [White,
    Royston & Wood 2011]. `statistic` is computed m times, each with one imputation left out:
    sqrt((m - 1)/m sum_j (s_(j) - mean s)^2), in the units and the shape of what it returns.

    Raises ResearchError with fewer than two imputations, or three where `statistic` itself pools.
    """
    estimates, covariances = checked(estimates, covariances)
    m = len(estimates)
    left_out = np.array([statistic(np.delete(estimates, j, 0), np.delete(covariances, j, 0)) for j in range(m)])
    return np.sqrt((m - 1) / m * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))


def jackknife(
    estimates: np.ndarray, covariances: np.ndarray, df_complete: float | None, df_method: DfMethod, level: float
) -> dict[str, np.ndarray]:
    """Monte Carlo errors of everything that `rubin` says of single coefficients, by its names; arrays of length k.

    What `monte_carlo_error` gives for each of them, computed for all imputations at once. NaN with two imputations,
    of which one left out leaves nothing to pool.
    """
    estimates, covariances = checked(estimates, covariances)
    m = len(estimates)
    if m < 3:
        return dict.fromkeys(JACKKNIFED, np.full(estimates.shape[1], np.nan))
    within = np.diagonal(covariances, axis1=1, axis2=2)
    centred = estimates - estimates[0]
    mean = (centred.sum(axis=0) - centred) / (m - 1)
    # Left out, imputation j takes (q_j - mean_(-j))^2 (m - 1)/m from the sum of squares: no difference of large sums.
    total = ((centred - centred.mean(axis=0)) ** 2).sum(axis=0)
    between = np.maximum(total - (centred - mean) ** 2 * (m - 1) / m, 0) / (m - 2)
    ubar = (within.sum(axis=0) - within) / (m - 1)
    left_out = _rules(estimates[0] + mean, ubar, between, m - 1, df_complete, df_method, level)
    # With very few imputations an interval can be so wide that its odds ratio is infinite.
    with np.errstate(invalid="ignore", over="ignore"):
        left_out |= {"odds_ratio": np.exp(left_out["estimate"])}
        left_out |= {"or_low": np.exp(left_out["conf_low"]), "or_high": np.exp(left_out["conf_high"])}
        spread = {name: left_out[name] - left_out[name].mean(axis=0) for name in JACKKNIFED}
        return {name: np.sqrt((m - 1) / m * (each**2).sum(axis=0)) for name, each in spread.items()}


def pool_fits(fits: pd.DataFrame, df_method: DfMethod, level: float, allow_failed: bool = False) -> pd.DataFrame:
    """Pool every fit of one model over its imputations with Rubin's rules: a row per (model_part, fit, term).

    `fits`: a row per (imputation, model_part, fit, term), batches of imputations one below the other. Rows keep the
    order of the fits and terms. Log-odds are pooled; odds ratios are their exponentials. t is the total variance, mcse
    the Monte Carlo error of the estimate, and NAME_mcse that of every other number; fmi_low and fmi_high are the limits
    of `fmi_interval`. A fit without estimates in some imputation is not pooled over the others: its rows hold n, events
    and m, no estimates, and a reason that says in how many imputations it failed and why. With `allow_failed` it is
    pooled over the others, if there are two or more; m then counts these, and the reason says so.

    Raises ResearchError, naming all faults at once, when the imputations of a fit are not 1 to M each once with M at
    least two, or when its terms, n or events differ between imputations.
    """
    rows = [_pooled_rows(fit.without_failed() if allow_failed else fit, df_method, level) for fit in by_fit(fits)]
    return pd.concat(rows, ignore_index=True)


def checked(estimates: np.ndarray, covariances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays of numbers; raises as `rubin` does."""
    estimates, covariances = np.asarray(estimates, dtype=float), np.asarray(covariances, dtype=float)
    m, k = estimates.shape
    if covariances.shape != (m, k, k):
        raise ValueError(f"estimates {estimates.shape} and covariances {covariances.shape} do not fit together")
    if not (np.isfinite(estimates).all() and np.isfinite(covariances).all()):
        raise ValueError("estimates and covariances must be finite in every imputation")
    require_two(m)
    return estimates, covariances


def require_two(m: int) -> None:
    """Raises ResearchError with fewer than two imputations."""
    if m < 2:
        raise ResearchError(
            f"Pooling needs at least two imputations, and there is {m}: with fewer, the variance between imputations "
            "cannot be known. Raise the number of imputations in the settings."
        )


def moments(estimates: np.ndarray, covariances: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean estimate, the mean covariance Ubar, and the covariance B between imputations."""
    # Measured from the first imputation, coefficients that do not vary have a variance of exactly zero.
    from_first = estimates - estimates[0]
    deviations = from_first - from_first.mean(axis=0)
    return (
        estimates[0] + from_first.mean(axis=0),
        covariances.mean(axis=0),
        deviations.T @ deviations / (len(estimates) - 1),
    )


def _rules(
    estimate: np.ndarray,
    within: np.ndarray,
    between: np.ndarray,
    m: int,
    df_complete: float | None,
    df_method: str,
    level: float,
) -> dict[str, np.ndarray]:
    """Rubin's rules for single coefficients, elementwise, by the names of `Pooled`."""
    variance = within + (1 + 1 / m) * between
    riv = (1 + 1 / m) * between / within
    lambda_ = (1 + 1 / m) * between / variance
    df = _degrees_of_freedom(lambda_, m, df_complete, df_method)
    std_error = np.sqrt(variance)
    statistic = estimate / std_error
    half_width = stats.t.ppf((1 + level) / 2, df) * std_error
    return {
        "estimate": estimate,
        "ubar": within,
        "b": between,
        "riv": riv,
        "lambda_": lambda_,
        "fmi": (riv + 2 / (df + 3)) / (1 + riv),
        "df": df,
        "std_error": std_error,
        "statistic": statistic,
        "p_value": 2 * stats.t.sf(np.abs(statistic), df),
        "conf_low": estimate - half_width,
        "conf_high": estimate + half_width,
    }


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


@dataclass(frozen=True)
class FitOverImputations:
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
        """What the fit is called in messages."""
        return _label(self.model_part, self.name)

    left_out: str = ""

    def without_failed(self) -> "FitOverImputations":
        """The fit in the imputations where it has estimates, and which were left out; itself where two are not left."""
        fine = [not reason for reason in self.reasons]
        if all(fine) or sum(fine) < 2:
            return self
        return replace(
            self,
            estimates=self.estimates[fine],
            covariances=self.covariances[fine],
            reasons=("",) * sum(fine),
            left_out=f"pooled over {sum(fine)} of {len(fine)} imputations; {self.failure}",
        )

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


def by_fit(fits: pd.DataFrame) -> list[FitOverImputations]:
    """The fits as arrays, once they are known to be complete and of one shape."""
    m = int(fits["imputation"].max())
    groups = {
        key: rows.sort_values("imputation", kind="stable")
        for key, rows in fits.groupby(["model_part", "fit"], sort=False, observed=True)
    }
    faults = [fault for key, rows in groups.items() for fault in _faults(_label(*key), rows, m)]
    if faults:
        raise listed("The fits cannot be pooled", faults)
    require_two(m)
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


def _collected(model_part: str, name: str, rows: pd.DataFrame, m: int) -> FitOverImputations:
    k = len(rows) // m
    heads = rows.iloc[::k]
    converged = heads["converged"].to_numpy(dtype=bool)
    reasons = [
        "" if fine else (why or "it did not converge") for fine, why in zip(converged, heads["reason"], strict=True)
    ]
    return FitOverImputations(
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


def _pooled_rows(fit: FitOverImputations, df_method: DfMethod, level: float) -> pd.DataFrame:
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
        errors = jackknife(fit.estimates, fit.covariances, fit.df_complete, df_method, level)
        numbers |= {f"{name}_mcse": errors[name] for name in JACKKNIFED if name != "estimate"}
        numbers["fmi_low"], numbers["fmi_high"] = fmi_interval(pooled.fmi, m)
    known = {
        "model_part": fit.model_part,
        "fit": fit.name,
        "term": list(fit.terms),
        "n": fit.n,
        "events": fit.events,
        "m": m,
        "df_method": df_method,
        "reason": fit.failure or fit.left_out,
    }
    empty = dict.fromkeys(POOLED_COLUMNS, np.nan)
    return pd.DataFrame(empty | known | numbers, columns=POOLED_COLUMNS)

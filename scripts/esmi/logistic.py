"""Logistic regression by maximum likelihood: fits with their full covariance, and why a fit has no estimates."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, eye_array, hstack
from scipy.stats import norm
from statsmodels.discrete.discrete_model import Logit

from esmi.design import events_of, model_matrix, terms_of

# Newton's error is squared at each step: a last step below this leaves an error far below 1e-10.
STEP_TOLERANCE = 1e-9
MAX_STEPS = 50
# Least over greatest singular value of the standardised matrix; at this value variances are inflated some 1e10 times.
SINGULAR_TOLERANCE = 1e-5
# A linear predictor (log-odds) beyond which a fitted probability is within 1e-6 of 0 or 1.
EXTREME_LOG_ODDS = 13.8


@dataclass(frozen=True)
class Fit:
    """One fitted logistic regression.

    terms: p names, in the order of the columns of the matrix; estimates: p log-odds; covariance: p x p inverse
    of the observed information; df_resid: n - p; n rows; events: rows with the outcome; log_likelihood at the
    estimates; converged; reason: "" or why there are no estimates. Without convergence the estimates, the
    covariance and the log-likelihood are NaN.
    """

    terms: tuple[str, ...]
    estimates: np.ndarray
    covariance: np.ndarray
    df_resid: int
    n: int
    events: int
    log_likelihood: float
    converged: bool
    reason: str


def fit(y: pd.Series | np.ndarray, X: pd.DataFrame) -> Fit:
    """Maximum likelihood by Newton's method, coefficients right to 1e-10 in units of one standard deviation.

    `y`: n zeros and ones; `X`: n x p, complete, the intercept first (`design.model_matrix`). The columns are
    standardised for the computation and the results given on their own scale.

    Nothing is printed and no warning escapes: an outcome that does not vary, a singular matrix, separation
    and non-convergence give a Fit with converged=False and a reason. Separation (complete or
    quasi-complete) means that some maximum likelihood estimates are infinite [Albert & Anderson 1984]. A
    categorical level with no events or only events proves it; else a linear programme decides [Konis 2007,
    chapter 4]. Both are run only when the fit shows signs of it: Newton's method failed or did not converge,
    or a fitted probability is within 1e-6 of 0 or 1. Very large estimates or standard errors are no further
    sign: separation drives the fitted probability of at least one row to 0 or 1, whatever the scale of its
    covariate.

    Raises ValueError when a value is missing or `y` holds anything but 0 and 1.
    """
    terms, x, y = tuple(X.columns), X.to_numpy(dtype=float), np.asarray(y, dtype=float)
    if np.isnan(x).any() or not np.isin(y, (0.0, 1.0)).all():
        raise ValueError("a fit needs complete covariates and an outcome of zeros and ones")
    if len(np.unique(y)) < 2:
        return _no_estimates(terms, y, f"{'only' if y.any() else 'no'} events among {len(y)} rows")
    mean, sd = x[:, 1:].mean(axis=0), x[:, 1:].std(axis=0)
    singular = _singular(x, mean, sd, terms)
    if singular:
        return _no_estimates(terms, y, singular)

    standardised = np.column_stack([x[:, :1], (x[:, 1:] - mean) / sd])
    result = _newton(y, standardised)
    # Steps that overflow end in NaN, which Newton's method takes for convergence.
    converged = result is not None and result.mle_retvals["converged"] and np.isfinite(result.params).all()
    if not converged or np.abs(standardised @ result.params).max() > EXTREME_LOG_ODDS:
        separated = _separation(y, x, standardised, terms)
        if separated or not converged:
            return _no_estimates(terms, y, separated or "Newton's method did not converge")

    back = np.diag(np.r_[1.0, 1.0 / sd])
    back[0, 1:] = -mean / sd
    return Fit(
        terms=terms,
        estimates=back @ result.params,
        covariance=back @ result.normalized_cov_params @ back.T,
        df_resid=len(y) - len(terms),
        n=len(y),
        events=int(y.sum()),
        log_likelihood=float(result.llf),
        converged=True,
        reason="",
    )


def fit_model(
    data: pd.DataFrame, outcome: str, terms: list[str], parts: tuple[str, ...] = ("unadjusted", "adjusted")
) -> pd.DataFrame:
    """All fits of one model in one complete data set: one row per (model_part, fit, term).

    Rows with a missing outcome are left out. Unadjusted: one fit per variable, named by it; adjusted: one
    fit of all variables together. Columns: model_part, fit, term, estimate and std_error (log-odds),
    df_resid, n, events, converged, reason, covariance (this term's row of the fit's covariance).

    Raises ValueError when a covariate is missing in a row with a known outcome.
    """
    y = events_of(data, outcome).dropna()
    matrix = model_matrix(data.loc[y.index], terms)
    intercept = matrix.columns[0]
    columns = {}
    if "unadjusted" in parts:
        columns |= {("unadjusted", name): [intercept, *own] for name, own in terms_of(data, terms).items()}
    if "adjusted" in parts:
        columns[("adjusted", "adjusted")] = list(matrix.columns)
    return pd.concat(
        [_rows(part, name, fit(y, matrix[names])) for (part, name), names in columns.items()], ignore_index=True
    )


def fit_complete_cases(data: pd.DataFrame, outcome: str, terms: list[str], level: float) -> pd.DataFrame:
    """The complete-case analysis: `fit_model` in the rows where the outcome and every variable are known.

    The unadjusted fits use the same rows as the adjusted one, so that the two differ by adjustment alone.
    Tests and intervals (confidence `level`, e.g. 0.95) are by the normal distribution, as Stata's and R's
    logistic regressions print them; df is therefore empty (NaN). Columns: model_part, fit, term, estimate,
    std_error, statistic, df, p_value, conf_low, conf_high, odds_ratio, or_low, or_high, n, events, reason.
    """
    known = data[[outcome, *terms]].notna().all(axis=1)
    fits = fit_model(data[known], outcome, terms)
    statistic = fits["estimate"] / fits["std_error"]
    half_width = norm.ppf((1 + level) / 2) * fits["std_error"]
    low, high = fits["estimate"] - half_width, fits["estimate"] + half_width
    table = fits[["model_part", "fit", "term", "estimate", "std_error"]].assign(
        statistic=statistic,
        df=np.nan,
        p_value=2 * norm.sf(statistic.abs()),
        conf_low=low,
        conf_high=high,
        odds_ratio=np.exp(fits["estimate"]),
        or_low=np.exp(low),
        or_high=np.exp(high),
    )
    return table.join(fits[["n", "events", "reason"]])


def _newton(y: np.ndarray, x: np.ndarray):
    """The result of statsmodels, or None where a step failed numerically."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Logit(y, x).fit(method="newton", tol=STEP_TOLERANCE, maxiter=MAX_STEPS, disp=0)
        except np.linalg.LinAlgError:
            return None


def _no_estimates(terms: tuple[str, ...], y: np.ndarray, reason: str) -> Fit:
    p = len(terms)
    return Fit(
        terms=terms,
        estimates=np.full(p, np.nan),
        covariance=np.full((p, p), np.nan),
        df_resid=len(y) - p,
        n=len(y),
        events=int(y.sum()),
        log_likelihood=np.nan,
        converged=False,
        reason=reason,
    )


def _singular(x: np.ndarray, mean: np.ndarray, sd: np.ndarray, terms: tuple[str, ...]) -> str:
    """Why the matrix has no full column rank, naming the terms; "" when it has."""
    n, p = x.shape
    constant = [term for term, spread, size in zip(terms[1:], sd, np.abs(mean), strict=True) if spread <= 1e-12 * size]
    if constant:
        return f"singular: the same value in every row: {', '.join(constant)}"
    if n <= p:
        return f"singular: {n} rows for {p} coefficients"
    _, values, directions = np.linalg.svd((x[:, 1:] - mean) / sd, full_matrices=False)
    null = directions[values < SINGULAR_TOLERANCE * values.max(initial=0.0)]
    dependent = [
        term for term, weight in zip(terms[1:], np.abs(null).max(axis=0, initial=0.0), strict=True) if weight > 1e-4
    ]
    return f"singular: each is a linear combination of the others: {', '.join(dependent)}" if dependent else ""


def _separation(y: np.ndarray, x: np.ndarray, standardised: np.ndarray, terms: tuple[str, ...]) -> str:
    """Which terms separate events from non-events; "" when maximum likelihood estimates exist.

    A level with no events or only events is separation by itself. In general separation is a direction b with
    (2 y_i - 1) x_i'b >= 0 in every row and > 0 in some. Maximising sum(t) subject to 0 <= t_i <= 1 and
    t_i <= (2 y_i - 1) x_i'b finds one that is positive in as many rows as any: t_i is 1 in them and 0 in the
    others, so that the optimum is 0 exactly without separation.
    """
    levels = _separating_levels(y, x, terms)
    if levels:
        return f"separation: {'; '.join(levels)}"
    n, p = standardised.shape
    signed = (2 * y - 1)[:, np.newaxis] * standardised
    solution = linprog(
        np.r_[np.zeros(p), -np.ones(n)],
        A_ub=hstack([csr_matrix(-signed), eye_array(n)]),
        b_ub=np.zeros(n),
        bounds=[(None, None)] * p + [(0, 1)] * n,
    )
    if not solution.success or -solution.fun < 0.5:
        return ""
    weights = np.abs(solution.x[1:p])
    responsible = [term for term, weight in zip(terms[1:], weights, strict=True) if weight > 1e-6 * weights.max()]
    return f"separation: events are told from non-events without error by {' with '.join(responsible)}"


def _separating_levels(y: np.ndarray, x: np.ndarray, terms: tuple[str, ...]) -> list[str]:
    """The levels of categorical variables with no events, or only events, in a matrix of full rank."""
    # Full rank leaves no level without rows, the reference included.
    columns = {term: x[:, j] == 1 for j, term in enumerate(terms) if term.endswith("]")}
    places = {f"where {term}": rows for term, rows in columns.items()}
    for variable in dict.fromkeys(term.split("[")[0] for term in columns):
        others = [rows for term, rows in columns.items() if term.split("[")[0] == variable]
        places[f"in the reference category of {variable}"] = ~np.any(others, axis=0)
    found = []
    for place, rows in places.items():
        if y[rows].min() == y[rows].max():
            found.append(f"{'only' if y[rows].all() else 'no'} events {place}")
    return found


def _rows(part: str, name: str, fitted: Fit) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model_part": part,
            "fit": name,
            "term": list(fitted.terms),
            "estimate": fitted.estimates,
            "std_error": np.sqrt(np.diag(fitted.covariance)),
            "df_resid": fitted.df_resid,
            "n": fitted.n,
            "events": fitted.events,
            "converged": fitted.converged,
            "reason": fitted.reason,
            "covariance": fitted.covariance.tolist(),
        }
    )

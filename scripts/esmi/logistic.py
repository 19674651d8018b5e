"""Logistic regression by maximum likelihood: fits with their full covariance, and why a fit has no estimates."""

import warnings
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from firthmodels import detect_separation
from scipy.stats import norm
from statsmodels.discrete.discrete_model import Logit

from esmi import firth
from esmi.design import Term, events_of, model_matrix, terms_of, variables_of
from esmi.errors import ResearchError
from esmi.estimates import Fit, as_arrays, no_estimates, standardised, why_none

Method = Literal["ml", "firth"]

# Newton's error is squared at each step: a last step below this leaves an error far below 1e-10.
STEP_TOLERANCE = 1e-9
MAX_STEPS = 50
# A linear predictor (log-odds) beyond which a fitted probability is within 1e-6 of 0 or 1.
EXTREME_LOG_ODDS = 13.8


def fit(y: pd.Series | np.ndarray, X: pd.DataFrame, clusters: Sequence | None = None) -> Fit:
    """Maximum likelihood by Newton's method, coefficients right to 1e-10 in units of one standard deviation.

    `y`: n zeros and ones; `X`: n x p, complete, the intercept first (`design.model_matrix`). The columns are
    standardised for the computation and the results given on their own scale. The covariance is the inverse of
    the observed information.

    `clusters`: n labels of groups whose rows may be correlated. The covariance is then the sandwich
    G/(G - 1) A (sum of s_g s_g') A, with A the inverse information and s_g the score summed over cluster g of
    G: Stata's `logit, vce(cluster)`, R's `sandwich::vcovCL(type = "HC0", cadjust = TRUE)`. df_resid is then
    G - 1: the sandwich is made of G independent scores, which sum to zero at the estimates, so that G - 1, not n,
    bounds what the data say of a standard error [Cameron & Miller 2015, section VI].

    Nothing is printed and no warning escapes: an outcome that does not vary, a singular matrix, separation,
    non-convergence and a single cluster give a Fit with converged=False and a reason. Separation (complete or
    quasi-complete) means that some maximum likelihood estimates are infinite [Albert & Anderson 1984]. A
    categorical level with no events or only events proves it; else a linear programme decides [Konis 2007,
    chapter 4]. Both are run only when the fit shows signs of it: Newton's method failed or did not converge,
    or a fitted probability is within 1e-6 of 0 or 1. Very large estimates or standard errors are no further
    sign: separation drives the fitted probability of at least one row to 0 or 1, whatever the scale of its
    covariate.

    Raises ValueError when a value is missing, a cluster included, or `y` holds anything but 0 and 1.
    """
    terms, x, y = as_arrays(y, X)
    groups = None if clusters is None else _numbered(clusters, len(y))
    reason = why_none(y, x, terms)
    if not reason and groups is not None and groups.max() == 0:
        reason = "a cluster-robust covariance needs at least two clusters, and there is 1"
    if reason:
        return no_estimates(terms, y, reason)

    scaled, back = standardised(x)
    result = _newton(y, scaled)
    # Steps that overflow end in NaN, which Newton's method takes for convergence.
    converged = result is not None and result.mle_retvals["converged"] and np.isfinite(result.params).all()
    if not converged or np.abs(scaled @ result.params).max() > EXTREME_LOG_ODDS:
        separated = _separation(y, x, scaled, terms)
        if separated or not converged:
            return no_estimates(terms, y, separated or "Newton's method did not converge")

    covariance, df_resid = result.normalized_cov_params, len(y) - len(terms)
    if groups is not None:
        scores = scaled * (y - result.predict())[:, np.newaxis]
        covariance, df_resid = _sandwich(covariance, scores, groups), int(groups.max())
    return Fit(
        terms=terms,
        estimates=back @ result.params,
        covariance=back @ covariance @ back.T,
        df_resid=df_resid,
        n=len(y),
        events=int(y.sum()),
        log_likelihood=float(result.llf),
        converged=True,
        reason="",
    )


def fit_model(
    data: pd.DataFrame,
    outcome: str,
    terms: Sequence[Term],
    parts: tuple[str, ...] = ("unadjusted", "adjusted"),
    method: Method = "ml",
    cluster: str | None = None,
) -> pd.DataFrame:
    """All fits of one model in one complete data set: one row per (model_part, fit, term).

    Rows with a missing outcome are left out. Unadjusted: one fit per variable or spline, named by its key in
    `design.terms_of`, and none for interactions, which mean nothing without the rest; adjusted: one fit of all
    terms together. `method`: maximum likelihood, or Firth's penalised likelihood (`firth.fit`). `cluster`: the
    variable whose values are clusters, for a cluster-robust covariance (maximum likelihood only).

    Columns: model_part, fit, term, estimate and std_error (log-odds), df_resid, n, events, converged, reason,
    covariance (this term's row of the fit's covariance).

    Raises ResearchError when the cluster is missing in a row with a known outcome, or clusters are asked for
    with Firth's method; ValueError when a covariate is missing in a row with a known outcome.
    """
    y = events_of(data, outcome).dropna()
    known = data.loc[y.index]
    matrix = model_matrix(known, terms)
    fitter = _fitter(method, known, cluster)
    columns = {}
    if "unadjusted" in parts:
        alone = terms_of(known, [term for term in terms if isinstance(term, str) or "spline" in term])
        columns |= {("unadjusted", name): [matrix.columns[0], *own] for name, own in alone.items()}
    if "adjusted" in parts:
        columns[("adjusted", "adjusted")] = list(matrix.columns)
    return pd.concat(
        [_rows(part, name, fitter(y, matrix[names])) for (part, name), names in columns.items()], ignore_index=True
    )


def fit_adjusted(
    data: pd.DataFrame, outcome: str, terms: Sequence[Term], method: Method = "ml", cluster: str | None = None
) -> Fit:
    """The fit of all terms together, in the rows with a known outcome; arguments and errors as in `fit_model`."""
    y = events_of(data, outcome).dropna()
    known = data.loc[y.index]
    return _fitter(method, known, cluster)(y, model_matrix(known, terms))


def fit_complete_cases(
    data: pd.DataFrame,
    outcome: str,
    terms: Sequence[Term],
    level: float,
    method: Method = "ml",
    cluster: str | None = None,
) -> pd.DataFrame:
    """The complete-case analysis: `fit_model` in the rows where the outcome and every variable are known.

    The unadjusted fits use the same rows as the adjusted one, so that the two differ by adjustment alone.
    Tests and intervals (confidence `level`, e.g. 0.95) are by the normal distribution, as Stata's and R's
    logistic regressions print them; df is therefore empty (NaN). `method` and `cluster` as in `fit_model`. Columns:
    model_part, fit, term, estimate, std_error, statistic, df, p_value, conf_low, conf_high, odds_ratio, or_low,
    or_high, n, events, reason.
    """
    known = data[[outcome, *variables_of(terms)]].notna().all(axis=1)
    fits = fit_model(data[known], outcome, terms, method=method, cluster=cluster)
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


def _fitter(method: Method, data: pd.DataFrame, cluster: str | None) -> Callable[[pd.Series, pd.DataFrame], Fit]:
    if cluster is None:
        return {"ml": fit, "firth": firth.fit}[method]
    if method == "firth":
        raise ResearchError(
            f"A covariance robust to clusters ({cluster}) goes with maximum likelihood, not with Firth's method. "
            "Leave out the cluster, or choose maximum likelihood."
        )
    missing = int(data[cluster].isna().sum())
    if missing:
        raise ResearchError(
            f"The cluster {cluster} is missing in {missing} of the {len(data)} rows with a known outcome. "
            "Find out to which cluster they belong, or leave out the cluster."
        )
    return lambda y, matrix: fit(y, matrix, clusters=data[cluster])


def _numbered(clusters: Sequence, n: int) -> np.ndarray:
    groups, _ = pd.factorize(np.asarray(clusters))
    if len(groups) != n or (groups < 0).any():
        raise ValueError("every row of a fit needs its cluster")
    return groups


def _sandwich(inverse_information: np.ndarray, scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
    number = groups.max() + 1
    sums = np.zeros((number, scores.shape[1]))
    np.add.at(sums, groups, scores)
    return number / (number - 1) * inverse_information @ (sums.T @ sums) @ inverse_information


def _separation(y: np.ndarray, x: np.ndarray, scaled: np.ndarray, terms: tuple[str, ...]) -> str:
    """Which terms separate events from non-events; "" when maximum likelihood estimates exist."""
    levels = _separating_levels(y, x, terms)
    if levels:
        return f"separation: {'; '.join(levels)}"
    guilty = np.flatnonzero(~detect_separation(scaled, y, fit_intercept=False).is_finite[1:]) + 1
    # With complete separation every estimate is infinite: named are terms of which none can be spared.
    for column in guilty:
        rest = guilty[guilty != column]
        if len(rest) and detect_separation(scaled[:, np.r_[0, rest]], y, fit_intercept=False).separation:
            guilty = rest
    if not len(guilty):
        return ""
    return f"separation: events are told from non-events without error by {' with '.join(terms[j] for j in guilty)}"


def _separating_levels(y: np.ndarray, x: np.ndarray, terms: tuple[str, ...]) -> list[str]:
    """The levels of categorical variables, and pairs of levels, with no events or only events; of full rank."""
    # Full rank leaves no level without rows, the reference included. Only products of two levels are again 0 or 1.
    columns = {
        term: x[:, j] == 1 for j, term in enumerate(terms) if all(part.endswith("]") for part in term.split(":"))
    }
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

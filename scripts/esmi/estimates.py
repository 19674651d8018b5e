"""The estimates of one logistic regression, and why a fit has none."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

# Least over greatest singular value of the standardised matrix; at this value variances are inflated some 1e10 times.
SINGULAR_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Fit:
    """One fitted logistic regression.

    terms: p names, in the order of the columns of the matrix; estimates: p log-odds; covariance: p x p, of the
    estimates; df_resid: residual degrees of freedom, n - p, or with clusters their number less one; n rows; events:
    rows with the outcome; log_likelihood at the estimates, without any penalty; converged; reason: "" or why there are
    no estimates. Without convergence the estimates, the covariance and the log-likelihood are NaN.
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


def no_estimates(terms: tuple[str, ...], y: np.ndarray, reason: str) -> Fit:
    """A fit that has none, for `reason`."""
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


def as_arrays(y: pd.Series | np.ndarray, X: pd.DataFrame) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """The terms, the matrix and the outcome of a fit.

    Raises ValueError when a value is missing or `y` holds anything but 0 and 1.
    """
    terms, x, y = tuple(X.columns), X.to_numpy(dtype=float), np.asarray(y, dtype=float)
    if np.isnan(x).any() or not np.isin(y, (0.0, 1.0)).all():
        raise ValueError("a fit needs complete covariates and an outcome of zeros and ones")
    return terms, x, y


def why_none(y: np.ndarray, x: np.ndarray, terms: tuple[str, ...]) -> str:
    """Why no method has estimates: the outcome does not vary, or the matrix is singular; "" otherwise."""
    if len(np.unique(y)) < 2:
        return f"{'only' if y.any() else 'no'} events among {len(y)} rows"
    return _singular(x, terms)


def standardised(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The matrix with all columns but the first in standard deviations from their mean, and the way back.

    Coefficients b of the standardised matrix are `back @ b` on the scale of `x`, and their covariance V is
    `back @ V @ back.T`.
    """
    mean, sd = x[:, 1:].mean(axis=0), x[:, 1:].std(axis=0)
    back = np.diag(np.r_[1.0, 1.0 / sd])
    back[0, 1:] = -mean / sd
    return np.column_stack([x[:, :1], (x[:, 1:] - mean) / sd]), back


def _singular(x: np.ndarray, terms: tuple[str, ...]) -> str:
    """Why the matrix has no full column rank, naming the terms; "" when it has."""
    n, p = x.shape
    mean, sd = x[:, 1:].mean(axis=0), x[:, 1:].std(axis=0)
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

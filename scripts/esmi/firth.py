"""Logistic regression by Firth's penalised likelihood: finite estimates with separation, less bias with few events."""

import warnings

import numpy as np
import pandas as pd
from firthmodels import FirthLogisticRegression
from scipy.special import expit, log_expit

from esmi.estimates import Fit, as_arrays, no_estimates, standardised, why_none

MAX_STEPS = 500
# Halvings of a step, and the tolerance of modified score and step in units of one standard deviation. Full steps, as in
# logistf, end exactly but can go round in circles under separation; halved ones always climb, and rounding of the flat
# likelihood stops them earlier.
ATTEMPTS = [(0, 1e-9), (25, 1e-6)]


def fit(y: pd.Series | np.ndarray, X: pd.DataFrame) -> Fit:
    """The maximum of the likelihood times Jeffreys' prior [Firth 1993], the intercept penalised like the rest.

    `y`: n zeros and ones; `X`: n x p, complete, the intercept first (`design.model_matrix`). The estimates
    exist with separation too [Heinze & Schemper 2002]; they are those of R's brglm2 (AS_mean) and logistf.

    The covariance, which enters Rubin's within-imputation variance, is the inverse of the expected Fisher information
    X'WX at the penalised estimates, W = p (1 - p), without the penalty: Firth's asymptotic covariance, and what R's
    brglm2 gives as vcov. logistf from 1.24 on and firthmodels give the inverse of X'W(I + H)X instead, H
    the diagonal of the hat matrix, which is the curvature of an augmented likelihood: it is smaller by the factor
    1/(1 + h) where a covariate has leverage, so that its intervals would be the shorter ones.

    An outcome that does not vary, a singular matrix and non-convergence give a Fit with converged=False and a
    reason; no warning escapes. Raises ValueError when a value is missing or `y` holds anything but 0 and 1.
    """
    terms, x, y = as_arrays(y, X)
    reason = why_none(y, x, terms)
    if reason:
        return no_estimates(terms, y, reason)
    scaled, back = standardised(x)
    coefficients = _penalised(y, scaled)
    if coefficients is None:
        return no_estimates(terms, y, "Firth's penalised likelihood did not converge")

    log_odds = scaled @ coefficients
    information = (scaled.T * (expit(log_odds) * expit(-log_odds))) @ scaled
    return Fit(
        terms=terms,
        estimates=back @ coefficients,
        covariance=back @ np.linalg.inv(information) @ back.T,
        df_resid=len(y) - len(terms),
        n=len(y),
        events=int(y.sum()),
        log_likelihood=float(log_expit(np.where(y == 1, log_odds, -log_odds)).sum()),
        converged=True,
        reason="",
    )


def _penalised(y: np.ndarray, x: np.ndarray) -> np.ndarray | None:
    """The coefficients, or None without convergence."""
    for halvings, tolerance in ATTEMPTS:
        model = FirthLogisticRegression(
            # One backend, so that numbers do not depend on what else is installed.
            backend="numpy",
            fit_intercept=False,
            max_iter=MAX_STEPS,
            max_halfstep=halvings,
            gtol=tolerance,
            xtol=tolerance,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model.fit(x, y)
            except np.linalg.LinAlgError:
                continue
        if model.converged_ and np.isfinite(model.coef_).all():
            return model.coef_
    return None

"""What a fitted model says on the probability scale: average marginal effects and predicted probabilities."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from esmi.design import Term, model_matrix, variables_of
from esmi.estimates import Fit

EFFECT_COLUMNS = ["variable", "level", "value", "kind", "estimate", "variance", "scale"]
FIT_COLUMNS = ["df_resid", "n", "events", "reason"]
# Half the step of a central difference, in standard deviations: terms are polynomials of degree three at most, so that
# what it leaves out is of the order of its square.
STEP = 1e-4


def effects(
    fit: Fit,
    data: pd.DataFrame,
    terms: Sequence[Term],
    grid: Mapping[str, Sequence[float]],
    units: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Average marginal effects and predicted probabilities of each variable, ready to be pooled with Rubin's rules.

    `fit`: the fit of all `terms` (knots settled); `data`: the rows it was made from, complete in the variables of the
    terms; `grid`: for each numeric variable the values at which to give probabilities (`design.value_grid`), the
    same for every imputed set; `units`: for a numeric variable the difference whose effect is wanted.

    One row per (variable, kind, level). Everything is averaged over the rows of `data` with the other
    variables as observed (marginal standardisation), and products and splines of the variable follow it:

    - kind "ame", scale "identity": differences between average probabilities. A level against the reference: all
      rows at the level less all rows at the reference. A number with a unit: each row a unit higher less each as
      it is (level "+10"). Without: the average derivative by the variable (level "derivative"), per one unit of it.
    - kind "probability", scale "logit": log-odds of the average probability with all rows at the level, the reference
      included, or at the value.

    Columns: variable, level (the value as text for numbers), value (NaN for levels and effects), kind, estimate,
    variance, scale; of the fit df_resid, n, events, reason. The variance is by the delta method, g'Vg with V the
    covariance of the fit and g the gradient in the coefficients, the covariates of the rows taken as fixed, as in
    Stata's `margins` without vce(unconditional) [Williams 2012; Muller & MacLehose 2014 for standardisation]. A fit
    without estimates gives the same rows with NaN.

    Raises ValueError when `fit` is not of these terms, a value is missing, or a numeric variable has no grid.
    """
    matrix = model_matrix(data, terms)
    if tuple(matrix.columns) != fit.terms:
        raise ValueError(f"the fit has the terms {', '.join(fit.terms)}, the matrix {', '.join(matrix.columns)}")
    if matrix.isna().to_numpy().any():
        raise ValueError("effects are averaged over rows without missing covariates")

    def moved(variable: str, values) -> np.ndarray:
        return model_matrix(data.assign(**{variable: values}), terms).to_numpy()

    rows = []
    for variable in variables_of(terms):
        observed = data[variable]
        if isinstance(observed.dtype, pd.CategoricalDtype):
            rows += _of_levels(fit, variable, observed, moved)
        else:
            unit = (units or {}).get(variable)
            rows += [_unit_effect(fit, variable, observed, moved, unit)] if unit else []
            rows += [] if unit else [_derivative_effect(fit, variable, observed, moved)]
            rows += _of_values(fit, variable, grid, moved)
    table = pd.DataFrame(rows, columns=EFFECT_COLUMNS)
    return table.assign(**{name: getattr(fit, name) for name in FIT_COLUMNS})


def _of_levels(fit: Fit, variable: str, observed: pd.Series, moved: Callable) -> list[tuple]:
    levels = observed.cat.categories
    # Codes from the dtype, so that the columns of the matrix stay those of the model.
    matrices = [
        moved(variable, pd.Categorical.from_codes(np.full(len(observed), code), dtype=observed.dtype))
        for code in range(len(levels))
    ]
    averages = [_average_probability(fit, matrix) for matrix in matrices]
    reference, reference_gradient = averages[0]
    compared = [
        _row(fit, variable, level, np.nan, "ame", average - reference, gradient - reference_gradient)
        for level, (average, gradient) in zip(levels[1:], averages[1:], strict=True)
    ]
    predicted = [
        _probability_row(fit, variable, level, np.nan, average) for level, average in zip(levels, averages, strict=True)
    ]
    return compared + predicted


def _of_values(fit: Fit, variable: str, grid: Mapping[str, Sequence[float]], moved: Callable) -> list[tuple]:
    if variable not in grid:
        raise ValueError(f"the numeric variable {variable} needs values at which to give probabilities")
    return [
        _probability_row(fit, variable, f"{value:.6g}", value, _average_probability(fit, moved(variable, value)))
        for value in grid[variable]
    ]


def _unit_effect(fit: Fit, variable: str, observed: pd.Series, moved: Callable, unit: float) -> tuple:
    low, low_gradient = _average_probability(fit, moved(variable, observed))
    high, high_gradient = _average_probability(fit, moved(variable, observed + unit))
    return _row(fit, variable, f"{unit:+.6g}", np.nan, "ame", high - low, high_gradient - low_gradient)


def _derivative_effect(fit: Fit, variable: str, observed: pd.Series, moved: Callable) -> tuple:
    """The average of p (1 - p) s, the slope of the log-odds s = D b with D the derivative of the matrix."""
    x, half = moved(variable, observed), STEP * observed.std()
    slopes = (moved(variable, observed + half) - moved(variable, observed - half)) / (2 * half)
    log_odds, slope = x @ fit.estimates, slopes @ fit.estimates
    p, density = expit(log_odds), expit(log_odds) * expit(-log_odds)
    gradient = (slopes * density[:, None] + x * (density * (1 - 2 * p) * slope)[:, None]).mean(axis=0)
    return _row(fit, variable, "derivative", np.nan, "ame", (density * slope).mean(), gradient)


def _average_probability(fit: Fit, x: np.ndarray) -> tuple[float, np.ndarray]:
    """The average probability and its gradient in the coefficients."""
    log_odds = x @ fit.estimates
    density = expit(log_odds) * expit(-log_odds)
    return expit(log_odds).mean(), (x * density[:, None]).mean(axis=0)


def _probability_row(fit: Fit, variable: str, level: str, value: float, average: tuple[float, np.ndarray]) -> tuple:
    probability, gradient = average
    on_logit = gradient / (probability * (1 - probability))
    return _row(fit, variable, level, value, "probability", logit(probability), on_logit)


def _row(fit: Fit, variable: str, level: str, value: float, kind: str, estimate: float, gradient: np.ndarray) -> tuple:
    variance = gradient @ fit.covariance @ gradient
    scale = "logit" if kind == "probability" else "identity"
    return (variable, level, value, kind, estimate, variance, scale)

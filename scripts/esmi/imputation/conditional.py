"""The parametric models of one incomplete variable given all others, each with a draw of its parameters.

A draw of missing values takes parameters from (an approximation to) their posterior distribution first and values given
these then, which makes the imputations proper (Rubin 1987, pp. 166-170; van Buuren, Flexible Imputation of Missing
Data, 2nd ed. 2018, sections 3.2, 3.4 and 3.6).
"""

from collections.abc import Callable

import numpy as np
from scipy.linalg import cho_solve, solve_triangular
from scipy.special import expit, logit, softmax

# The share of its sum of squares that is added to each predictor's, as in R mice.
_RIDGE = 1e-5
_SMALLEST_STEP = 1e-6
# Newton's method needs six to ten steps to a finite maximum. Where a predictor is perfect there is none, and the
# coefficients grow by about one at each step without end.
_MOST_STEPS = 20
_MOST_STEPS_AUGMENTED = 100
_MOST_HALVINGS = 30

Likelihood = Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]]
Events = list[tuple[str, str]]


def predictive_mean_matching(
    observed: np.ndarray, x: np.ndarray, x_missing: np.ndarray, donors: int, generator: np.random.RandomState
) -> np.ndarray:
    """Draws of a number by predictive mean matching of type 1 under Bayesian linear regression.

    observed: the observed values; x, x_missing: the predictors in the rows of the observed and the missing values, with
    a column of ones. The coefficients b are those of least squares, b* a draw from their posterior distribution: the
    predictions x b of the observed are matched with the predictions x_missing b* of the missing values, and each draw
    is one of the `donors` nearest observed values, all equally likely (van Buuren 2018, section 3.4.2). Observed values
    with equal predictions are taken in random order for every single draw, in R mice once for all draws.
    """
    gram = x.T @ x
    root = np.linalg.cholesky(gram + _RIDGE * np.diag(gram.diagonal()))
    coefficients = cho_solve((root, True), x.T @ observed)
    residuals = observed - x @ coefficients
    sigma = np.sqrt(residuals @ residuals / generator.chisquare(max(len(observed) - x.shape[1], 1)))
    drawn = coefficients + sigma * _with_precision(root, generator)
    return observed[_matched(x @ coefficients, x_missing @ drawn, donors, generator)]


def _matched(of_donors: np.ndarray, wanted: np.ndarray, donors: int, generator: np.random.RandomState) -> np.ndarray:
    """For each wanted prediction the position of one of the observed values with the nearest predictions."""
    # Rows with the same predictors must count as ties, whatever the rounding error of their products.
    unit = np.abs(of_donors).max() or 1.0
    distinct, cell = np.unique(np.round(of_donors / unit, 10), return_inverse=True)
    members, counts = np.argsort(cell, kind="stable"), np.bincount(cell)
    first = np.cumsum(counts) - counts

    place = np.searchsorted(distinct, wanted / unit)
    window = place[:, None] + np.arange(-donors, donors)
    inside = (window >= 0) & (window < len(distinct))
    window = window.clip(0, len(distinct) - 1)
    distance = np.where(inside, np.abs(distinct[window] - wanted[:, None] / unit), np.inf)
    nearest = np.take_along_axis(window, np.argsort(distance, axis=1, kind="stable"), axis=1)

    # The rank of the donor is drawn, then who has it: in a cell of ties everybody is as likely.
    rank = generator.randint(donors, size=len(wanted))
    chosen = (counts[nearest].cumsum(axis=1) <= rank[:, None]).sum(axis=1)
    cells = nearest[np.arange(len(wanted)), chosen]
    return members[first[cells] + (generator.random_sample(len(wanted)) * counts[cells]).astype(int)]


def multinomial(
    observed: np.ndarray, x: np.ndarray, x_missing: np.ndarray, generator: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray, Events]:
    """Draws of a level by multinomial logistic regression; with two levels it is logistic regression.

    observed: the levels as 0, ..., k - 1, each of them there at least once; x, x_missing: predictors with a column of
    ones first. The parameters are drawn from the normal approximation to their posterior distribution (van Buuren 2018,
    section 3.6.1), under perfect prediction, and only then, from that given augmented data (see `augmented`).

    Returns the drawn levels, their probabilities (missing values, k) and the events.
    """
    start = np.zeros((observed.max(), x.shape[1]))
    start[:, 0] = np.log(np.bincount(observed)[1:] / np.bincount(observed)[0])

    def likelihood(levels: np.ndarray, x: np.ndarray, weights: np.ndarray) -> Likelihood:
        return lambda parameters: _multinomial_likelihood(parameters, levels, x, weights)

    parameters, events = _drawn_parameters(likelihood, start.ravel(), observed, x, generator)
    linear = x_missing @ parameters.reshape(start.shape).T
    probabilities = softmax(np.hstack([np.zeros((len(linear), 1)), linear]), axis=1)
    return _levels(probabilities, generator), probabilities, events


def proportional_odds(
    observed: np.ndarray, x: np.ndarray, x_missing: np.ndarray, generator: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray, Events]:
    """Draws of an ordered level by the proportional odds model, logit P(level <= j) = threshold_j - x slopes.

    Arguments, draw of the parameters and result as in `multinomial`. Drawn thresholds out of order (of levels that are
    hardly there) are put in order by raising the upper one to the lower, which leaves the level between them out.
    """
    cumulated = np.cumsum(np.bincount(observed))[:-1] / len(observed)
    start = np.concatenate([logit(cumulated), np.zeros(x.shape[1] - 1)])

    def likelihood(levels: np.ndarray, x: np.ndarray, weights: np.ndarray) -> Likelihood:
        return lambda parameters: _ordered_likelihood(parameters, levels, x[:, 1:], weights)

    parameters, events = _drawn_parameters(likelihood, start, observed, x, generator)
    thresholds = np.maximum.accumulate(parameters[: len(cumulated)])
    below = expit(thresholds - (x_missing[:, 1:] @ parameters[len(cumulated) :])[:, None])
    edges = np.hstack([np.zeros((len(below), 1)), below, np.ones((len(below), 1))])
    probabilities = np.diff(edges, axis=1)
    return _levels(probabilities, generator), probabilities, events


def augmented(levels: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The data with pseudo-observations that keep all coefficients finite; returns levels, predictors and weights.

    For each of the p predictors and each level there are two, at its mean plus and minus its standard deviation, the
    other predictors at their means; they weigh p + 1 observations together (White, Daniel & Royston 2010, Computational
    Statistics & Data Analysis 54, 2267-2275).
    """
    p, k = x.shape[1] - 1, levels.max() + 1
    spread = np.diag(x[:, 1:].std(axis=0))
    offsets = np.hstack([np.zeros((2 * p, 1)), np.vstack([spread, -spread])])
    pseudo = np.repeat(x.mean(axis=0) + offsets, k, axis=0)
    weights = np.concatenate([np.ones(len(levels)), np.full(len(pseudo), (p + 1) / len(pseudo))])
    return np.concatenate([levels, np.tile(np.arange(k), 2 * p)]), np.vstack([x, pseudo]), weights


def _drawn_parameters(
    likelihood: Callable[[np.ndarray, np.ndarray, np.ndarray], Likelihood],
    start: np.ndarray,
    levels: np.ndarray,
    x: np.ndarray,
    generator: np.random.RandomState,
) -> tuple[np.ndarray, Events]:
    """A draw from the normal approximation at the maximum of the likelihood, of augmented data where it has none."""
    events = []
    fit = _maximum(likelihood(levels, x, np.ones(len(levels))), start, _MOST_STEPS)
    if fit is None:
        events.append(("augmented", "perfect prediction"))
        fit = _maximum(likelihood(*augmented(levels, x)), start, _MOST_STEPS_AUGMENTED)
    if fit is None:
        return start, [("not converged", "drawn from the observed proportions")]
    estimate, root = fit
    return estimate + _with_precision(root, generator), events


def _maximum(likelihood: Likelihood, start: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The maximum and the Cholesky root of the information there, by Newton's method with step halving.

    None where the information is singular or the last step is still large.
    """
    estimate, (value, gradient, information) = start, likelihood(start)
    for _ in range(steps):
        try:
            root = np.linalg.cholesky(information)
        except np.linalg.LinAlgError:
            return None
        step = cho_solve((root, True), gradient)
        if np.abs(step).max() < _SMALLEST_STEP:
            return estimate, root
        for _ in range(_MOST_HALVINGS):
            new = likelihood(estimate + step)
            if new[0] >= value - 1e-9 * abs(value):
                break
            step = step / 2
        estimate, (value, gradient, information) = estimate + step, new
    return None


def _with_precision(root: np.ndarray, generator: np.random.RandomState) -> np.ndarray:
    """A normal draw with mean 0 and the inverse of root root' as its covariance."""
    return solve_triangular(root, generator.standard_normal(len(root)), lower=True, trans="T")


def _levels(probabilities: np.ndarray, generator: np.random.RandomState) -> np.ndarray:
    below = np.cumsum(probabilities, axis=1)[:, :-1]
    return (generator.random_sample((len(below), 1)) >= below).sum(axis=1)


def _multinomial_likelihood(
    parameters: np.ndarray, levels: np.ndarray, x: np.ndarray, weights: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Log-likelihood, gradient and information; the parameters are those of level 1, then of level 2, ..."""
    rows, q = x.shape
    contrasts = len(parameters) // q
    linear = np.hstack([np.zeros((rows, 1)), x @ parameters.reshape(contrasts, q).T])
    largest = linear.max(axis=1, keepdims=True)
    logs = linear - largest - np.log(np.exp(linear - largest).sum(axis=1, keepdims=True))
    p = np.exp(logs[:, 1:])
    residuals = weights[:, None] * ((levels[:, None] == np.arange(1, contrasts + 1)) - p)
    information = np.empty((contrasts, q, contrasts, q))
    for a in range(contrasts):
        for b in range(a + 1):
            part = (x * (weights * p[:, a] * ((a == b) - p[:, b]))[:, None]).T @ x
            information[a, :, b], information[b, :, a] = part, part
    value = weights @ logs[np.arange(rows), levels]
    return value, (residuals.T @ x).ravel(), information.reshape(contrasts * q, contrasts * q)


def _ordered_likelihood(
    parameters: np.ndarray, levels: np.ndarray, x: np.ndarray, weights: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Log-likelihood, gradient and information of the proportional odds model; thresholds before slopes."""
    cuts = len(parameters) - x.shape[1]
    thresholds, linear = parameters[:cuts], x @ parameters[cuts:]
    if (np.diff(thresholds) <= 0).any():
        return -np.inf, np.zeros_like(parameters), np.eye(len(parameters))
    upper = np.append(thresholds, np.inf)[levels] - linear
    lower = np.append(-np.inf, thresholds)[levels] - linear
    # In the upper tail the difference of the complements keeps its digits.
    p = np.where(lower > 0, expit(-lower) - expit(-upper), expit(upper) - expit(lower))
    if (p <= 0).any():
        return -np.inf, np.zeros_like(parameters), np.eye(len(parameters))
    at_upper, at_lower = expit(upper) * expit(-upper), expit(lower) * expit(-lower)
    by_upper, by_lower = at_upper / p, -at_lower / p
    curve_upper = at_upper * (1 - 2 * expit(upper)) / p - by_upper**2
    curve_lower = -at_lower * (1 - 2 * expit(lower)) / p - by_lower**2
    to_upper = np.hstack([levels[:, None] == np.arange(cuts), -x])
    to_lower = np.hstack([levels[:, None] - 1 == np.arange(cuts), -x])
    gradient = to_upper.T @ (weights * by_upper) + to_lower.T @ (weights * by_lower)
    cross = (to_upper * (weights * by_upper * by_lower)[:, None]).T @ to_lower
    information = cross + cross.T
    information -= (to_upper * (weights * curve_upper)[:, None]).T @ to_upper
    information -= (to_lower * (weights * curve_lower)[:, None]).T @ to_lower
    return weights @ np.log(p), gradient, information

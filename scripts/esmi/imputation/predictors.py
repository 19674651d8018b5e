"""The predictors of the parametric imputation models: scaled numbers, indicators, products; which carry news."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

# A predictor is collinear with those before it where they leave less than this share of its variance unexplained: the
# variance inflation would be above a million.
_LEAST_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Encoded:
    """A variable as numbers: itself, or the positions of its values among the levels that were observed.

    numbers: float64, NaN where missing. levels: the codes of the observed levels in the order of the codebook, None for
    a number. labels: the names of its columns as a predictor.
    """

    name: str
    numbers: np.ndarray
    levels: np.ndarray | None
    labels: list[str]


def encoded(column: pd.Series) -> Encoded:
    """The variable with its observed levels only: others can neither predict nor be drawn."""
    if column.dtype == "float64":
        return Encoded(column.name, column.to_numpy(), None, [column.name])
    codes = column.cat.codes.to_numpy()
    levels = np.unique(codes[codes >= 0])
    values = np.where(codes >= 0, np.searchsorted(levels, codes), np.nan)
    return Encoded(
        column.name, values, levels, [f"{column.name}[{column.cat.categories[code]}]" for code in levels[1:]]
    )


def block(variable: Encoded, values: np.ndarray) -> np.ndarray:
    """The columns that complete values of a variable have as predictors, of shape (rows, number of labels).

    A number is centred and scaled by its observed values, which changes no model and keeps the arithmetic accurate; a
    categorical, ordered or not, has an indicator per observed level but the first, as in the analysis models.
    """
    if variable.levels is None:
        spread = np.nanstd(variable.numbers)
        return ((values - np.nanmean(variable.numbers)) / (spread if spread > 0 else 1.0))[:, None]
    return (values[:, None] == np.arange(1, len(variable.levels))).astype(float)


def products_for(target: str, interactions: list[tuple[str, str]], outcomes: list[str]) -> list[tuple[str, str]]:
    """The pairs of variables whose products belong in the imputation model of `target`, sorted.

    interactions: the pairs whose products are in an analysis model. A product that does not involve the target is a
    predictor as it is in the analysis. If the effect of the target v on an outcome y depends on w, the distribution of
    v given the rest depends on the product of w and y (Bartlett et al. 2015, Statistical Methods in Medical Research
    24, 462-487): that is what stands in for the product of v and w.
    """
    pairs = set()
    for pair in interactions:
        if target not in pair:
            pairs.add(tuple(sorted(pair)))
            continue
        other = pair[1] if pair[0] == target else pair[0]
        pairs |= {tuple(sorted((other, outcome))) for outcome in outcomes if outcome not in (target, other)}
    return sorted(pairs)


def assembled(
    variables: list[Encoded], blocks: dict[str, np.ndarray], pairs: list[tuple[str, str]]
) -> tuple[np.ndarray, list[str]]:
    """The predictors as a matrix and their names: the variables in their order, then the products of the pairs."""
    labels = {variable.name: variable.labels for variable in variables}
    columns, names = [blocks[name] for name in labels], [label for group in labels.values() for label in group]
    for one, other in pairs:
        columns.append((blocks[one][:, :, None] * blocks[other][:, None, :]).reshape(len(blocks[one]), -1))
        names += [f"{first}:{second}" for first in labels[one] for second in labels[other]]
    return np.hstack(columns), names


def informative(predictors: np.ndarray, names: list[str]) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Which predictors vary and are no linear combination of those before them, and an event for each of the others.

    predictors: the rows of the observed values of the target, of shape (rows, predictors). Where there are not more
    rows than coefficients, only the constant ones are left out: which of the others would go were a matter of their
    names, so the models are made solvable by their ridge or their pseudo-observations instead.
    """
    varying = predictors.max(axis=0) > predictors.min(axis=0)
    events = [("dropped", f"constant predictor {names[position]}") for position in np.flatnonzero(~varying)]
    kept = np.flatnonzero(varying)
    if len(predictors) <= len(kept) + 1:
        events.append(("stabilised", f"{len(predictors)} observed values for {len(kept)} predictors"))
    else:
        independent = _independent(predictors[:, kept])
        events += [("dropped", f"collinear predictor {names[position]}") for position in kept[~independent]]
        kept = kept[independent]
    return kept, events


def _independent(predictors: np.ndarray) -> np.ndarray:
    """Which columns are independent of those before them: the diagonal of R in X = QR, from the correlation matrix."""
    centred = predictors - predictors.mean(axis=0)
    scaled = centred / np.sqrt((centred**2).sum(axis=0))
    remaining = scaled.T @ scaled
    try:
        if (np.linalg.cholesky(remaining).diagonal() ** 2 > _LEAST_TOLERANCE).all():
            return np.ones(len(remaining), dtype=bool)
    except np.linalg.LinAlgError:
        pass
    independent = remaining.diagonal() > 0
    for position in range(len(remaining)):
        independent[position] = remaining[position, position] > _LEAST_TOLERANCE
        # A column that adds nothing is not swept out: the rounding error that is left of it would be taken for news.
        if independent[position]:
            pivot = remaining[position].copy()
            remaining -= np.outer(pivot, pivot) / pivot[position]
    return independent

"""What all engines of imputation have in common: the data they take, the order of their visits, what they return."""

from collections.abc import Collection

import numpy as np
import pandas as pd

# Square brackets and colons stand for levels and products in the names of terms; LightGBM bears none of these letters.
_FORBIDDEN_IN_NAMES = set('[]{},:"')

TRACE_COLUMNS = ["imputation", "iteration", "variable", "statistic", "level", "value"]


def faults(data: pd.DataFrame, never_filled: Collection[str], ordinal: Collection[str]) -> list[str]:
    """Everything about the data that would stop an imputation or spoil it silently, a sentence each.

    data: one row per unit, default RangeIndex, float64 columns and categoricals only. never_filled: the outcomes.
    ordinal: categoricals whose levels are ordered.
    """
    found = []
    if not (isinstance(data.index, pd.RangeIndex) and data.index.equals(pd.RangeIndex(len(data)))):
        found.append("the rows are not numbered 0, 1, 2, ...: reset the index (identifiers do not belong in the data)")
    found += [f"{name}: appears more than once: keep one" for name in data.columns[data.columns.duplicated()].unique()]
    for role, names in {"never filled": never_filled, "ordinal": ordinal}.items():
        found += [f"{name}: named as {role}, but not in the data" for name in names if name not in data.columns]
    for position, name in enumerate(data.columns):
        found += _faults_of(data.iloc[:, position], name in never_filled, name in ordinal)
    if data.shape[1] < 2:
        found.append("there is no second variable to predict from: add predictors to the imputation model")
    return found


def _faults_of(column: pd.Series, never_filled: bool, ordinal: bool) -> list[str]:
    name = column.name
    if not isinstance(name, str) or any(letter in _FORBIDDEN_IN_NAMES or letter.isspace() for letter in name):
        return [f'{name}: the name must be text without [ ] {{ }} , : " and white space: rename the variable']
    categorical = isinstance(column.dtype, pd.CategoricalDtype)
    if not categorical and column.dtype != np.dtype("float64"):
        return [f"{name}: is stored as {column.dtype}: make it float64 or a categorical"]
    if ordinal and not categorical:
        return [f"{name}: named as ordinal, but is a number: take it off the list of ordinals"]
    observed = column.dropna()
    if observed.empty:
        return [f"{name}: all {len(column)} values are missing: leave it out of the imputation model"]
    if not categorical and np.isinf(observed).any():
        return [f"{name}: {int(np.isinf(observed).sum())} values are infinite: correct them or make them missing"]
    missing = len(column) - len(observed)
    if missing and not never_filled and observed.nunique() < 2:
        return [
            f"{name}: {missing} values are missing and the {len(observed)} observed ones are all the same: leave it out"
            " of the imputation model"
        ]
    return []


def too_few_donors(column: pd.Series, donors: int) -> list[str]:
    """The fault of an incomplete variable that has fewer observed values than donors; none where there are enough."""
    observed = int(column.notna().sum())
    if observed == len(column) or observed >= donors:
        return []
    return [
        f"{column.name}: only {observed} values are observed, fewer than the {donors} donors that each draw needs:"
        " ask for fewer donors or leave it out of the imputation model"
    ]


def visit_sequence(data: pd.DataFrame) -> list[str]:
    """The incomplete variables, by number of missing values, then by name."""
    missing = data.isna().sum()
    return sorted(missing.index[missing > 0], key=lambda name: (missing[name], name))


def by_codes(column: pd.Series, ordinal: Collection[str]) -> bool:
    """Whether the trace of a categorical summarises its codes 0, 1, ...: an ordinal with three levels or more."""
    return column.name in ordinal and len(column.cat.categories) > 2


def filled(column: pd.Series, draws: np.ndarray) -> pd.Series:
    """The column with its missing values, and only these, replaced by the draws, in the order of their rows.

    draws: numbers for a number, codes for a categorical.
    """
    missing = column.isna().to_numpy()
    if column.dtype == "float64":
        values = column.to_numpy(copy=True)
        values[missing] = draws
        return pd.Series(values, index=column.index, name=column.name)
    codes = column.cat.codes.to_numpy(copy=True)
    codes[missing] = draws
    return pd.Series(pd.Categorical.from_codes(codes, dtype=column.dtype), index=column.index, name=column.name)


def summary(column: pd.Series, draws: np.ndarray, ordinal: Collection[str]) -> list[tuple[str, str, str, float]]:
    """Rows (variable, statistic, level, value) of the trace for one variable in one iteration; draws as in `filled`."""
    if column.dtype == "float64" or by_codes(column, ordinal):
        numbers = pd.Series(draws, dtype="float64")
        return [(column.name, "mean", "", numbers.mean()), (column.name, "sd", "", numbers.std())]
    levels = enumerate(column.cat.categories)
    return [(column.name, "proportion", level, float(np.mean(draws == code))) for code, level in levels]


def trace(rows: list[tuple]) -> pd.DataFrame:
    """The trace of a chain from its rows: imputation, iteration, and what `summary` gives."""
    types = {"imputation": "int64", "iteration": "int64", "value": "float64"}
    return pd.DataFrame(rows, columns=TRACE_COLUMNS).astype(types)

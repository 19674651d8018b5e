"""A batch of imputed sets, one below the other, by whatever engine makes them."""

from collections.abc import Callable

import pandas as pd

from esmi.documents import parse
from esmi.forms import passive
from esmi.imputation.delta import Delta
from esmi.variables import Variable

Imputed = tuple[pd.DataFrame, ...]


def run(
    selected: pd.DataFrame, batch: str, derived: dict[str, dict], impute: Callable[[pd.DataFrame, int], Imputed]
) -> Imputed:
    """The sets of one batch, such as "001-010", and whatever else `impute` gives, each one below the other.

    selected: the identifier in the first column, then the variables of the imputation model. derived: the passive
    variables, each as its form in the codebook. impute: from the variables and the number of a set to the completed
    variables and further tables. The sets have the columns imputation, the identifier, the variables, the passive ones.
    """
    data = selected.iloc[:, 1:]
    forms = {name: parse(Variable, form, name) for name, form in derived.items()}
    first, last = map(int, batch.split("-"))
    sets, others = [], []
    for number in range(first, last + 1):
        completed, *further = impute(data, number)
        completed = passive(completed, forms)
        completed.insert(0, selected.columns[0], selected.iloc[:, 0])
        completed.insert(0, "imputation", number)
        sets.append(completed)
        others.append(further)
    tables = [sets, *map(list, zip(*others, strict=True))]
    return tuple(pd.concat(table, ignore_index=True) for table in tables)


def deltas(departure: dict, data: pd.DataFrame) -> dict[str, Delta]:
    """The departure from missing at random of a source, by the variable it is of; none for the main analysis.

    departure: variable, shift, low and high (the range of the variable, None where it has none).
    """
    if not departure["variable"]:
        return {}
    categorical = isinstance(data[departure["variable"]].dtype, pd.CategoricalDtype)
    delta = Delta("logit" if categorical else "score", departure["shift"], departure["low"], departure["high"])
    return {departure["variable"]: delta}

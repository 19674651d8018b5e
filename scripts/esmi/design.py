"""From the terms of a model to its matrix: reference levels, names `variable[level]`, and what the data can support."""

import numpy as np
import pandas as pd

from esmi.errors import ResearchError, listed

INTERCEPT = "(Intercept)"
OUTCOME_LEVELS = ["no", "yes"]


def model_matrix(data: pd.DataFrame, terms: list[str]) -> pd.DataFrame:
    """The matrix of a model with an intercept: one row per row of `data`, float64, `(Intercept)` first.

    A continuous variable is one column of its own name. A categorical variable is one 0/1 column per
    level but the first, which is the reference, named `variable[level]`; a level that no row has keeps
    its column of zeros, so that every imputed set of a model has the same columns (`check_model`
    reports such a level before anything is fitted). Where a variable is missing, all its columns are.

    Raises TypeError for a variable that is neither numeric nor categorical.
    """
    columns = {INTERCEPT: np.ones(len(data))}
    for term in terms:
        columns |= _columns(data, term)
    return pd.DataFrame(columns, index=data.index)


def terms_of(data: pd.DataFrame, variables: list[str]) -> dict[str, list[str]]:
    """The names of the columns that each variable gives to the model matrix, in the order of the matrix."""
    return {variable: list(_columns(data, variable)) for variable in variables}


def events_of(data: pd.DataFrame, outcome: str) -> pd.Series:
    """The outcome as numbers: 1 for `yes`, 0 for `no`, NaN where it is not known; float64, index of `data`.

    Raises ResearchError when the variable is not a categorical with exactly the levels no and yes.
    """
    values = data[outcome]
    if not isinstance(values.dtype, pd.CategoricalDtype) or list(values.cat.categories) != OUTCOME_LEVELS:
        raise ResearchError(
            f"The outcome {outcome} ({len(values)} rows) is not binary with the levels no and yes, in this order. "
            "Give it these two levels in the codebook, or name another outcome."
        )
    codes = values.cat.codes.to_numpy()
    return pd.Series(np.where(codes < 0, np.nan, codes), index=data.index, name=outcome)


def check_model(data: pd.DataFrame, model: str, outcome: str, terms: list[str]) -> pd.DataFrame:
    """What the data offer one model: one row of counts, or one error that lists every fault.

    Columns: model, outcome; n, the rows with a known outcome, and n_outcome_missing, the others, which no
    fit uses; events, non_events; parameters, the coefficients without the intercept; events_per_parameter,
    which counts the rarer of events and non-events (Peduzzi et al. 1996; Harrell 2015, section 4.4), NaN in
    a model without covariates; complete_cases and complete_case_events among the n rows.

    Raises ResearchError when the outcome is not binary or has no events or only events, and when, among the
    rows with a known outcome, a covariate is all missing or constant or a level of it, the reference
    included, has no rows: its coefficient could not be estimated.
    """
    absent = [variable for variable in [outcome, *terms] if variable not in data.columns]
    if absent:
        raise listed(
            f"Model {model}",
            [
                f"{variable} is not among the {data.shape[1]} variables of the cleaned data. "
                "Correct the name in the model, or define the variable in the codebook."
                for variable in absent
            ],
        )
    events = events_of(data, outcome).dropna()
    known = data.loc[events.index]
    faults = _outcome_faults(events, outcome, len(data))
    if len(events):
        faults += [fault for term in terms for fault in _covariate_faults(known[term])]
    if faults:
        raise listed(f"Model {model}", faults)

    matrix = model_matrix(known, terms)
    complete = matrix.notna().all(axis=1)
    n_events = int(events.sum())
    parameters = matrix.shape[1] - 1
    return pd.DataFrame(
        {
            "model": [model],
            "outcome": [outcome],
            "n": [len(events)],
            "n_outcome_missing": [len(data) - len(events)],
            "events": [n_events],
            "non_events": [len(events) - n_events],
            "parameters": [parameters],
            "events_per_parameter": [min(n_events, len(events) - n_events) / parameters if parameters else np.nan],
            "complete_cases": [int(complete.sum())],
            "complete_case_events": [int(events[complete].sum())],
        }
    )


def _columns(data: pd.DataFrame, term: str) -> dict[str, np.ndarray]:
    """The columns of one term; each further kind of term is one more case here."""
    values = data[term]
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes = values.cat.codes.to_numpy()
        return {
            f"{term}[{level}]": np.where(codes < 0, np.nan, codes == code)
            for code, level in enumerate(values.cat.categories)
            if code > 0
        }
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        raise TypeError(f"{term} is {values.dtype}: a variable of a model is numeric or categorical")
    return {term: values.to_numpy(dtype=float, na_value=np.nan)}


def _outcome_faults(events: pd.Series, outcome: str, rows: int) -> list[str]:
    if events.empty:
        return [f"the outcome {outcome} is missing in all {rows} rows. Check its recode, or leave the model out."]
    if events.min() == events.max():
        found = "only events" if events.iloc[0] == 1 else "no events"
        return [
            f"the outcome {outcome} has {found} in the {len(events)} rows where it is known. "
            "Check its recode, or leave the model out."
        ]
    return []


def _covariate_faults(values: pd.Series) -> list[str]:
    """Faults of one covariate, given in the rows with a known outcome."""
    variable, rows, observed = values.name, len(values), values.dropna()
    if observed.empty:
        return [
            f"the covariate {variable} is missing in all {rows} rows with a known outcome. "
            "Check its recode, or take it out of the model."
        ]
    if (observed == observed.iloc[0]).all():
        return [
            f"the covariate {variable} is constant: its {len(observed)} known values, in {rows} rows with a known "
            "outcome, are all the same. Check its recode, or take it out of the model."
        ]
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return []
    counts = observed.value_counts(sort=False)
    return [
        f"the level {level} of the covariate {variable} has 0 of the {len(observed)} known values, in {rows} rows "
        "with a known outcome. Merge the level with another or remove it in the codebook, or take the covariate out "
        "of the model."
        for level in counts.index[counts == 0]
    ]

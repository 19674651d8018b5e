"""From the terms of a model to its matrix: reference levels, names `variable[level]`, and what the data can support."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from esmi.errors import ResearchError, listed

# A variable by its name, {"interaction": [a, b]}, or {"spline": variable, "knots": number or positions}.
Term = str | Mapping

INTERCEPT = "(Intercept)"
OUTCOME_LEVELS = ["no", "yes"]
# Quantile of the first knot by their number; the last mirrors it, the rest are evenly spaced [Harrell 2015, table 2.3].
FIRST_KNOT = {3: 0.10, 4: 0.05, 5: 0.05, 6: 0.05, 7: 0.025}
GRID_QUANTILES = [0.05, 0.25, 0.50, 0.75, 0.95]
FEW_EVENTS_PER_PARAMETER = 10
FEW_EVENTS = 10
FEW_ROWS = 5
FEW_CLUSTERS = 30


def variables_of(terms: Sequence[Term]) -> list[str]:
    """The variables that the terms are made of, each once, in the order of the terms."""
    return list(dict.fromkeys(variable for term in terms for variable in _variables(term)))


def term_name(term: Term) -> str:
    """What a term is called: `age`, `age (spline)`, `pd:ctq_total`."""
    if isinstance(term, str):
        return term
    return f"{term['spline']} (spline)" if "spline" in term else ":".join(term["interaction"])


def resolve_knots(data: pd.DataFrame, terms: Sequence[Term]) -> list[Term]:
    """The terms with the knots of every spline as positions, in units of its variable.

    A number of knots (3 to 7) becomes Harrell's quantiles of the observed values in `data`, the outermost being the
    fifth smallest and fifth largest value when fewer than 100 are observed [Harrell 2015, table 2.3 and section
    2.4.6]; quantiles interpolate linearly (R's type 7). Positions stay as they are. To be done once, on the data
    before imputation, so that a term means the same in every imputed set.

    Raises ResearchError, for all splines at once, when a variable is not numeric, or its knots are fewer than
    three, not in ascending order, or not within the observed values.
    """
    faults = [fault for term in terms for fault in _knot_faults(data, term)]
    if faults:
        raise listed("The splines", faults)
    return [{**term, "knots": _knots(data, term)} if _is_spline(term) else term for term in terms]


def value_grid(data: pd.DataFrame, terms: Sequence[Term]) -> dict[str, list[float]]:
    """For each numeric variable of the terms, its quantiles .05, .25, .50, .75 and .95, of the observed values.

    Where to give predicted probabilities; like knots, to be settled once, on the data before imputation. Quantiles
    that fall together are given once.
    """
    numeric = [variable for variable in variables_of(terms) if not _is_categorical(data[variable])]
    return {variable: np.unique(data[variable].quantile(GRID_QUANTILES)).tolist() for variable in numeric}


def model_matrix(data: pd.DataFrame, terms: Sequence[Term]) -> pd.DataFrame:
    """The matrix of a model with an intercept: one row per row of `data`, float64, `(Intercept)` first.

    A continuous variable is one column of its own name. A categorical variable is one 0/1 column per
    level but the first, which is the reference, named `variable[level]`; a level that no row has keeps
    its column of zeros, so that every imputed set of a model has the same columns (`check_model`
    reports such a level before anything is fitted). Where a variable is missing, all its columns are.

    {"spline": v, "knots": [t1, .., tk]} is a restricted cubic spline, linear beyond the outer knots: k - 1 columns,
    `v` itself and `v'`, `v''`, ..., the truncated cubes divided by (tk - t1)^2 [Harrell 2015, equation 2.25], as R's
    rms::rcs and Stata's `mkspline, cubic` have them.
    {"interaction": [a, b]} is the products of each column of a with each of b (of all columns of a spline), named
    `a:b`, `a[level]:b`; a and b are terms of the model too.

    Raises TypeError for a variable that is neither numeric nor categorical; ValueError for a spline whose knots
    are a number (`resolve_knots`) or an interaction of a variable without a term of its own.
    """
    columns = {INTERCEPT: np.ones(len(data))}
    for own in _columns_by_term(data, terms).values():
        columns |= own
    return pd.DataFrame(columns, index=data.index)


def terms_of(data: pd.DataFrame, terms: Sequence[Term]) -> dict[str, list[str]]:
    """The names of the columns that each term gives to the model matrix, in their order, by `term_name`."""
    return {name: list(own) for name, own in _columns_by_term(data, terms).items()}


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


def check_model(
    data: pd.DataFrame, model: str, outcome: str, terms: Sequence[Term], cluster: str | None = None
) -> pd.DataFrame:
    """What the data offer one model: one row of counts, or one error that lists every fault.

    Columns: model, outcome; n, the rows with a known outcome, and n_outcome_missing, the others, which no
    fit uses; events, non_events; parameters, the coefficients without the intercept; events_per_parameter,
    which counts the rarer of events and non-events (Peduzzi et al. 1996; Harrell 2015, section 4.4), NaN in
    a model without covariates; complete_cases and complete_case_events among the n rows; warning, in words, of few
    events per parameter, few events or rows in a level or in a pair of levels that interact, and few clusters, ""
    where there is none of these.

    Raises ResearchError when the outcome is not binary or has no events or only events; when, among the rows with
    a known outcome, a covariate is all missing or constant or a level of it, the reference included, or a product
    of an interaction, has no rows: its coefficient could not be estimated; when a spline or an interaction is not
    rightly declared, or the cluster of a row is missing.
    """
    named = dict.fromkeys([outcome, *variables_of(terms), *([cluster] if cluster else [])])
    absent = [variable for variable in named if variable not in data.columns]
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
        faults += [fault for variable in variables_of(terms) for fault in _covariate_faults(known[variable])]
        faults += _cluster_faults(known, cluster)
    faults += [fault for term in terms for fault in _knot_faults(data, term)]
    faults += _interaction_faults(terms)
    if faults:
        raise listed(f"Model {model}", faults)

    matrix = model_matrix(known, resolve_knots(data, terms))
    faults = _product_faults(matrix)
    if faults:
        raise listed(f"Model {model}", faults)
    complete = matrix.notna().all(axis=1)
    n_events = int(events.sum())
    parameters = matrix.shape[1] - 1
    warnings = [
        _events_warning(n_events, len(events) - n_events, parameters),
        *_level_warnings(events, known, matrix, variables_of(terms)),
        cluster_warning(known[cluster]) if cluster else "",
    ]
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
            "warning": [" ".join(filter(None, warnings))],
        }
    )


def cluster_warning(clusters: pd.Series) -> str:
    """What to keep in mind with fewer than 30 clusters [Cameron & Miller 2015, section VI]; "" with more."""
    number = clusters.nunique()
    if number >= FEW_CLUSTERS:
        return ""
    return (
        f"{number} clusters ({clusters.name}): with fewer than about {FEW_CLUSTERS}, cluster-robust standard errors "
        "are on average too small and intervals too short (Cameron & Miller 2015)."
    )


def _is_spline(term: Term) -> bool:
    return not isinstance(term, str) and "spline" in term


def _is_categorical(values: pd.Series) -> bool:
    return isinstance(values.dtype, pd.CategoricalDtype)


def _variables(term: Term) -> list[str]:
    if isinstance(term, str):
        return [term]
    return [term["spline"]] if "spline" in term else list(term["interaction"])


def _columns_by_term(data: pd.DataFrame, terms: Sequence[Term]) -> dict[str, dict[str, np.ndarray]]:
    """The columns of each term; products are made of the columns that their variables have in this model."""
    own = {
        _variables(term)[0]: _spline_columns(data, term) if _is_spline(term) else _variable_columns(data, term)
        for term in terms
        if isinstance(term, str) or _is_spline(term)
    }
    return {
        term_name(term): own[_variables(term)[0]]
        if isinstance(term, str) or _is_spline(term)
        else _products(own, term["interaction"])
        for term in terms
    }


def _variable_columns(data: pd.DataFrame, variable: str) -> dict[str, np.ndarray]:
    values = data[variable]
    if _is_categorical(values):
        codes = values.cat.codes.to_numpy()
        return {
            f"{variable}[{level}]": np.where(codes < 0, np.nan, codes == code)
            for code, level in enumerate(values.cat.categories)
            if code > 0
        }
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        raise TypeError(f"{variable} is {values.dtype}: a variable of a model is numeric or categorical")
    return {variable: values.to_numpy(dtype=float, na_value=np.nan)}


def _spline_columns(data: pd.DataFrame, term: Mapping) -> dict[str, np.ndarray]:
    variable, knots = term["spline"], term["knots"]
    if isinstance(knots, int):
        raise ValueError(f"the positions of the {knots} knots of {variable} are not settled: see resolve_knots")
    x = data[variable].to_numpy(dtype=float)
    *inner, before_last, last = knots
    columns = {variable: x}
    for number, knot in enumerate(inner, start=1):
        cubes = (
            _cube_above(x, knot)
            - _cube_above(x, before_last) * (last - knot) / (last - before_last)
            + _cube_above(x, last) * (before_last - knot) / (last - before_last)
        )
        columns[variable + "'" * number] = cubes / (last - knots[0]) ** 2
    return columns


def _cube_above(x: np.ndarray, knot: float) -> np.ndarray:
    return np.maximum(x - knot, 0) ** 3


def _products(own: dict[str, dict[str, np.ndarray]], pair: Sequence[str]) -> dict[str, np.ndarray]:
    absent = [variable for variable in pair if variable not in own]
    if absent:
        raise ValueError(f"the interaction {':'.join(pair)} needs terms of their own for {' and '.join(absent)}")
    a, b = (own[variable] for variable in pair)
    return {f"{name_a}:{name_b}": a[name_a] * b[name_b] for name_a in a for name_b in b}


def _knots(data: pd.DataFrame, term: Mapping) -> list[float]:
    if not isinstance(term["knots"], int):
        return [float(knot) for knot in term["knots"]]
    values = np.sort(data[term["spline"]].dropna().to_numpy(dtype=float))
    first = FIRST_KNOT[term["knots"]]
    knots = np.quantile(values, np.linspace(first, 1 - first, term["knots"]))
    if 10 <= len(values) < 100:
        knots[[0, -1]] = values[[4, -5]]
    return knots.tolist()


def _knot_faults(data: pd.DataFrame, term: Term) -> list[str]:
    if not _is_spline(term):
        return []
    variable = term["spline"]
    values = data[variable].dropna()
    if _is_categorical(values) or not pd.api.types.is_numeric_dtype(values):
        return [f"{variable} is not a number, so that it has no spline. Give its name alone as the term."]
    if isinstance(term["knots"], int) and term["knots"] not in FIRST_KNOT:
        return [
            f"the spline of {variable} has {term['knots']} knots, and {min(FIRST_KNOT)} to "
            f"{max(FIRST_KNOT)} are possible. Change their number, or give their positions."
        ]
    if values.empty:
        return []
    knots = np.array(_knots(data, term))
    if len(knots) < 3 or (np.diff(knots) <= 0).any():
        return [
            f"the knots of the spline of {variable} are not three or more different values in ascending order "
            f"({len(values)} observed values, of which {values.nunique()} differ). Ask for fewer knots, give their "
            "positions, or take the variable as linear."
        ]
    if knots[0] < values.min() or knots[-1] > values.max():
        return [f"the knots of the spline of {variable} are not all within its observed values. Move them inside."]
    return []


def _interaction_faults(terms: Sequence[Term]) -> list[str]:
    own = {_variables(term)[0] for term in terms if isinstance(term, str) or _is_spline(term)}
    pairs = [term["interaction"] for term in terms if not isinstance(term, str) and "interaction" in term]
    faults = [
        f"the interaction {':'.join(pair)} stands in the model without a term for {variable}. List {variable} too."
        for pair in pairs
        for variable in pair
        if variable not in own
    ]
    return faults + [
        f"the interaction {':'.join(pair)} is of a variable with itself. For a curved relation give a spline."
        for pair in pairs
        if pair[0] == pair[1]
    ]


def _product_faults(matrix: pd.DataFrame) -> list[str]:
    return [
        f"the interaction {name} is the same in all {matrix[name].notna().sum()} rows where it and the outcome are "
        "known. Take the interaction out of the model, or merge levels in the codebook."
        for name in matrix.columns[1:]
        if ":" in name and matrix[name].nunique() < 2
    ]


def _cluster_faults(known: pd.DataFrame, cluster: str | None) -> list[str]:
    missing = int(known[cluster].isna().sum()) if cluster else 0
    if not missing:
        return []
    return [
        f"the cluster {cluster} is missing in {missing} of the {len(known)} rows with a known outcome. "
        "Find out to which cluster they belong, or leave out the cluster."
    ]


def _events_warning(events: int, non_events: int, parameters: int) -> str:
    if not parameters or min(events, non_events) >= FEW_EVENTS_PER_PARAMETER * parameters:
        return ""
    return (
        f"{min(events, non_events) / parameters:.1f} events per parameter ({events} events and {non_events} non-events "
        f"for {parameters} parameters), fewer than {FEW_EVENTS_PER_PARAMETER}: odds ratios tend to be too extreme and "
        "intervals unreliable (Peduzzi et al. 1996). The number is a rough guide, and separation matters as much (van "
        "Smeden et al. 2016): consider fewer terms, or Firth's method."
    )


def _level_warnings(events: pd.Series, known: pd.DataFrame, matrix: pd.DataFrame, variables: list[str]) -> list[str]:
    """Levels, and pairs of levels that interact, with few of the rarer of events and non-events, or few rows."""
    places = {
        f"{variable}[{level}]": known[variable] == level
        for variable in variables
        if _is_categorical(known[variable])
        for level in known[variable].cat.categories
    }
    places |= {
        name: matrix[name] == 1
        for name in matrix.columns
        if ":" in name and all(part.endswith("]") for part in name.split(":"))
    }
    value, kind = (1, "events") if events.mean() <= 0.5 else (0, "non-events")
    counts = {name: int((events[rows] == value).sum()) for name, rows in places.items()}
    rows = {name: int(rows.sum()) for name, rows in places.items()}
    return [_fewer(counts, FEW_EVENTS, kind), _fewer(rows, FEW_ROWS, "rows")]


def _fewer(counts: dict[str, int], limit: int, what: str) -> str:
    found = ", ".join(f"{name}: {count}" for name, count in counts.items() if count < limit)
    return f"Fewer than {limit} {what}: {found}." if found else ""


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

"""Multiple imputation by chained parametric models: predictive mean matching, logistic, multinomial, ordinal.

Chained equations as in R mice and Stata's `mi impute chained` (van Buuren, Flexible Imputation of Missing Data, 2nd ed.
2018, section 4.5; White, Royston & Wood 2011, Statistics in Medicine 30, 377-399), the parameters of every model drawn
anew each time (see esmi.imputation.conditional), the products of the analysis models respected.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from esmi.errors import ResearchError, listed
from esmi.imputation import conditional, contract, predictors
from esmi.imputation.delta import Delta, scale_faults, shift_levels, shift_scores
from esmi.imputation.predictors import Encoded
from esmi.imputation.seeds import imputation_seed

# What each kind of variable can be imputed by, the default first.
METHODS = {
    "continuous": ("pmm",),
    "binary": ("logistic", "pmm"),
    "nominal": ("multinomial",),
    "ordinal": ("ordinal", "pmm", "multinomial"),
}

EVENT_COLUMNS = ["imputation", "iteration", "variable", "event", "detail"]


@dataclass(frozen=True)
class _Plan:
    """What one chain is made of; the variables and the targets are in canonical order."""

    variables: dict[str, Encoded]
    targets: list[str]
    methods: dict[str, str]
    pairs: dict[str, list[tuple[str, str]]]
    deltas: Mapping[str, Delta]
    donors: int


def impute(
    data: pd.DataFrame,
    never_filled: Collection[str],
    iterations: int,
    donors: int,
    seed: int,
    imputation: int,
    ordinal: Collection[str] = (),
    methods: Mapping[str, str] | None = None,
    interactions: Collection[Collection[str]] = (),
    outcomes: Literal["left-missing", "filled-then-deleted"] = "filled-then-deleted",
    deltas: Mapping[str, Delta] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """One imputation of the variables of an imputation model.

    data: one row per unit, default RangeIndex, float64 columns and categoricals only, no identifier. Rows belong in a
        canonical order (sorted by identifier), for the draws depend on it; the order of columns has no effect.
    never_filled: variables (the outcomes) that are filled inside the chain, where they are targets and predictors as
        all others, and are missing again in the result (von Hippel 2007, Sociological Methodology 37, 83-117).
    iterations: cycles through all incomplete variables; the values of the last one are returned.
    donors: how many observed values with the nearest predictions each draw by predictive mean matching is made from.
    seed, imputation: the study's seed and the number of this imputation; together they fix every draw.
    ordinal: categoricals whose levels are ordered in the codebook's order.
    methods: by variable, where it is not the default of its kind, which comes first in `METHODS`. pmm imputes a binary
        or an ordinal variable through its codes 0, 1, ...
    interactions: pairs of variables whose products are in an analysis model. The products are passive: computed from
        the newest values wherever they predict (see `predictors.products_for`).
    outcomes: "left-missing" is possible only where no outcome is missing, for these models need values of all
        predictors.
    deltas: by variable, the shift of its draws away from missing at random: on the score scale for a number, on the
        logit scale for a binary variable that is imputed by logistic regression. Later draws see the shifted values.

    Incomplete variables, outcomes included, are visited from the least to the most missing, ties in the order of their
    names, each given the newest values of all others. As predictors all categoricals have an indicator per level.

    Returns the completed data (columns, dtypes and observed values as in `data`), the trace of the chain (imputation,
    iteration, variable, statistic of the values imputed in that iteration: "mean" and sample "sd" of numbers and of the
    codes of ordinals, "proportion" of each level of other categoricals; level, value; the fills of the outcomes are not
    in it) and the events: imputation, iteration, variable, event, detail. Events are "dropped" (a predictor that is
    constant or collinear among the rows in which the variable is observed), "stabilised" (not more observed values than
    coefficients: all predictors are kept, under the ridge or with pseudo-observations), "augmented" (perfect
    prediction: the model was fitted with pseudo-observations), "one level" (an outcome without a second level, filled
    with the only one) and "not converged" (drawn from the observed proportions).

    Raises ResearchError: unsuitable index, names, types, methods, interactions or deltas, infinite values, no observed
    value, one distinct observed value or fewer observed values than `donors` in an incomplete variable, or outcomes
    left missing.
    """
    methods, deltas = methods or {}, deltas or {}
    _check(data, never_filled, donors, ordinal, methods, interactions, outcomes, deltas)
    plan = _planned(data, never_filled, donors, ordinal, methods, interactions, deltas)
    reported = [name for name in plan.targets if name not in never_filled]
    completed, rows, events, draws = data.copy(), [], [], {}
    for iteration, draws, happened in _chain(plan, iterations, imputation_seed(seed, imputation)):
        for name in reported:
            rows += [(imputation, iteration, *row) for row in contract.summary(data[name], draws[name], ordinal)]
        events += [(imputation, iteration, *event) for event in happened]
    for name in reported:
        completed[name] = contract.filled(data[name], draws[name])
    types = {"imputation": "int64", "iteration": "int64"}
    return completed, contract.trace(rows), pd.DataFrame(events, columns=EVENT_COLUMNS).astype(types)


def _planned(
    data: pd.DataFrame,
    never_filled: Collection[str],
    donors: int,
    ordinal: Collection[str],
    methods: Mapping[str, str],
    interactions: Collection[Collection[str]],
    deltas: Mapping[str, Delta],
) -> _Plan:
    targets = contract.visit_sequence(data)
    return _Plan(
        variables={name: predictors.encoded(data[name]) for name in sorted(data.columns)},
        targets=targets,
        methods={name: methods.get(name, METHODS[_kind(data[name], ordinal)][0]) for name in targets},
        pairs={name: predictors.products_for(name, interactions, never_filled) for name in targets},
        deltas=deltas,
        donors=donors,
    )


def _chain(
    plan: _Plan, iterations: int, seed: int
) -> Iterator[tuple[int, dict[str, np.ndarray], list[tuple[str, str, str]]]]:
    """After each iteration its number, the draws of each target (numbers or codes) and the events.

    This is the whole of the sampling: what comes in is canonical, and `seed` is its only source of chance.
    """
    # RandomState, because its stream never changes between versions of NumPy. Shifts have a generator of their own, so
    # that a shift of 0 leaves every draw as it is.
    generator, shifting = np.random.RandomState(seed), np.random.RandomState([seed, 1])
    missing = {target: np.isnan(plan.variables[target].numbers) for target in plan.targets}
    values = {name: variable.numbers.copy() for name, variable in plan.variables.items()}
    for target in plan.targets:
        observed = values[target][~missing[target]]
        values[target][missing[target]] = generator.choice(observed, size=missing[target].sum())
    blocks = {name: predictors.block(variable, values[name]) for name, variable in plan.variables.items()}

    for iteration in range(1, iterations + 1):
        draws, happened = {}, []
        for target in plan.targets:
            variable = plan.variables[target]
            drawn, events = _drawn(plan, variable, missing[target], blocks, generator, shifting)
            values[target][missing[target]] = drawn
            blocks[target] = predictors.block(variable, values[target])
            draws[target] = drawn if variable.levels is None else variable.levels[drawn.astype(int)]
            happened += [(target, *event) for event in events]
        yield iteration, draws, happened


def _drawn(
    plan: _Plan,
    variable: Encoded,
    missing: np.ndarray,
    blocks: dict[str, np.ndarray],
    generator: np.random.RandomState,
    shifting: np.random.RandomState,
) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Draws of the missing values of one variable given the newest values of all others, and the events."""
    observed = variable.numbers[~missing]
    if variable.levels is not None and len(variable.levels) == 1:
        return np.zeros(missing.sum()), [("one level", "filled with the only observed level")]
    others = [other for name, other in plan.variables.items() if name != variable.name]
    matrix, names = predictors.assembled(others, blocks, plan.pairs[variable.name])
    kept, events = predictors.informative(matrix[~missing], names)
    matrix = np.hstack([np.ones((len(matrix), 1)), matrix[:, kept]])
    x, x_missing = matrix[~missing], matrix[missing]

    delta, method = plan.deltas.get(variable.name), plan.methods[variable.name]
    if method == "pmm":
        draws = conditional.predictive_mean_matching(observed, x, x_missing, plan.donors, generator)
        return draws if delta is None else shift_scores(draws, delta), events
    model = conditional.proportional_odds if method == "ordinal" else conditional.multinomial
    draws, probabilities, further = model(observed.astype(int), x, x_missing, generator)
    if delta is not None:
        draws = shift_levels(draws == 1, probabilities[:, 1], delta, shifting)
    return draws.astype(float), events + further


def _kind(column: pd.Series, ordinal: Collection[str]) -> str:
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return "continuous"
    if len(column.cat.categories) <= 2:
        return "binary"
    return "ordinal" if column.name in ordinal else "nominal"


def _check(
    data: pd.DataFrame,
    never_filled: Collection[str],
    donors: int,
    ordinal: Collection[str],
    methods: Mapping[str, str],
    interactions: Collection[Collection[str]],
    outcomes: str,
    deltas: Mapping[str, Delta],
) -> None:
    """Raise one ResearchError with everything that would stop the imputation or spoil it silently."""
    faults = contract.faults(data, never_filled, ordinal)
    named = {"a method": methods, "an interaction": [n for pair in interactions for n in pair], "a delta": deltas}
    for what, names in named.items():
        unknown = sorted(set(names) - set(data.columns))
        faults += [f"{name}: {what} is given for it, but it is not in the data" for name in unknown]
    if not faults:
        kinds = {name: _kind(data[name], ordinal) for name in data.columns}
        chosen = {name: methods.get(name, METHODS[kind][0]) for name, kind in kinds.items()}
        faults += _method_faults(methods, kinds) + scale_faults(deltas, data)
        faults += [
            f"{name}: a delta on the logit scale needs method logistic, not {chosen[name]}"
            for name in sorted(deltas)
            if kinds[name] == "binary" and chosen[name] != "logistic"
        ]
        by_pmm = sorted(name for name, method in chosen.items() if method == "pmm")
        faults += [fault for name in by_pmm for fault in contract.too_few_donors(data[name], donors)]
    if faults:
        raise listed("The data cannot be imputed", faults)
    incomplete = sorted(name for name in never_filled if data[name].isna().any())
    if outcomes == "left-missing" and incomplete:
        raise ResearchError(
            f"imputation.outcomes: left-missing is not possible with engine: chained, whose models need values of "
            f"all predictors, and {', '.join(incomplete)} have missing values: choose filled-then-deleted"
        )


def _method_faults(methods: Mapping[str, str], kinds: dict[str, str]) -> list[str]:
    return [
        f"{name}: method {method!r} is not for a {kinds[name]} variable: choose one of "
        f"{', '.join(METHODS[kinds[name]])}"
        for name, method in sorted(methods.items())
        if method not in METHODS[kinds[name]]
    ]

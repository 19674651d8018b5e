"""Multiple imputation by chained equations with gradient-boosted trees (as miceforest 6.0.5), approximately proper.

The conditional models are LightGBM ensembles; values are drawn by predictive mean matching (Little 1988; van Buuren,
Flexible Imputation of Missing Data, 2nd ed. 2018, section 3.4). The algorithm is that of the library miceforest with
the repairs of `esmi.imputation.kernel`, on arrays instead of data frames: the same draws to the last bit, in a fraction
of the time. The parameters of `PRESETS` gave valid intervals in simulation.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

import numpy as np
import pandas as pd
from lightgbm import Booster, Dataset
from scipy.spatial import KDTree

from esmi.errors import ResearchError, listed
from esmi.imputation import contract
from esmi.imputation.delta import Delta, scale_faults, shift_levels, shift_scores
from esmi.imputation.seeds import imputation_seed

# Every draw depends on the library, and a method of it that is not public is called: no other version will do.
if version("lightgbm") != "4.6.0":
    raise ResearchError(
        f"lightgbm {version('lightgbm')} is installed, but the imputation was checked with version 4.6.0 only: install"
        " lightgbm==4.6.0"
    )

_COMMON = {
    "boosting": "gbdt",
    "learning_rate": 0.1,
    "min_data_in_leaf": 5,
    "min_sum_hessian_in_leaf": 0.1,
    "bagging_freq": 1,
    "feature_fraction_bynode": 1.0,
    # With the library's default of 4 a nominal predictor with five or more levels gets no split at a few hundred rows.
    "max_cat_to_onehot": 10,
    "num_threads": 1,
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
}

# LightGBM parameters. "stumps" fits additive main effects, "trees" (4 leaves) also interactions of two variables.
PRESETS: dict[str, dict[str, str | int | float | bool]] = {
    "stumps": {**_COMMON, "num_iterations": 60, "num_leaves": 2, "bagging_fraction": 0.8},
    "trees": {**_COMMON, "num_iterations": 40, "num_leaves": 4, "bagging_fraction": 0.632},
}

_MOST_RESAMPLES = 1000


@dataclass(frozen=True)
class _Target:
    """An incomplete variable in the matrix of the encoded data: its column, its rows, what its model is made of."""

    name: str
    column: int
    observed: np.ndarray
    missing: np.ndarray
    # The number of levels of a categorical, 0 for numbers.
    levels: int
    predictors: np.ndarray
    # Positions among the predictors.
    categorical_predictors: list[int]
    parameters: dict[str, str | int | float | bool]


def impute(
    data: pd.DataFrame,
    never_filled: Collection[str],
    preset: str,
    iterations: int,
    donors: int,
    seed: int,
    imputation: int,
    ordinal: Collection[str] = (),
    outcomes: Literal["left-missing", "filled-then-deleted"] = "left-missing",
    deltas: Mapping[str, Delta] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One imputation of the variables of an imputation model.

    data: one row per unit, default RangeIndex, float64 columns and categoricals only, no identifier. Rows belong in a
        canonical order (sorted by identifier), for the draws depend on it; the order of columns has no effect.
    never_filled: variables (the outcomes) that predict the others and are missing in the result where they are missing.
    preset: a name in `PRESETS`.
    iterations: cycles through all incomplete variables; the values of the last one are returned.
    donors: how many observed values with the nearest predictions each draw is made from.
    seed, imputation: the study's seed and the number of this imputation; together they fix every draw.
    ordinal: categoricals whose levels are ordered in the codebook's order. With three levels or more they are imputed
        through their codes 0, 1, ... by predictive mean matching; all other categoricals through the log-odds of their
        levels, without regard to order.
    outcomes: "left-missing", the outcomes are missing as predictors too, which trees split on as on a value; "filled-
        then-deleted", they are imputed inside the chain as all others and missing again in the result (von Hippel 2007,
        Sociological Methodology 37, 83-117), all but those of which a single value is observed.
    deltas: by variable, the shift of its draws away from missing at random: on the score scale for a number, on the
        logit scale for a binary variable, of the probability that the model gives the row. Later draws see the shifted
        values.

    Variables are visited from the least to the most missing, ties in the order of their names.

    Returns the completed data (columns, dtypes and observed values as in `data`) and the trace of the chain:
    imputation, iteration, variable, statistic of the values imputed in that iteration ("mean" and sample "sd" of
    numbers and of the codes of ordinals; "proportion" of each level of other categoricals), level ("" for mean and sd),
    value (sd is missing where a single value was imputed). The fills of the outcomes are not in it.

    Raises ResearchError: unknown preset or variable, unsuitable index, names, types or deltas, infinite values, no
    observed value, one distinct observed value or fewer observed values than `donors` in an incomplete variable, or
    levels too rare for a bootstrap sample to hold them all.
    """
    deltas = deltas or {}
    targets = _check(data, never_filled, preset, donors, ordinal, outcomes, deltas)
    encoded = _encoded(data, ordinal)
    reported = [name for name in targets if name not in never_filled]
    completed, rows, draws = data.copy(), [], {}
    chain = _chained_draws(encoded, targets, preset, iterations, donors, imputation_seed(seed, imputation), deltas)
    for iteration, encoded_draws in enumerate(chain, start=1):
        draws = {name: _decoded(encoded_draws[name], encoded[name], data[name]) for name in reported}
        for name in reported:
            rows += [(imputation, iteration, *row) for row in contract.summary(data[name], draws[name], ordinal)]
    for name in draws:
        completed[name] = contract.filled(data[name], draws[name])
    return completed, contract.trace(rows)


def bootstrap_sample(values: np.ndarray, categorical: bool, variable: str, seed: int) -> np.ndarray:
    """Positions of a bootstrap sample of the observed values of a variable, from the seed of its model.

    A categorical's sample holds every level: a classifier that has not seen a level gives it a probability of 0, whose
    log-odds are infinite. So a sample that lacks one is drawn again: the bootstrap given that every level is there.

    Raises ResearchError where a thousand samples all lack one.
    """
    # RandomState, because its stream never changes between versions of NumPy.
    generator = np.random.RandomState(seed)
    if not categorical:
        return generator.randint(values.size, size=values.size)
    levels = np.unique(values).size
    for _ in range(_MOST_RESAMPLES):
        drawn = generator.randint(values.size, size=values.size)
        if np.unique(values[drawn]).size == levels:
            return drawn
    raise ResearchError(
        f"{variable}: its levels are too rare to be imputed: none of {_MOST_RESAMPLES} bootstrap samples of its "
        f"{values.size} observed values held all {levels} levels. Merge its rare levels"
    )


def matched_donors(
    of_missing: np.ndarray, of_observed: np.ndarray, donors: int, generator: np.random.RandomState
) -> np.ndarray:
    """For each missing value the position of one of the `donors` observed values with the nearest predictions.

    of_missing, of_observed: predictions, a row per value (one column, or one per level). Each of the nearest is taken
    with equal probability. Observed values with equal predictions come in random order, anew for each missing value: a
    fixed order would make a handful of them donors to all rows with the same values of the predictors, and with few
    predictors or binary ones the variance between imputations would be several times too large.
    """
    distinct, group_of, sizes = np.unique(_finite(of_observed), axis=0, return_inverse=True, return_counts=True)
    # balanced_tree: the default recurses without end where many points agree in one coordinate.
    tree = KDTree(distinct, leafsize=16, balanced_tree=False)
    _, nearest = tree.query(_finite(of_missing), k=range(1, min(donors, len(distinct)) + 1))
    rank = generator.randint(donors, size=len(of_missing))
    groups_before = (np.cumsum(sizes[nearest], axis=1) <= rank[:, None]).sum(axis=1)
    group = nearest[np.arange(len(rank)), groups_before]
    member = (generator.random_sample(len(rank)) * sizes[group]).astype(int)
    return np.argsort(group_of.ravel(), kind="stable")[(np.cumsum(sizes) - sizes)[group] + member]


def _chained_draws(
    encoded: pd.DataFrame,
    targets: Collection[str],
    preset: str,
    iterations: int,
    donors: int,
    seed: int,
    deltas: Mapping[str, Delta],
) -> Iterator[dict[str, np.ndarray]]:
    """After each iteration, the imputed values of each target (numbers or encoded codes, in the order of their rows).

    This is the whole of the sampling: what comes in is canonical, and `seed` is its only source of chance.
    """
    # Shifts have a generator of their own, so that a shift of 0 leaves every draw as it is.
    generator, shifting = np.random.RandomState(seed), np.random.RandomState([seed, 1])
    values = np.column_stack([_numbers(encoded[name]) for name in encoded.columns])
    plan = [_target(encoded, name, preset) for name in targets]
    for target in plan:
        observed = values[target.observed, target.column]
        values[target.missing, target.column] = generator.choice(observed, size=target.missing.size)
    for _ in range(iterations if plan else 0):
        for target in plan:
            draws = _drawn(values, target, donors, generator, deltas.get(target.name), shifting)
            # At once: each variable is drawn given the newest values of all others.
            values[target.missing, target.column] = draws
        yield {target.name: values[target.missing, target.column] for target in plan}


def _drawn(
    values: np.ndarray,
    target: _Target,
    donors: int,
    generator: np.random.RandomState,
    delta: Delta | None,
    shifting: np.random.RandomState,
) -> np.ndarray:
    """Draws of the missing values of one variable given the newest values of all others."""
    seed = int(generator.randint(np.iinfo("int32").max, size=1, dtype="int32")[0])
    observed = values[target.observed, target.column]
    # The models and the donors of each draw come from a bootstrap sample: it stands for the draw of the parameters.
    sample = bootstrap_sample(observed, target.levels > 0, target.name, seed)
    of_observed, of_missing = _predictions(values, target, sample, seed)
    chosen = matched_donors(_linked(of_missing, target), _linked(of_observed, target), donors, generator)
    draws = observed[sample[chosen]]
    if delta is None:
        return draws
    if target.levels == 0:
        return shift_scores(draws, delta)
    return shift_levels(draws == 1, of_missing, delta, shifting).astype(float)


def _predictions(values: np.ndarray, target: _Target, sample: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of a model of the sampled observed values: for the sample itself and for the missing values.

    They are numbers, probabilities of the second level, or a column of probabilities per level.
    """
    rows = target.observed[sample]
    parameters = {**target.parameters, "seed": seed}
    training = Dataset(
        values[np.ix_(rows, target.predictors)],
        label=values[rows, target.column],
        categorical_feature=target.categorical_predictors,
        params=parameters,
    )
    model = Booster(params=parameters, train_set=training)
    for _ in range(parameters["num_iterations"]):
        model.update()
    # What the model holds of its training data, without going through the trees again.
    of_sample = model._Booster__inner_predict(0)
    return of_sample, model.predict(values[np.ix_(target.missing, target.predictors)])


def _linked(predictions: np.ndarray, target: _Target) -> np.ndarray:
    """Predictions as they are matched, a row per value: numbers as they are, probabilities as log-odds."""
    if target.levels == 0:
        return predictions.reshape(-1, 1)
    with np.errstate(divide="ignore"):
        # In half precision, as in miceforest.
        return np.log(predictions / (1 - predictions)).astype("float16").reshape(len(predictions), -1)


def _finite(predictions: np.ndarray) -> np.ndarray:
    # A rare level that another variable predicts perfectly can be given a probability of 1 within rounding. The search
    # for donors stops at infinite log-odds, so they become the largest finite number: still the extreme.
    return np.nan_to_num(predictions, nan=np.nan)


def _target(encoded: pd.DataFrame, name: str, preset: str) -> _Target:
    missing = encoded[name].isna().to_numpy()
    column = encoded.columns.get_loc(name)
    predictors = np.delete(np.arange(encoded.shape[1]), column)
    categorical = [isinstance(encoded.dtypes.iloc[position], pd.CategoricalDtype) for position in predictors]
    levels = 0 if encoded[name].dtype == "float64" else len(encoded[name].cat.categories)
    objectives = {0: {"objective": "regression"}, 2: {"objective": "binary"}}
    return _Target(
        name=name,
        column=column,
        observed=np.flatnonzero(~missing),
        missing=np.flatnonzero(missing),
        levels=levels,
        predictors=predictors,
        categorical_predictors=[int(position) for position in np.flatnonzero(categorical)],
        parameters={**PRESETS[preset], **objectives.get(levels, {"objective": "multiclass", "num_class": levels})},
    )


def _encoded(data: pd.DataFrame, ordinal: Collection[str]) -> pd.DataFrame:
    """Columns in the order of their names; ordinals as float codes, other categoricals unordered, observed levels only.

    LightGBM would treat an ordered categorical as a number, and a level that is never observed cannot be predicted.
    """
    encoded = {}
    for name in sorted(data.columns):
        column = data[name]
        if column.dtype != "float64" and contract.by_codes(column, ordinal):
            column = column.cat.codes.astype("float64").where(column.notna())
        elif column.dtype != "float64":
            column = column.cat.remove_unused_categories().cat.as_unordered()
        encoded[name] = column
    return pd.DataFrame(encoded)


def _numbers(column: pd.Series) -> np.ndarray:
    if column.dtype == "float64":
        return column.to_numpy()
    return column.cat.codes.astype("float64").where(column.notna()).to_numpy()


def _decoded(draws: np.ndarray, encoded: pd.Series, column: pd.Series) -> np.ndarray:
    """Draws in the codes of the encoded column as draws in those of the column itself."""
    if encoded.dtype == "float64":
        return draws
    return column.cat.categories.get_indexer(encoded.cat.categories)[draws.astype(int)]


def _check(
    data: pd.DataFrame,
    never_filled: Collection[str],
    preset: str,
    donors: int,
    ordinal: Collection[str],
    outcomes: str,
    deltas: Mapping[str, Delta],
) -> list[str]:
    """The variables to be imputed, in the order of their visits.

    Raises one ResearchError with everything that would stop the imputation or spoil it silently.
    """
    faults = [] if preset in PRESETS else [f"preset {preset!r} is unknown: choose one of {', '.join(PRESETS)}"]
    faults += contract.faults(data, never_filled, ordinal)
    if faults:
        raise listed("The data cannot be imputed", faults)
    if outcomes == "left-missing":
        left = list(never_filled)
    else:
        left = [name for name in never_filled if data[name].nunique() < 2]
    targets = contract.visit_sequence(data.drop(columns=left))
    faults = [fault for name in targets for fault in contract.too_few_donors(data[name], donors)]
    faults += scale_faults(deltas, data)
    faults += [f"{name}: a delta is given for it, but it stays missing" for name in deltas if name in left]
    if faults:
        raise listed("The data cannot be imputed", faults)
    return targets

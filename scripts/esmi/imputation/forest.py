"""Multiple imputation by chained equations with gradient-boosted trees (miceforest), made approximately proper.

The conditional models are LightGBM ensembles; values are drawn by predictive mean matching (Little 1988; van Buuren,
Flexible Imputation of Missing Data, 2nd ed. 2018, section 3.4). The library is used with three repairs, see
`RepairedKernel`, and with the two sets of parameters that gave valid intervals in simulation, see `PRESETS`.
"""

from collections.abc import Collection, Iterator
from importlib.metadata import version

import numpy as np
import pandas as pd
from miceforest import ImputationKernel

from esmi.errors import ResearchError, listed
from esmi.imputation.seeds import imputation_seed

# The repairs override private methods, and every draw depends on both libraries: no other version will do.
for _library, _required in {"miceforest": "6.0.5", "lightgbm": "4.6.0"}.items():
    if version(_library) != _required:
        raise ResearchError(
            f"{_library} {version(_library)} is installed, but the imputation was repaired and checked with version "
            f"{_required} only: install {_library}=={_required}"
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
}

# LightGBM parameters. "stumps" fits additive main effects, "trees" (4 leaves) also interactions of two variables.
PRESETS: dict[str, dict[str, str | int | float | bool]] = {
    "stumps": {**_COMMON, "num_iterations": 60, "num_leaves": 2, "bagging_fraction": 0.8},
    "trees": {**_COMMON, "num_iterations": 40, "num_leaves": 4, "bagging_fraction": 0.632},
}

# LightGBM stores its models as JSON-like text, in which these characters and white space are not allowed in names.
_FORBIDDEN_IN_NAMES = set('[]{},:"')

_MOST_RESAMPLES = 1000


class RepairedKernel(ImputationKernel):
    """The kernel of miceforest 6.0.5 with sequential updating, all observed rows in use, and a bootstrap per model.

    With these the chain is a Gibbs-like sampler (each variable given the newest draws of all others) and the
    imputations are approximately proper: the bootstrap stands for the draw of the parameters (Rubin 1987, p. 124;
    van Buuren 2018, section 3.2.2).
    """

    def __setitem__(self, key: tuple[str, int, int], draws: pd.Series) -> None:
        """Store the draws of (variable, iteration, dataset) and use them at once.

        The stock kernel puts a draw into the working data only when the next iteration starts, so variables missing
        in the same rows would be imputed given each other's values of the previous iteration, all but independently.
        """
        super().__setitem__(key, draws)
        variable, iteration, _ = key
        # The random fill (iteration 0) is drawn while observed values are still being read from the working data.
        if iteration > 0:
            self.working_data.loc[self.na_where[variable], variable] = draws

    def _get_nonmissing_index(self, variable: str) -> np.ndarray:
        # The stock kernel counts rows in the smallest integer type that holds the last missing row: with that row at
        # 255 or before, rows from 256 on would neither train a model nor donate a value.
        observed = np.ones(self.shape[0], dtype=bool)
        observed[self.na_where[variable]] = False
        return np.flatnonzero(observed)

    def _get_nonmissing_subset_index(self, variable: str, seed: int) -> np.ndarray:
        # Training rows and donors are a bootstrap sample of the observed rows, or the imputations would all treat one
        # fitted model as the truth. The model's own seed makes it, so that the same rows can be had again.
        # RandomState, because its stream never changes between versions of NumPy.
        generator = np.random.RandomState(seed)
        rows = self._get_nonmissing_index(variable)
        values = self.working_data[variable].iloc[rows]
        if values.dtype.name != "category":
            return rows[generator.randint(rows.size, size=rows.size)]
        # A classifier that has not seen a level gives it a probability of 0, whose log-odds are infinite. So a sample
        # that lacks an observed level is drawn again: the bootstrap given that every observed level is there.
        codes = values.cat.codes.to_numpy()
        levels = np.unique(codes).size
        for _ in range(_MOST_RESAMPLES):
            drawn = generator.randint(rows.size, size=rows.size)
            if np.unique(codes[drawn]).size == levels:
                return rows[drawn]
        raise ResearchError(
            f"{variable}: its levels are too rare to be imputed: none of {_MOST_RESAMPLES} bootstrap samples of its "
            f"{rows.size} observed values held all {levels} levels. Merge its rare levels"
        )

    @staticmethod
    def _mean_match_nearest_neighbors(
        mean_match_candidates: int,
        bachelor_preds: pd.DataFrame,
        candidate_preds: pd.DataFrame,
        candidate_values: pd.Series,
        random_state: np.random.RandomState,
        hashed_seeds: np.ndarray | None = None,
    ) -> pd.Series:
        # A rare level that another variable predicts perfectly can be given a probability of 1 within rounding. The
        # search for donors stops at the infinite log-odds, so it becomes the largest finite number: still the extreme.
        return ImputationKernel._mean_match_nearest_neighbors(
            mean_match_candidates=mean_match_candidates,
            bachelor_preds=_finite(bachelor_preds),
            candidate_preds=_finite(candidate_preds),
            candidate_values=candidate_values,
            random_state=random_state,
            hashed_seeds=hashed_seeds,
        )


def impute(
    data: pd.DataFrame,
    never_filled: Collection[str],
    preset: str,
    iterations: int,
    donors: int,
    seed: int,
    imputation: int,
    ordinal: Collection[str] = (),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One imputation of the variables of an imputation model.

    data: one row per unit, default RangeIndex, float64 columns and categoricals only, no identifier. Rows belong in a
        canonical order (sorted by identifier), for the draws depend on it; the order of columns has no effect.
    never_filled: variables (the outcomes) that predict the others and stay missing where they are missing.
    preset: a name in `PRESETS`.
    iterations: cycles through all incomplete variables; the values of the last one are returned.
    donors: how many observed values with the nearest predictions each draw is made from.
    seed, imputation: the study's seed and the number of this imputation; together they fix every draw.
    ordinal: categoricals whose levels are ordered in the codebook's order. With three levels or more they are imputed
        through their codes 0, 1, ... by predictive mean matching; all other categoricals through the log-odds of their
        levels, without regard to order.

    Incomplete variables are visited from the least to the most missing, ties in the order of their names, each given
    the newest values of all others.

    Returns the completed data (columns, dtypes and observed values as in `data`) and the trace of the chain, which
    summarises the imputed values only: imputation, iteration (1 to `iterations`), variable, statistic ("mean" and "sd"
    of numbers and of the codes of ordinals; "proportion" of each level of other categoricals), level ("" for mean and
    sd), value (sd is missing where a single value was imputed).

    Raises ResearchError: unknown preset or variable, unsuitable index, names, types, infinite values, no observed
    value, one distinct observed value or fewer observed values than `donors` in an incomplete variable, or levels too
    rare for a bootstrap sample to hold them all.
    """
    _check(data, never_filled, preset, donors, ordinal)
    encoded = _encoded(data, ordinal)
    targets = _visit_sequence(data, never_filled)
    completed, summaries = data.copy(), []
    if targets:
        chain = _chained_draws(encoded, targets, preset, iterations, donors, imputation_seed(seed, imputation))
        for iteration, draws in enumerate(chain, start=1):
            summaries += [
                (imputation, iteration, *row) for name in targets for row in _summary(draws[name], data[name])
            ]
        for name in targets:
            completed[name] = _filled(data[name], draws[name])
    columns = ["imputation", "iteration", "variable", "statistic", "level", "value"]
    types = {"imputation": "int64", "iteration": "int64", "value": "float64"}
    return completed, pd.DataFrame(summaries, columns=columns).astype(types)


def _chained_draws(
    encoded: pd.DataFrame, targets: list[str], preset: str, iterations: int, donors: int, seed: int
) -> Iterator[dict[str, pd.Series]]:
    """After each iteration, the imputed values of each target (encoded, in the order of its missing rows).

    This is the whole of the sampling: what comes in is canonical, and `seed` is its only source of chance.
    """
    kernel = RepairedKernel(
        encoded,
        num_datasets=1,
        variable_schema={target: [name for name in encoded.columns if name != target] for target in targets},
        # In the order of the schema; the library's own orders depend on the order of columns where counts are tied.
        imputation_order="roman",
        mean_match_candidates=donors,
        mean_match_strategy="normal",
        # Neither models nor past draws are kept: memory does not grow with the number of iterations.
        save_all_iterations_data=False,
        random_state=seed,
    )
    for iteration in range(1, iterations + 1):
        kernel.mice(1, **PRESETS[preset])
        yield {target: kernel[target, iteration, 0] for target in targets}


def _visit_sequence(data: pd.DataFrame, never_filled: Collection[str]) -> list[str]:
    """The variables to be imputed, by number of missing values, then by name."""
    missing = data.drop(columns=list(never_filled)).isna().sum()
    return sorted(missing.index[missing > 0], key=lambda name: (missing[name], name))


def _encoded(data: pd.DataFrame, ordinal: Collection[str]) -> pd.DataFrame:
    """Columns in the order of their names; ordinals as float codes, other categoricals unordered, observed levels only.

    LightGBM would treat an ordered categorical as a number, and a level that is never observed cannot be predicted.
    """
    encoded = {}
    for name in sorted(data.columns):
        column = data[name]
        if _by_codes(column, ordinal):
            column = column.cat.codes.astype("float64").where(column.notna())
        elif column.dtype != "float64":
            column = column.cat.remove_unused_categories().cat.as_unordered()
        encoded[name] = column
    return pd.DataFrame(encoded)


def _by_codes(column: pd.Series, ordinal: Collection[str]) -> bool:
    return column.name in ordinal and len(column.cat.categories) > 2


def _filled(column: pd.Series, draws: pd.Series) -> pd.Series:
    """The column with its missing values, and only these, replaced by the decoded draws."""
    missing = column.isna().to_numpy()
    if column.dtype == "float64":
        values = column.to_numpy(copy=True)
        values[missing] = draws.to_numpy()
        return pd.Series(values, index=column.index, name=column.name)
    codes = column.cat.codes.to_numpy(copy=True)
    codes[missing] = draws if draws.dtype == "float64" else column.cat.categories.get_indexer(draws)
    return pd.Series(pd.Categorical.from_codes(codes, dtype=column.dtype), index=column.index, name=column.name)


def _summary(draws: pd.Series, column: pd.Series) -> list[tuple[str, str, str, float]]:
    """Rows (variable, statistic, level, value) of the trace for one variable in one iteration."""
    if draws.dtype == "float64":
        return [(column.name, "mean", "", draws.mean()), (column.name, "sd", "", draws.std())]
    return [(column.name, "proportion", level, (draws == level).mean()) for level in column.cat.categories]


def _finite(predictions: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        np.nan_to_num(predictions.to_numpy(), nan=np.nan), index=predictions.index, columns=predictions.columns
    )


def _check(
    data: pd.DataFrame, never_filled: Collection[str], preset: str, donors: int, ordinal: Collection[str]
) -> None:
    """Raise one ResearchError with everything that would stop the imputation or spoil it silently."""
    faults = []
    if preset not in PRESETS:
        faults.append(f"preset {preset!r} is unknown: choose one of {', '.join(PRESETS)}")
    if not (isinstance(data.index, pd.RangeIndex) and data.index.equals(pd.RangeIndex(len(data)))):
        faults.append("the rows are not numbered 0, 1, 2, ...: reset the index (identifiers do not belong in the data)")
    faults += [f"{name}: appears more than once: keep one" for name in data.columns[data.columns.duplicated()].unique()]
    for role, names in {"never filled": never_filled, "ordinal": ordinal}.items():
        faults += [f"{name}: named as {role}, but not in the data" for name in names if name not in data.columns]
    for position, name in enumerate(data.columns):
        faults += _faults_of(data.iloc[:, position], name in never_filled, donors, ordinal)
    if data.shape[1] < 2:
        faults.append("there is no second variable to predict from: add predictors to the imputation model")
    if faults:
        raise listed("The data cannot be imputed", faults)


def _faults_of(column: pd.Series, never_filled: bool, donors: int, ordinal: Collection[str]) -> list[str]:
    name = column.name
    if not isinstance(name, str) or any(letter in _FORBIDDEN_IN_NAMES or letter.isspace() for letter in name):
        return [f'{name}: the name must be text without [ ] {{ }} , : " and white space: rename the variable']
    categorical = isinstance(column.dtype, pd.CategoricalDtype)
    if not categorical and column.dtype != np.dtype("float64"):
        return [f"{name}: is stored as {column.dtype}: make it float64 or a categorical"]
    if name in ordinal and not categorical:
        return [f"{name}: named as ordinal, but is a number: take it off the list of ordinals"]
    observed = column.dropna()
    if observed.empty:
        return [f"{name}: all {len(column)} values are missing: leave it out of the imputation model"]
    if not categorical and np.isinf(observed).any():
        return [f"{name}: {int(np.isinf(observed).sum())} values are infinite: correct them or make them missing"]
    missing = len(column) - len(observed)
    if never_filled or missing == 0:
        return []
    if observed.nunique() < 2:
        return [
            f"{name}: {missing} values are missing and the {len(observed)} observed ones are all the same: leave it out"
            " of the imputation model"
        ]
    if len(observed) < donors:
        return [
            f"{name}: only {len(observed)} values are observed, fewer than the {donors} donors that each draw needs:"
            " ask for fewer donors or leave it out of the imputation model"
        ]
    return []

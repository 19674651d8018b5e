"""The kernel of miceforest 6.0.5 with its repairs: the reference that `esmi.imputation.forest` equals bit for bit.

No analysis runs it, for it is several times slower; the tests hold the one against the other, and each repair against
the library as it comes.
"""

from collections.abc import Iterator
from importlib.metadata import version

import numpy as np
import pandas as pd
from miceforest import ImputationKernel

from esmi.errors import ResearchError
from esmi.imputation.forest import PRESETS, bootstrap_sample, matched_donors

# The repairs override private methods: no other version will do.
if version("miceforest") != "6.0.5":
    raise ResearchError(
        f"miceforest {version('miceforest')} is installed, but it was repaired and checked in version 6.0.5 only:"
        " install miceforest==6.0.5"
    )


class RepairedKernel(ImputationKernel):
    """miceforest 6.0.5 with sequential updating, all observed rows, a bootstrap per model and ties at random.

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
        rows = self._get_nonmissing_index(variable)
        values = self.working_data[variable].iloc[rows]
        categorical = values.dtype.name == "category"
        numbers = values.cat.codes.to_numpy() if categorical else values.to_numpy()
        return rows[bootstrap_sample(numbers, categorical, variable, seed)]

    @staticmethod
    def _mean_match_nearest_neighbors(
        mean_match_candidates: int,
        bachelor_preds: pd.DataFrame,
        candidate_preds: pd.DataFrame,
        candidate_values: pd.Series,
        random_state: np.random.RandomState,
        hashed_seeds: np.ndarray | None = None,
    ) -> pd.Series:
        # The stock kernel makes the same few of many equal candidates the donors of all rows with one prediction, and
        # stops at a probability of 1.
        chosen = matched_donors(
            bachelor_preds.to_numpy(), candidate_preds.to_numpy(), mean_match_candidates, random_state
        )
        return candidate_values.iloc[chosen]


def chained_draws(
    encoded: pd.DataFrame, targets: list[str], preset: str, iterations: int, donors: int, seed: int
) -> Iterator[dict[str, pd.Series]]:
    """After each iteration, the imputed values of each target, in the order of its missing rows.

    encoded: columns in the order of their names, float64 or unordered categoricals without unused levels. targets: the
    variables to be imputed, in the order of their visits. preset: a name in `forest.PRESETS`. seed: an int in
    [0, 2**32), the only source of chance.
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

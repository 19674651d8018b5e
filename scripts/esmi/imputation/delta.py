"""Departures from missing at random: what is added to each imputed value of a variable (delta adjustment).

Source: van Buuren, Flexible Imputation of Missing Data (2nd ed. 2018), sections 3.8 and 9.2. The shift is made inside
the chain, after each draw, so that the other variables are imputed given shifted values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np
import pandas as pd

from esmi.errors import ResearchError

# Odds multiplied by 485 million: beyond it a shift makes all values alike, and was meant for another scale.
_LARGEST_LOG_ODDS = 20.0


@dataclass(frozen=True)
class Delta:
    """The shift of the missing values of one variable; a shift of 0 is missing at random.

    scale: "score", `shift` in units of a continuous variable, its values kept within `low` and `high` (None: no bound);
    "logit", `shift` in log-odds of the second level of a binary variable, without bounds.

    Raises ResearchError: a scale, shift or bounds that cannot be applied.
    """

    scale: Literal["score", "logit"]
    shift: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.scale not in ("score", "logit"):
            raise ResearchError(f"the scale of a delta is {self.scale!r}: choose score or logit")
        if not isfinite(self.shift):
            raise ResearchError(f"the shift of a delta is {self.shift}: make it a finite number")
        if self.scale == "logit" and abs(self.shift) > _LARGEST_LOG_ODDS:
            raise ResearchError(
                f"the shift of a delta is {self.shift} log-odds: give one between -{_LARGEST_LOG_ODDS:g} and"
                f" {_LARGEST_LOG_ODDS:g}"
            )
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ResearchError(f"the bounds of a delta are {self.low} and {self.high}: the first must be the smaller")


def shift_scores(draws: np.ndarray, delta: Delta) -> np.ndarray:
    """The draws of a continuous variable plus the shift, clipped to the bounds; a shift of 0 gives the draws as is."""
    if delta.shift == 0:
        return draws
    return np.clip(draws + delta.shift, delta.low, delta.high)


def shift_levels(
    yes: np.ndarray, probability: np.ndarray, delta: Delta, generator: np.random.RandomState
) -> np.ndarray:
    """The draws of a binary variable as if each had been made with its log-odds plus the shift.

    yes: the draws, boolean. probability: of "yes" for each of them, with which it was drawn. With p' = expit(logit p +
    shift), a "no" becomes "yes" with probability (p' - p) / (1 - p) where shift > 0, a "yes" becomes "no" with
    probability (p - p') / p where shift < 0; so "yes" has probability p'. One uniform number is taken from `generator`
    for each draw whatever the shift, so from the same state more shift never means fewer "yes", and 0 changes nothing.
    """
    uniform = generator.random_sample(len(yes))
    # Both probabilities of a change equal 1 - 1 / (1 + q (exp|shift| - 1)), q the probability of the level that gains;
    # in this form they are finite for p of 0 and 1 too.
    gaining = probability if delta.shift > 0 else 1 - probability
    changed = uniform < 1 - 1 / (1 + gaining * np.expm1(abs(delta.shift)))
    return yes | changed if delta.shift > 0 else yes & ~changed


def scale_faults(deltas: Mapping[str, Delta], data: pd.DataFrame) -> list[str]:
    """What is wrong with deltas given by variable, a sentence each: unknown variables, scales that are not theirs."""
    found = []
    for name, delta in sorted(deltas.items()):
        if name not in data.columns:
            found.append(f"{name}: a delta is given for it, but it is not in the data")
        elif not isinstance(data[name].dtype, pd.CategoricalDtype):
            if delta.scale != "score":
                found.append(f"{name}: its delta is on the {delta.scale} scale: a number needs score")
        elif len(data[name].cat.categories) != 2:
            found.append(f"{name}: a delta is for numbers and binary variables, and this one has other levels")
        elif delta.scale != "logit":
            found.append(f"{name}: its delta is on the {delta.scale} scale: a binary variable needs logit")
    return found

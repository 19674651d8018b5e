"""Are there imputations enough? What would change were the data imputed anew with another seed."""

import numpy as np
import pandas as pd

from esmi.design import INTERCEPT
from esmi.pooling import imputations_needed

STABILITY_COLUMNS = ["criterion", "largest", "limit", "m", "needed", "stable", "sentence"]
SHARE_OF_STANDARD_ERROR = 0.1


def stability(pooled: pd.DataFrame, decimals: int = 2) -> pd.DataFrame:
    """Whether the adjusted results of one model have imputations enough, by five criteria: a row for each.

    `pooled`: the result of `pooling.pool_fits`; the intercept is left out. Odds ratios, and the limits of their
    intervals, are stable to `decimals` decimals where two Monte Carlo errors are at most one unit of the last decimal:
    with another seed it would seldom move by more than that one unit. Monte Carlo errors fall with the root of the
    number of imputations, which gives the number needed. Further: Monte Carlo errors of at most a tenth of the
    standard error, and 100 times the fraction of missing information [White, Royston & Wood 2011, section 7]; standard
    errors that can be repeated to 5% [von Hippel 2020].

    Columns: criterion, largest (of what is compared with limit), limit, m, needed, stable, sentence. Without estimates
    there are no rows.
    """
    rows = pooled[(pooled["model_part"] == "adjusted") & (pooled["term"] != INTERCEPT) & pooled["estimate"].notna()]
    if rows.empty:
        return pd.DataFrame(columns=STABILITY_COLUMNS)
    m, fmi = int(rows["m"].iloc[0]), float(rows["fmi"].max())
    unit = 10.0**-decimals
    printed = [
        (f"odds ratios stable to {decimals} decimals", rows["odds_ratio_mcse"].max(), unit / 2),
        (f"interval limits stable to {decimals} decimals", rows[["or_low_mcse", "or_high_mcse"]].max().max(), unit / 2),
        (
            "Monte Carlo errors within a tenth of the standard errors",
            (rows["mcse"] / rows["std_error"]).max(),
            SHARE_OF_STANDARD_ERROR,
        ),
    ]
    found = [
        (criterion, largest, limit, int(np.ceil(m * (largest / limit) ** 2)) if largest > limit else m)
        for criterion, largest, limit in printed
        if np.isfinite(largest)
    ]
    found.append(("standard errors repeatable to 5%", fmi, np.nan, int(imputations_needed(fmi, m))))
    found.append(("100 times the fraction of missing information", fmi, np.nan, max(2, int(np.ceil(100 * fmi)))))
    return pd.DataFrame([_row(*each, m) for each in found], columns=STABILITY_COLUMNS)


def _row(criterion: str, largest: float, limit: float, needed: int, m: int) -> tuple:
    stable = needed <= m
    answer = f"yes, with M = {m}" if stable else f"no, with M = {m}; M = {needed} needed"
    return criterion, largest, limit, m, needed, stable, f"{criterion[0].upper()}{criterion[1:]}: {answer}."

"""Groups compared one variable at a time in every imputed set, and the comparisons pooled."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from esmi.comparison import CHI_SQUARED, compare
from esmi.joint_tests import d2
from esmi.pooling import DfMethod, rubin

POOLED_CHI_SQUARED, POOLED_T = "pooled chi-squared (D2)", "pooled t"
COMPARISON_COLUMNS = [
    "variable",
    "test",
    "statistic",
    "df1",
    "df2",
    "p_value",
    "difference",
    "conf_low",
    "conf_high",
    "riv",
    "fmi",
    "m",
    "n",
    "reason",
]


def pool_comparisons(
    sets: Iterable[tuple[int, pd.DataFrame]], variables: list[str], by: str, df_method: DfMethod, level: float
) -> pd.DataFrame:
    """`comparison.compare` in every set, pooled: one row per variable, in their order.

    `sets`: each imputed set with its number; rows without a group are left out. Categorical variables: Pearson's
    chi-squared statistics by D2 [Li, Meng, Raghunathan & Rubin 1991], statistic being F on df1 and df2. Continuous
    ones: the difference in means (second level of `by` less the first) and Welch's variance by Rubin's rules, with the
    fewest of Welch's degrees of freedom as those of the complete data. A comparison that cannot be made in some set
    is not pooled over the others; the reason stands in its row.

    Raises ResearchError with fewer than two sets.
    """
    found: dict[str, list[pd.Series]] = {variable: [] for variable in variables}
    n = 0
    for _, data in sets:
        known = data[data[by].notna()]
        n = len(known)
        for variable in variables:
            found[variable].append(compare(known, variable, by).iloc[0])
    rows = [
        dict.fromkeys(COMPARISON_COLUMNS, np.nan)
        | {"variable": variable, "n": n, "m": len(compared), "reason": ""}
        | _pooled(pd.DataFrame(compared), df_method, level)
        for variable, compared in found.items()
    ]
    return pd.DataFrame(rows, columns=COMPARISON_COLUMNS)


def _pooled(compared: pd.DataFrame, df_method: DfMethod, level: float) -> dict:
    categorical = compared["test"].iloc[0] == CHI_SQUARED
    row = {"test": POOLED_CHI_SQUARED if categorical else POOLED_T}
    failed = compared["statistic"].isna()
    if failed.any():
        why = compared.loc[failed, "reason"].iloc[0]
        return row | {"reason": f"cannot be compared in {failed.sum()} of {len(compared)} imputations: {why}"}
    if categorical:
        # A level that chance leaves out of some set takes its degree of freedom along: the most are those of all.
        test = d2(compared["statistic"].to_numpy(), int(compared["df"].max()))
        return row | {
            "statistic": test.F,
            "df1": test.df1,
            "df2": test.df2,
            "p_value": test.p_value,
            "riv": test.riv,
        }
    variances = (compared["difference"] / compared["statistic"]) ** 2
    pooled = rubin(
        compared[["difference"]].to_numpy(),
        variances.to_numpy().reshape(-1, 1, 1),
        float(compared["df"].min()),
        df_method,
        level,
    )
    return row | {
        "statistic": pooled.statistic[0],
        "df1": pooled.df[0],
        "p_value": pooled.p_value[0],
        "difference": pooled.estimate[0],
        "conf_low": pooled.conf_low[0],
        "conf_high": pooled.conf_high[0],
        "riv": pooled.riv[0],
        "fmi": pooled.fmi[0],
    }

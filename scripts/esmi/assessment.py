"""What a model says and how well it predicts: effects and performance in every imputed set, pooled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from esmi import effects, logistic, performance, pooling
from esmi.design import Term, variables_of
from esmi.estimates import Fit

POOLED_EFFECTS = [
    "variable",
    "level",
    "value",
    "kind",
    "estimate",
    "std_error",
    "df",
    "conf_low",
    "conf_high",
    "m",
    "riv",
    "fmi",
    "scale",
    "df_method",
    "reason",
]


@dataclass(frozen=True)
class Plan:
    """What is assessed: the outcome, the settled terms, where to give probabilities, and how estimates are pooled."""

    outcome: str
    terms: Sequence[Term]
    grid: Mapping[str, Sequence[float]]
    method: logistic.Method
    cluster: str | None
    df_method: pooling.DfMethod
    level: float


def assess(sets: Iterable[tuple[int, pd.DataFrame]], plan: Plan) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Effects (`pool_effects`) and performance (`performance.pool_performance`) of the adjusted model over `sets`.

    `sets`: each imputed set with its number; only one is held at a time. Rows with a missing outcome are left out.
    """
    found, measured, df_complete = [], [], np.inf
    for number, data in sets:
        known = data[data[plan.outcome].notna()].reset_index(drop=True)
        fit = logistic.fit_adjusted(known, plan.outcome, plan.terms, plan.method, plan.cluster)
        df_complete = min(df_complete, fit.df_resid)
        own = known[variables_of(plan.terms)]
        found.append(effects.effects(fit, own, plan.terms, plan.grid).assign(imputation=number))
        rows = performance.measure_set(known, plan.outcome, list(plan.terms), _as_rows(fit))
        measured.append(rows.assign(imputation=number))
    pooled = pool_effects(pd.concat(found, ignore_index=True), plan.df_method, plan.level)
    table = pd.concat(measured, ignore_index=True)
    return pooled, performance.pool_performance(table, df_complete, plan.df_method, plan.level)


def pool_effects(table: pd.DataFrame, df_method: pooling.DfMethod, level: float) -> pd.DataFrame:
    """Pool effects over imputations by Rubin's rules: a row per (variable, kind, level), in the order of the table.

    `table`: the results of `effects.effects` with the number of the set in `imputation`. Probabilities are pooled on
    the logit scale and put back at the end, standard errors stay on the scale named in `scale`. Where a set has no
    estimate, nothing is pooled, and the reason stands there.
    """
    rows = []
    for (variable, kind, name), group in table.groupby(["variable", "kind", "level"], sort=False):
        reason = next((why for why in group["reason"] if why), "")
        row = dict.fromkeys(POOLED_EFFECTS, np.nan) | {"variable": variable, "kind": kind, "level": name}
        row |= {"value": group["value"].iloc[0], "scale": group["scale"].iloc[0], "m": len(group)}
        row |= {"df_method": df_method, "reason": reason}
        if not reason:
            pooled = pooling.rubin(
                group[["estimate"]].to_numpy(),
                group["variance"].to_numpy().reshape(-1, 1, 1),
                float(group["df_resid"].min()),
                df_method,
                level,
            )
            back = expit if row["scale"] == "logit" else float
            row |= {"estimate": back(pooled.estimate[0]), "std_error": pooled.std_error[0], "df": pooled.df[0]}
            row |= {"conf_low": back(pooled.conf_low[0]), "conf_high": back(pooled.conf_high[0])}
            row |= {"riv": pooled.riv[0], "fmi": pooled.fmi[0]}
        rows.append(row)
    return pd.DataFrame(rows, columns=POOLED_EFFECTS)


def _as_rows(fit: Fit) -> pd.DataFrame:
    return pd.DataFrame({"term": list(fit.terms), "estimate": fit.estimates, "converged": fit.converged})

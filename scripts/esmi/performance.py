"""How well a logistic model predicts in the data it was fitted to: discrimination and calibration, pooled.

All of it is apparent performance, in the very rows that gave the estimates: the shrinkage factor says how much of it is
to be expected in others.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import norm, rankdata, t
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from esmi import logistic, pooling
from esmi.design import INTERCEPT, events_of, model_matrix
from esmi.errors import ResearchError

GROUPS = 10

PERFORMANCE_COLUMNS = ["imputation", "statistic", "group", "estimate", "variance", "scale"]
POOLED_COLUMNS = [
    "statistic",
    "group",
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

# The scale on which each statistic is pooled; "mean" is an average over imputations without an interval.
SCALES = {
    "auc": "logit",
    "calibration_intercept": "identity",
    "calibration_slope": "identity",
    "shrinkage": "mean",
    "brier": "identity",
    "n": "mean",
    "predicted": "mean",
    "observed": "wilson",
}
UNGROUPED = ["auc", "calibration_intercept", "calibration_slope", "shrinkage", "brier"]


class Measured(NamedTuple):
    """A statistic and its sampling variance, on the statistic's own scale."""

    estimate: float
    variance: float


def area_under_curve(y: np.ndarray, score: np.ndarray) -> Measured:
    """Area under the receiver operating characteristic curve with its variance.

    `y`: n zeros and ones; `score`: n predictions in any unit, higher for events. The area is the chance that an event
    has the higher score of a pair, ties counting one half. Variance: DeLong, DeLong & Clarke-Pearson 1988,
    computed from midranks (Sun & Xu 2014). NaN variance with a single event or non-event.

    Raises ValueError without events or without non-events.
    """
    y, score = np.asarray(y, dtype=float), np.asarray(score, dtype=float)
    events, others = score[y == 1], score[y == 0]
    if not events.size or not others.size:
        raise ValueError("an area under the curve needs events and non-events")
    among_all = rankdata(np.r_[events, others])
    of_events = (among_all[: events.size] - rankdata(events)) / others.size
    of_others = 1 - (among_all[events.size :] - rankdata(others)) / events.size
    if min(events.size, others.size) < 2:
        return Measured(float(of_events.mean()), np.nan)
    variance = of_events.var(ddof=1) / events.size + of_others.var(ddof=1) / others.size
    return Measured(float(of_events.mean()), float(variance))


def calibration_intercept(y: np.ndarray, log_odds: np.ndarray) -> Measured:
    """Calibration in the large: the intercept of a logistic model of `y` with `log_odds` as offset [Cox 1958].

    Above 0 where there are more events than predicted. At maximum likelihood it is 0 in the data of the fit.
    """
    fit = GLM(y, np.ones((len(y), 1)), family=Binomial(), offset=log_odds).fit(tol=1e-12)
    return Measured(float(fit.params[0]), float(fit.cov_params()[0, 0]))


def calibration_slope(y: np.ndarray, log_odds: np.ndarray) -> Measured:
    """The slope of a logistic model of `y` with the predicted `log_odds` as the one covariate [Cox 1958].

    Below 1 where predictions are too extreme. At maximum likelihood it is 1 in the data of the fit. NaN where it has
    no estimate: predictions all the same, or events told from non-events without error.
    """
    fit = logistic.fit(y, pd.DataFrame({INTERCEPT: 1.0, "log_odds": log_odds}))
    return Measured(float(fit.estimates[1]), float(fit.covariance[1, 1]))


def shrinkage(y: np.ndarray, log_odds: np.ndarray, parameters: int) -> float:
    """Heuristic shrinkage factor (chi2 - df)/chi2 [van Houwelingen & Le Cessie 1990].

    chi2: likelihood ratio of the model with predicted `log_odds` against the intercept alone; df: `parameters`, the
    coefficients without the intercept. It estimates the calibration slope in new data: 0.9 means that a tenth of
    the spread of the predicted log-odds is overfitting. Negative where the model predicts less than chance would.
    """
    chi2 = 2 * (_log_likelihood(y, log_odds) - _log_likelihood(y, np.full(len(y), logit(y.mean()))))
    return float((chi2 - parameters) / chi2)


def brier(y: np.ndarray, probability: np.ndarray) -> Measured:
    """Brier score, the mean squared difference of `y` and predicted `probability`; variance that of a mean."""
    losses = (y - probability) ** 2
    return Measured(float(losses.mean()), float(losses.var(ddof=1) / len(y)))


def calibration_groups(y: np.ndarray, probability: np.ndarray) -> pd.DataFrame:
    """Observed against predicted by tenths of predicted `probability`: group (1 to 10), n, predicted, observed.

    A row's tenth follows from its mid-rank, so that equal predictions are never torn apart: groups are then of unequal
    size, and some can be empty and absent.
    """
    group = np.ceil(GROUPS * (rankdata(probability) - 0.5) / len(y)).astype(int)
    table = pd.DataFrame({"group": group, "y": y, "probability": probability})
    return (
        table.groupby("group").agg(n=("y", "size"), predicted=("probability", "mean"), observed=("y", "mean"))
    ).reset_index()


def measure(imputed: pd.DataFrame, outcome: str, terms: list, fits: pd.DataFrame) -> pd.DataFrame:
    """Performance of a model's adjusted fit in every imputed set, in the rows with a known outcome.

    `imputed`: the sets below one another with their number in `imputation`; `fits`: the fits to them, a row per
    (imputation, model_part, fit, term). Returns a row per (imputation, statistic, group): auc, calibration_intercept,
    calibration_slope, shrinkage, brier; and by tenth (group 1 to 10; 0 elsewhere) n, predicted and observed
    proportion. estimate and variance are on the statistic's own scale; scale names the one it is pooled on. A fit
    without estimates leaves the statistics without a group empty (NaN).

    Raises ResearchError when there is no adjusted fit to some imputed set.
    """
    adjusted = {number: rows for number, rows in fits[fits["model_part"] == "adjusted"].groupby("imputation")}
    sets = list(imputed.groupby("imputation"))
    without = [str(number) for number, _ in sets if number not in adjusted]
    if without:
        raise ResearchError(
            f"There is no adjusted fit to imputed sets {', '.join(without)}: fit the model to them first"
        )
    tables = [measure_set(data, outcome, terms, adjusted[number]).assign(imputation=number) for number, data in sets]
    return pd.concat(tables, ignore_index=True)[PERFORMANCE_COLUMNS]


def measure_set(data: pd.DataFrame, outcome: str, terms: list, fit: pd.DataFrame) -> pd.DataFrame:
    """As `measure`, for one set: `fit` holds the rows of the adjusted fit to it; no column imputation."""
    rows = []
    if fit["converged"].all():
        y = events_of(data, outcome).dropna()
        matrix = model_matrix(data.loc[y.index], terms)[list(fit["term"])]
        y, log_odds = y.to_numpy(), matrix.to_numpy() @ fit["estimate"].to_numpy()
        probability = expit(log_odds)
        single = {
            "auc": area_under_curve(y, log_odds),
            "calibration_intercept": calibration_intercept(y, log_odds),
            "calibration_slope": calibration_slope(y, log_odds),
            "shrinkage": Measured(shrinkage(y, log_odds, matrix.shape[1] - 1), np.nan),
            "brier": brier(y, probability),
        }
        for row in calibration_groups(y, probability).itertuples():
            rows += [
                ("n", row.group, row.n, np.nan),
                ("predicted", row.group, row.predicted, np.nan),
                ("observed", row.group, row.observed, row.observed * (1 - row.observed) / row.n),
            ]
    else:
        single = dict.fromkeys(UNGROUPED, (np.nan, np.nan))
    rows = [(name, 0, *measured) for name, measured in single.items()] + rows
    table = pd.DataFrame(rows, columns=["statistic", "group", "estimate", "variance"])
    return table.assign(scale=table["statistic"].map(SCALES))


def pool_performance(
    table: pd.DataFrame,
    df_complete: float | None,
    df_method: pooling.DfMethod = "barnard-rubin",
    level: float = 0.95,
) -> pd.DataFrame:
    """Pool what `measure` found over imputations by Rubin's rules: a row per (statistic, group).

    `df_complete`: residual degrees of freedom of the fit had nothing been missing (None: infinitely many); intervals
    have confidence `level`. The area under the curve is pooled as logit(a) with standard error se/(a (1 - a)) and put
    back at the end [Marshall et al. 2009]; intercept, slope and Brier score as they are. Observed proportions
    are averaged, with Wilson's interval for imputed data [Lott & Reiter 2020], which also holds at 0 and 1. Shrinkage,
    predicted proportions and group sizes are averaged alone. std_error is on the scale in `scale`.

    What is not known in every imputation is not pooled over the others: its row has no numbers, and a reason.

    Raises ResearchError with fewer than two imputations.
    """
    m = table["imputation"].nunique()
    if m < 2:
        raise ResearchError(f"Pooling needs at least two imputations, and there is {m}: raise their number.")
    sizes = table[table["statistic"] == "n"].groupby("group")["estimate"].mean()
    pooled = []
    for (statistic, group), rows in table.groupby(["statistic", "group"], sort=False):
        reason = _reason(rows, m)
        numbers = {} if reason else _pooled(rows, sizes.get(group), df_complete, df_method, level)
        pooled.append(
            dict.fromkeys(POOLED_COLUMNS, np.nan)
            | {"statistic": statistic, "group": group, "m": m, "scale": rows["scale"].iloc[0]}
            | {"df_method": df_method, "reason": reason}
            | numbers
        )
    return pd.DataFrame(pooled, columns=POOLED_COLUMNS)


def _log_likelihood(y: np.ndarray, log_odds: np.ndarray) -> float:
    return float((y * log_odds - np.logaddexp(0, log_odds)).sum())


def _reason(rows: pd.DataFrame, m: int) -> str:
    """Why a statistic cannot be pooled; "" where it can."""
    if len(rows) < m:
        return f"nobody is in this group in {m - len(rows)} of {m} imputations"
    scale = rows["scale"].iloc[0]
    needed = rows[["estimate"]] if scale == "mean" else rows[["estimate", "variance"]]
    unknown = int(needed.isna().any(axis=1).sum())
    if unknown:
        return f"no estimate in {unknown} of {m} imputations"
    certain = int((rows["variance"] <= 0).sum())
    if certain and scale in ("logit", "identity"):
        return f"no variance in {certain} of {m} imputations: events are told from non-events without error"
    return ""


def _pooled(
    rows: pd.DataFrame, n: float | None, df_complete: float | None, df_method: pooling.DfMethod, level: float
) -> dict[str, float]:
    estimates, variances = rows["estimate"].to_numpy(dtype=float), rows["variance"].to_numpy(dtype=float)
    scale = rows["scale"].iloc[0]
    if scale == "mean":
        return {"estimate": estimates.mean()}
    if scale == "wilson" and not variances.any() and np.ptp(estimates) == 0:
        # 0 or 1 in every imputation: nothing varies, and Rubin's rules have no variance to start from.
        low, high = _wilson(estimates[0], n, 0.0, norm.ppf((1 + level) / 2))
        return {
            "estimate": estimates[0],
            "std_error": 0.0,
            "df": np.inf,
            "conf_low": low,
            "conf_high": high,
        }
    if scale == "logit":
        estimates, variances = logit(estimates), variances / (estimates * (1 - estimates)) ** 2
    result = pooling.rubin(estimates[:, None], variances[:, None, None], df_complete, df_method, level)
    estimate, low, high = result.estimate[0], result.conf_low[0], result.conf_high[0]
    if scale == "logit":
        estimate, low, high = expit(estimate), expit(low), expit(high)
    elif scale == "wilson":
        low, high = _wilson(estimate, n, result.riv[0], t.ppf((1 + level) / 2, result.df[0]))
    return {
        "estimate": estimate,
        "std_error": result.std_error[0],
        "df": result.df[0],
        "conf_low": low,
        "conf_high": high,
        "riv": result.riv[0],
        "fmi": result.fmi[0],
    }


def _wilson(proportion: float, n: float, riv: float, quantile: float) -> tuple[float, float]:
    """The p with (proportion - p)^2 = quantile^2 (1 + riv) p (1 - p)/n [Lott & Reiter 2020]."""
    c = quantile**2 * (1 + riv) / n
    centre = (proportion + c / 2) / (1 + c)
    half_width = np.sqrt(max(centre**2 - proportion**2 / (1 + c), 0.0))
    return max(centre - half_width, 0.0), min(centre + half_width, 1.0)

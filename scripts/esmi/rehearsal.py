"""The whole inference rehearsed on data drawn from the study's own: does it find the truth that was put in?

The study's completed data are the population and a model fitted to them is the truth. A replication draws people and
their outcomes, deletes values as they are missing in the study, imputes, fits and pools. It follows from the seed and
its own number alone: more replications add to those there are. Measures of performance are those of Morris, White &
Crowther (2019), table 6.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import norm

from esmi import logistic, pooling
from esmi.design import model_matrix
from esmi.errors import ResearchError, listed

Engine = Callable[..., tuple[pd.DataFrame, ...]]

COMPLETE_DATA, COMPLETE_CASES = "complete data", "complete cases"
COEFFICIENT, CORRELATION = "coefficient", "correlation"
# Coverage of 95% intervals that is as good as right.
LEAST_COVERAGE, MOST_COVERAGE = 0.925, 0.975

# A variable with at most this share missing can predict whether others are.
_MOST_MISSING_OF_ANCHOR = 0.05
_DONORS = 10
# Two variables are missing together where both are in at least this many rows.
_FEWEST_JOINTLY_MISSING = 10

ROW_COLUMNS = [
    "replication",
    "engine",
    "quantity",
    "term",
    "truth",
    "estimate",
    "std_error",
    "conf_low",
    "conf_high",
    "n",
    "reason",
]
_KEYS = ["engine", "quantity", "term"]
SUMMARY_COLUMNS = [
    *_KEYS,
    "truth",
    "replications",
    "failed",
    "mean_estimate",
    "bias",
    "bias_mcse",
    "difference",
    "difference_mcse",
    "empirical_se",
    "model_se",
    "se_ratio",
    "se_ratio_mcse",
    "coverage",
    "coverage_mcse",
    "width",
]


def as_they_are(data: pd.DataFrame) -> pd.DataFrame:
    """The data with nothing derived from them."""
    return data


@dataclass(frozen=True)
class Plan:
    """The inference that is rehearsed, but for the engine: model, number of imputations, and how they are pooled.

    outcome, terms: of the model. never_filled: the outcomes, which predict and are not imputed. ordinal: as in
    `esmi.imputation.forest.impute`. fit_model: data, outcome, terms, parts to fits, as `logistic.fit_model`. derive:
    adds the variables that are derived anew from completed data.
    """

    outcome: str
    terms: list
    never_filled: list[str]
    ordinal: list[str]
    m: int
    df_method: pooling.DfMethod = "barnard-rubin"
    level: float = 0.95
    fit_model: Callable[..., pd.DataFrame] = logistic.fit_model
    derive: Callable[[pd.DataFrame], pd.DataFrame] = as_they_are


@dataclass(frozen=True)
class Prepared:
    """What replications are drawn from.

    source: the study's data with their gaps; population: the same people, all values known; probability: of the
    outcome of each under the truth; truth: the coefficients by term; anchors: the variables that predict what is
    missing; pairs: continuous covariates of the model that are missing together.
    """

    plan: Plan
    source: pd.DataFrame
    population: pd.DataFrame
    probability: np.ndarray
    truth: pd.Series
    anchors: list[str]
    pairs: list[tuple[str, str]]


@dataclass(frozen=True)
class Drawn:
    """One replication: the rows before and after values were deleted."""

    complete: pd.DataFrame
    incomplete: pd.DataFrame


def prepare(data: pd.DataFrame, plan: Plan, engine: Engine, seed: int) -> Prepared:
    """The population and the truth, from the study's own data.

    `data`: the variables of the imputation model, a row per unit, RangeIndex. The population is one completed set,
    number 0 of `engine`, in which outcomes are filled too: every value can then be deleted. The truth is the adjusted
    model fitted to it in the rows whose outcome is known.

    Raises ResearchError when the model has no estimates.
    """
    population = engine(data, never_filled=[], seed=seed, imputation=0, ordinal=plan.ordinal)[0]
    known = plan.derive(population.assign(**{plan.outcome: data[plan.outcome]}))
    fit = plan.fit_model(known, plan.outcome, plan.terms, parts=("adjusted",))
    if not fit["converged"].all():
        raise ResearchError(
            f"The rehearsal has no truth to start from: the model of {plan.outcome} in the completed data has no "
            f"estimates ({fit['reason'].iloc[0]}). Take the term out of the model, or merge its rare levels."
        )
    truth = fit.set_index("term")["estimate"]
    matrix = model_matrix(known, plan.terms)[list(truth.index)]
    missing = data.isna()
    anchors = [name for name in data if name != plan.outcome and missing[name].mean() <= _MOST_MISSING_OF_ANCHOR]
    continuous = [name for name in matrix if name in data]
    pairs = [
        (a, b) for a, b in combinations(continuous, 2) if (missing[a] & missing[b]).sum() >= _FEWEST_JOINTLY_MISSING
    ]
    return Prepared(plan, data, population, expit(matrix.to_numpy() @ truth.to_numpy()), truth, anchors, pairs)


def draw(prepared: Prepared, seed: int, replication: int) -> Drawn:
    """One replication before and after deletion, from the seed and its number alone.

    People are drawn with replacement from the population, each outcome from its probability under the truth. Values
    are then deleted in whole patterns of people of the study, in three steps, so that what is missing depends on
    nothing but values that stay (missing at random) and variables are missing together as they are in the study:

    1. the pattern of the anchors (variables with at most 5% missing) is that of anyone;
    2. whether the outcome is missing is taken from one of 10 people with nearly the same predicted risk of that;
    3. all else from one of 10 with nearly the same predicted number of missing values, among those with the same
       outcome, or with none, as step 2 left it.

    Predictions are linear, from the anchors as they are left, missing being a category of its own: predictive mean
    matching, of patterns. Nobody's pattern is their own: values that were imputed to make the population would be the
    ones deleted, and an error of that one imputation would recur in every replication.
    """
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(replication, 0)))
    source, outcome, anchors = prepared.source, prepared.plan.outcome, prepared.anchors
    rows = generator.integers(len(source), size=len(source))
    complete = prepared.population.iloc[rows].reset_index(drop=True)
    events = (generator.random(len(rows)) < prepared.probability[rows]).astype(int)
    complete[outcome] = pd.Categorical.from_codes(events, dtype=source[outcome].dtype)

    missing = source.isna()
    gaps = pd.DataFrame(False, index=complete.index, columns=source.columns)
    gaps[anchors] = missing[anchors].to_numpy()[generator.integers(len(source), size=len(rows))]
    no_state = np.zeros(len(source))
    left = complete[anchors].mask(gaps[anchors])
    near = _donors(left, source[anchors], rows, missing[outcome], no_state, no_state, generator)
    gaps[outcome] = missing[outcome].to_numpy()[near]
    states = [column.cat.codes.to_numpy() for column in (complete[outcome].mask(gaps[outcome]), source[outcome])]
    others = [name for name in source if name != outcome and name not in anchors]
    near = _donors(left, source[anchors], rows, missing[others].sum(axis=1), *states, generator)
    gaps[others] = missing[others].to_numpy()[near]
    return Drawn(complete, complete.mask(gaps))


def analyse(prepared: Prepared, drawn: Drawn, name: str, engine: Engine, seed: int, replication: int) -> pd.DataFrame:
    """The results of one replication: by `engine`, called `name`, in the complete data, and in the complete cases.

    A row per (engine, quantity, term). quantity "coefficient": log-odds pooled over m imputations, or of the one fit
    with intervals by the normal distribution, truth beside them. quantity "correlation": of two variables in the
    rows where both were deleted, averaged over imputations; its truth is not known, the complete data have the row of
    the same term. Where there are no estimates the row has a reason.
    """
    plan = prepared.plan
    tables = [
        _single(prepared, drawn.complete).assign(engine=COMPLETE_DATA),
        _correlations(prepared, drawn, [drawn.complete]).assign(engine=COMPLETE_DATA),
        _single(prepared, drawn.incomplete[_complete_cases(plan, drawn.incomplete)]).assign(engine=COMPLETE_CASES),
    ]
    engine_seed = int(np.random.SeedSequence(seed, spawn_key=(replication, 1)).generate_state(1)[0])
    try:
        sets = [
            engine(
                drawn.incomplete,
                never_filled=plan.never_filled,
                seed=engine_seed,
                imputation=number,
                ordinal=plan.ordinal,
            )[0]
            for number in range(1, plan.m + 1)
        ]
    except ResearchError as error:
        tables.append(_without(prepared, str(error)).assign(engine=name))
    else:
        tables.append(_pooled(prepared, sets).assign(engine=name))
        tables.append(_correlations(prepared, drawn, sets).assign(engine=name))
    table = pd.concat([table for table in tables if len(table)], ignore_index=True)
    return table.assign(replication=replication)[ROW_COLUMNS]


def rehearse(prepared: Prepared, name: str, engine: Engine, seed: int, replications: Iterable[int]) -> pd.DataFrame:
    """`analyse` for each of the numbered replications, one below the other."""
    return pd.concat(
        [analyse(prepared, draw(prepared, seed, number), name, engine, seed, number) for number in replications],
        ignore_index=True,
    )


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Performance per engine and coefficient, over all replications with estimates, and correlations per pair.

    Coefficients, on the log-odds scale: bias, mean estimate minus truth; difference, the mean paired difference from
    the estimate in the complete data of the same replication; empirical_se, the standard deviation of the estimates;
    model_se, the root of the mean squared standard error; se_ratio, model_se/empirical_se; coverage, the share of
    intervals that hold the truth; width, mean width of the interval. Their Monte Carlo standard errors: *_mcse. That
    of coverage is taken at (covered + 2)/(replications + 4), or coverage of 100% would be thought known without error
    [Agresti & Coull 1998]. Correlations have mean_estimate and difference alone. failed: replications without
    estimates, which nothing else counts.

    Rows of the same (replication, engine, quantity, term) count once: every engine brings its complete data.
    """
    rows = rows.drop_duplicates(["replication", *_KEYS])
    complete = rows[rows["engine"] == COMPLETE_DATA].set_index(["replication", "quantity", "term"])["estimate"]
    paired = rows.join(complete.rename("complete"), on=["replication", "quantity", "term"])
    summaries = [
        dict(zip(_KEYS, key, strict=True)) | _summary(group) for key, group in paired.groupby(_KEYS, sort=False)
    ]
    engines = list(dict.fromkeys([COMPLETE_DATA, COMPLETE_CASES, *rows["engine"]]))
    table = pd.DataFrame(summaries, columns=SUMMARY_COLUMNS)
    return table.sort_values("engine", key=lambda names: names.map(engines.index), kind="stable", ignore_index=True)


def verdict(summary: pd.DataFrame) -> pd.DataFrame:
    """Whether each engine may be trusted with this study: engine, verdict ("pass" or "stop"), sentence.

    "stop" where the coverage of a coefficient, with 1.96 Monte Carlo standard errors to both sides, lies outside 92.5
    to 97.5% as a whole, or where an engine had estimates in fewer than two replications. Where the complete data fail
    in the same coefficient the sentence says so: then the model asks too much of so few, whatever the imputation.
    """
    coefficients = summary[summary["quantity"] == COEFFICIENT]
    at_fault = _outside(coefficients[coefficients["engine"] == COMPLETE_DATA])
    engines = [name for name in coefficients["engine"].unique() if name not in (COMPLETE_DATA, COMPLETE_CASES)]
    return pd.DataFrame(
        [_verdict(name, coefficients[coefficients["engine"] == name], set(at_fault["term"])) for name in engines],
        columns=["engine", "verdict", "sentence"],
    )


def judge(verdicts: pd.DataFrame) -> str:
    """The sentences of the engines that passed; raises ResearchError with all sentences when one has to stop."""
    sentences = list(verdicts["sentence"])
    if (verdicts["verdict"] == "stop").any():
        raise listed("The rehearsal", sentences)
    return "\n".join(sentences)


def _donors(
    recipients: pd.DataFrame,
    source: pd.DataFrame,
    own: np.ndarray,
    target: pd.Series,
    state: np.ndarray,
    source_state: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:
    """For each recipient the row of `source`, of its state and not its `own`, whose prediction of `target` is near."""
    x = _predictors(source, source_state)
    weights = np.linalg.lstsq(x, target.to_numpy(dtype=float), rcond=None)[0]
    # Among equals any may be the donor, not the first in the file.
    predicted = x @ weights + 1e-9 * generator.random(len(source))
    wanted = _predictors(recipients, state) @ weights + 1e-9 * generator.random(len(recipients))
    chosen = generator.random(len(recipients))
    found = np.empty(len(recipients), dtype=int)
    for value in np.unique(state):
        pool = np.flatnonzero(source_state == value)
        pool = pool[np.argsort(predicted[pool])]
        here = np.flatnonzero(state == value)
        window = min(_DONORS, len(pool))
        first = np.searchsorted(predicted[pool], wanted[here]) - window // 2
        place = np.clip(first, 0, len(pool) - window) + (chosen[here] * window).astype(int)
        itself = pool[place] == own[here]
        place[itself] += np.where(place[itself] + 1 < len(pool), 1, -1)
        found[here] = pool[place]
    return found


def _predictors(anchors: pd.DataFrame, state: np.ndarray) -> np.ndarray:
    """A column per level of every anchor, missing being one, and of the outcome's state; numbers as they are."""
    columns = [np.ones(len(anchors)), state == 0, state == 1]
    for name in anchors:
        values = anchors[name]
        columns.append(values.isna())
        if isinstance(values.dtype, pd.CategoricalDtype):
            columns += [values == level for level in values.cat.categories[1:]]
        else:
            columns.append(values.fillna(0.0))
    return np.column_stack(columns).astype(float)


def _complete_cases(plan: Plan, data: pd.DataFrame) -> pd.Series:
    return data[plan.outcome].notna() & model_matrix(plan.derive(data), plan.terms).notna().all(axis=1)


def _fit(plan: Plan, data: pd.DataFrame) -> pd.DataFrame:
    return plan.fit_model(plan.derive(data.reset_index(drop=True)), plan.outcome, plan.terms, parts=("adjusted",))


def _single(prepared: Prepared, data: pd.DataFrame) -> pd.DataFrame:
    """The coefficients of one fit, with intervals by the normal distribution."""
    fit = _fit(prepared.plan, data)
    half_width = norm.ppf((1 + prepared.plan.level) / 2) * fit["std_error"]
    fit = fit.assign(conf_low=fit["estimate"] - half_width, conf_high=fit["estimate"] + half_width)
    return _coefficients(prepared, fit)


def _pooled(prepared: Prepared, sets: list[pd.DataFrame]) -> pd.DataFrame:
    plan = prepared.plan
    fits = [_fit(plan, data).assign(imputation=number) for number, data in enumerate(sets, start=1)]
    return _coefficients(prepared, pooling.pool_fits(pd.concat(fits, ignore_index=True), plan.df_method, plan.level))


def _coefficients(prepared: Prepared, fit: pd.DataFrame) -> pd.DataFrame:
    table = fit[["term", "estimate", "std_error", "conf_low", "conf_high", "n", "reason"]]
    return table.assign(quantity=COEFFICIENT, truth=table["term"].map(prepared.truth))


def _without(prepared: Prepared, reason: str) -> pd.DataFrame:
    empty = dict.fromkeys(["estimate", "std_error", "conf_low", "conf_high", "n"], np.nan)
    return pd.DataFrame(
        {"term": prepared.truth.index, "truth": prepared.truth.to_numpy(), "quantity": COEFFICIENT, "reason": reason}
    ).assign(**empty)


def _correlations(prepared: Prepared, drawn: Drawn, sets: list[pd.DataFrame]) -> pd.DataFrame:
    """Of the pairs, in the rows where both were deleted; a pair that hardly is in this replication is left out."""
    rows = []
    for a, b in prepared.pairs:
        both = drawn.incomplete[a].isna() & drawn.incomplete[b].isna()
        if both.sum() >= _FEWEST_JOINTLY_MISSING:
            found = np.mean([data.loc[both, a].corr(data.loc[both, b]) for data in sets])
            rows.append({"term": f"{a}, {b}", "estimate": found, "n": int(both.sum())})
    empty = dict.fromkeys(["truth", "std_error", "conf_low", "conf_high"], np.nan)
    return pd.DataFrame(rows, columns=["term", "estimate", "n"]).assign(quantity=CORRELATION, reason="", **empty)


def _summary(group: pd.DataFrame) -> dict[str, float]:
    found = group[group["estimate"].notna()]
    difference = (found["estimate"] - found["complete"]).dropna()
    numbers = {
        "truth": group["truth"].iloc[0],
        "replications": len(found),
        "failed": len(group) - len(found),
        "mean_estimate": found["estimate"].mean(),
        "difference": difference.mean(),
        "difference_mcse": difference.sem(),
    }
    if group["quantity"].iloc[0] == COEFFICIENT and len(found) > 1:
        numbers |= _performance(found, numbers["truth"])
    return dict.fromkeys(SUMMARY_COLUMNS[len(_KEYS) :], np.nan) | numbers


def _performance(rows: pd.DataFrame, truth: float) -> dict[str, float]:
    """Bias, standard errors and coverage of one coefficient over r > 1 replications."""
    estimate, variance, r = rows["estimate"], rows["std_error"] ** 2, len(rows)
    empirical, model = estimate.std(), np.sqrt(variance.mean())
    covered = int(((rows["conf_low"] <= truth) & (truth <= rows["conf_high"])).sum())
    smoothed = (covered + 2) / (r + 4)
    return {
        "bias": estimate.mean() - truth,
        "bias_mcse": empirical / np.sqrt(r),
        "empirical_se": empirical,
        "model_se": model,
        "se_ratio": model / empirical,
        "se_ratio_mcse": model / empirical * np.sqrt(variance.var() / (4 * r * model**4) + 1 / (2 * (r - 1))),
        "coverage": covered / r,
        "coverage_mcse": np.sqrt(smoothed * (1 - smoothed) / r),
        "width": (rows["conf_high"] - rows["conf_low"]).mean(),
    }


def _outside(rows: pd.DataFrame) -> pd.DataFrame:
    low, high = rows["coverage"] - 1.96 * rows["coverage_mcse"], rows["coverage"] + 1.96 * rows["coverage_mcse"]
    return rows[(high < LEAST_COVERAGE) | (low > MOST_COVERAGE)]


def _verdict(engine: str, rows: pd.DataFrame, at_fault: set[str]) -> dict[str, str]:
    r, failed = int(rows["replications"].max()), int(rows["failed"].max())
    without = f" In {failed} of {r + failed} replications there were no estimates." if failed else ""
    if r < 2:
        sentence = f"Stop: {engine} has estimates in {r} replications, too few to know its coverage.{without}"
        return {"engine": engine, "verdict": "stop", "sentence": sentence}
    outside = _outside(rows)
    if outside.empty:
        error = 196 * rows["coverage_mcse"].max()
        sentence = (
            f"Pass: in {r} replications on the study's own data the coverage of every 95% interval by {engine} was "
            f"within 92.5 to 97.5% or off by no more than Monte Carlo error, here up to {error:.1f} points: more "
            f"replications make it smaller.{without}"
        )
        return {"engine": engine, "verdict": "pass", "sentence": sentence}
    found = "; ".join(
        f"{row.term} {100 * row.coverage:.1f}% (+- {196 * row.coverage_mcse:.1f})"
        + (", as in complete data" if row.term in at_fault else "")
        for row in outside.itertuples()
    )
    sentence = (
        f"Stop: in {r} replications on the study's own data the coverage of 95% intervals by {engine} lay outside 92.5 "
        f"to 97.5% beyond Monte Carlo error: {found}. Do not report these intervals: choose another engine or preset, "
        f"or a smaller model.{without}"
    )
    return {"engine": engine, "verdict": "stop", "sentence": sentence}

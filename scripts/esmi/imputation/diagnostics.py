"""Did the chains converge, and are the imputed values plausible? Numbers of each check, and a verdict in words.

Only summaries leave: densities and proportions of at least ten people, correlations of at least ten.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import stats

# The first iterations still remember the random fill: chain means are flat after two or three.
WARM_UP = 2
FEW = 10
FEWEST_DRAWS = 6
GRID = 64

R_HAT_COLUMNS = ["variable", "statistic", "level", "chains", "iterations", "r_hat", "split_r_hat", "ess", "reason"]
DISTRIBUTION_COLUMNS = ["variable", "kind", "group_variable", "group", "source", "statistic", "level", "x", "value"]
CORRELATION_COLUMNS = ["first", "second", "n_both_missing", "n_both_observed", "observed", "imputed", "difference"]
VERDICT_COLUMNS = ["check", "verdict", "sentence"]
GOOD, LOOK, BAD = "good", "look", "bad"

R_HAT_LOOK, R_HAT_BAD = 1.05, 1.1
ESS_LOOK = 100
DIFFERENCE_LOOK = 0.5
PROPORTION_LOOK = 0.25
CORRELATION_LOOK = 0.2
EVENTS_LOOK = 0.1


def rank_normalised(chains: np.ndarray) -> np.ndarray:
    """The normal scores of the ranks of all draws together [Vehtari et al. 2021, equation 14]; same shape."""
    ranks = stats.rankdata(chains).reshape(chains.shape)
    return stats.norm.ppf((ranks - 3 / 8) / (chains.size + 1 / 4))


def halves(chains: np.ndarray) -> np.ndarray:
    """Chains (m x n) split in two (2m x n//2); a draw in the middle of an odd number is left out."""
    half = chains.shape[1] // 2
    return np.concatenate([chains[:, :half], chains[:, -half:]])


def basic_r_hat(chains: np.ndarray) -> float:
    """Potential scale reduction of chains (m x n) [Vehtari et al. 2021, equations 1 to 4]; NaN without variance."""
    n = chains.shape[1]
    within = chains.var(axis=1, ddof=1).mean()
    if n < 2 or within <= 0:
        return np.nan
    return float(np.sqrt((n - 1) / n + chains.mean(axis=1).var(ddof=1) / within))


def r_hat(chains: np.ndarray) -> float:
    """Rank-normalised split R-hat: the larger of bulk and folded [Vehtari et al. 2021, section 4.1]."""
    folded = np.abs(chains - np.median(chains))
    return float(np.max([basic_r_hat(rank_normalised(halves(each))) for each in (chains, folded)]))


def bulk_ess(chains: np.ndarray) -> float:
    """Effective sample size of split, rank-normalised chains (m x n) [Vehtari et al. 2021, section 3.2; Geyer 1992].

    NaN with fewer than six draws in each half, too few to see that draws depend on each other, or without variance.
    """
    split = rank_normalised(halves(chains))
    m, n = split.shape
    if n < FEWEST_DRAWS or split.var() == 0:
        return np.nan
    centred = split - split.mean(axis=1, keepdims=True)
    covariance = np.array([(centred[:, : n - lag] * centred[:, lag:]).sum(axis=1).mean() / n for lag in range(n)])
    within = covariance[0] * n / (n - 1)
    total = within * (n - 1) / n + split.mean(axis=1).var(ddof=1)
    rho = 1 - (within - covariance) / total
    rho[0] = 1
    last, even, odd = 0, rho[0], rho[1]
    kept = np.zeros(n)
    kept[:2] = even, odd
    while last < n - 5 and even + odd > 0:
        last += 2
        even, odd = rho[last], rho[last + 1]
        if even + odd >= 0:
            kept[last : last + 2] = even, odd
    if even > 0:
        kept[last] = even
    for t in range(2, last - 1, 2):
        before = kept[t - 2] + kept[t - 1]
        if kept[t] + kept[t + 1] > before:
            kept[t : t + 2] = before / 2
    draws = m * n
    tau = max(-1 + 2 * kept[:last].sum() + kept[last], 1 / np.log10(draws))
    return float(draws / tau)


def convergence(traces: pd.DataFrame) -> pd.DataFrame:
    """R-hat and effective sample size of what was imputed, over the chains: R_HAT_COLUMNS, a row per traced statistic.

    `traces`: imputation, iteration, variable, statistic, level, value; the first two iterations are left out.
    r_hat is rank-normalised, split_r_hat the plain one. Where all draws are equal, or too few, the numbers are NaN and
    the reason is given.
    """
    rows = []
    kept = traces[traces["iteration"] > WARM_UP]
    for (variable, statistic, level), values in kept.fillna({"level": ""}).groupby(
        ["variable", "statistic", "level"], sort=False
    ):
        table = values.pivot_table(index="imputation", columns="iteration", values="value", dropna=False)
        chains = table.to_numpy(dtype=float)
        reason = _unusable(chains)
        numbers = (np.nan,) * 3 if reason else (r_hat(chains), basic_r_hat(halves(chains)), bulk_ess(chains))
        rows.append((variable, statistic, level, *chains.shape, *numbers, reason))
    return pd.DataFrame(rows, columns=R_HAT_COLUMNS)


def _unusable(chains: np.ndarray) -> str:
    if np.isnan(chains).any():
        return "a single value was imputed"
    if chains.shape[0] < 2 or chains.shape[1] < 4:
        return "fewer than two chains or four iterations"
    return "all draws are equal" if np.ptp(chains) == 0 else ""


def distributions(data: pd.DataFrame, sets: Iterable[tuple[int, pd.DataFrame]], outcomes: list[str]) -> pd.DataFrame:
    """Observed against imputed values of every imputed variable, in all and in the groups of each outcome.

    `data`: the variables before imputation; `sets`: each imputed set with its number, rows as in `data`. Continuous:
    n, mean, sd, quartiles and a density over a grid x; categorical: n and the proportion of each level. n counts
    people: an imputed value counts once, however many sets there are. Fewer than ten people have n only.
    """
    targets = [name for name in data.columns if name not in outcomes and data[name].isna().any()]
    filled = _filled(data, sets, targets)
    groups = [("", "all", np.ones(len(data), dtype=bool))]
    groups += [
        (outcome, str(level), (data[outcome] == level).to_numpy())
        for outcome in outcomes
        for level in data[outcome].cat.categories
    ]
    rows = []
    for name in targets:
        missing = data[name].isna().to_numpy()
        for outcome, group, inside in groups:
            observed = data.loc[inside & ~missing, name]
            drawn = filled[name][:, inside[missing]]
            rows += _described(data[name], (outcome, group), observed, drawn)
    return pd.DataFrame(rows, columns=DISTRIBUTION_COLUMNS)


def _filled(data: pd.DataFrame, sets: Iterable[tuple[int, pd.DataFrame]], targets: list[str]) -> dict[str, np.ndarray]:
    """Per variable the imputed values, sets x missing rows: numbers, or codes of levels."""
    collected: dict[str, list[np.ndarray]] = {name: [] for name in targets}
    for _, table in sets:
        for name in targets:
            values = table[name].cat.codes if isinstance(data[name].dtype, pd.CategoricalDtype) else table[name]
            collected[name].append(values.to_numpy(dtype=float)[data[name].isna().to_numpy()])
    return {name: np.array(drawn) for name, drawn in collected.items()}


def _described(column: pd.Series, group: tuple[str, str], observed: pd.Series, drawn: np.ndarray) -> list[tuple]:
    categorical = isinstance(column.dtype, pd.CategoricalDtype)
    people = {"observed": len(observed), "imputed": drawn.shape[1]}
    values = {
        "observed": (observed.cat.codes if categorical else observed).to_numpy(dtype=float),
        "imputed": drawn.ravel(),
    }
    rows = []
    for source, n in people.items():
        head = (column.name, "categorical" if categorical else "continuous", *group, source)
        rows.append((*head, "n", "", np.nan, float(n)))
        if n < FEW:
            continue
        describe = _proportions if categorical else _moments
        rows += [(*head, *row) for row in describe(column, values[source])]
    return rows


def _proportions(column: pd.Series, codes: np.ndarray) -> list[tuple]:
    levels = enumerate(column.cat.categories)
    return [("proportion", str(level), np.nan, float((codes == code).mean())) for code, level in levels]


def _moments(column: pd.Series, values: np.ndarray) -> list[tuple]:
    rows = [("mean", "", np.nan, values.mean()), ("sd", "", np.nan, values.std(ddof=1))]
    quartiles = zip(("q1", "median", "q3"), np.quantile(values, [0.25, 0.5, 0.75]), strict=True)
    rows += [(name, "", np.nan, value) for name, value in quartiles]
    if np.ptp(values) == 0:
        return rows
    # A grid over the observed range, the same for both sources, so that its ends are no one imputed value.
    grid = np.linspace(*np.quantile(column.dropna(), [0.01, 0.99]), GRID)
    return rows + [("density", "", x, value) for x, value in zip(grid, stats.gaussian_kde(values)(grid), strict=True)]


def joint_correlations(
    data: pd.DataFrame, sets: Iterable[tuple[int, pd.DataFrame]], outcomes: list[str]
) -> pd.DataFrame:
    """Correlations of variables that are missing together: where both are observed, and where both were imputed.

    Pairs with at least ten rows of either; categories by their codes, nominal ones with more than two levels left out.
    Imputed correlations are averaged over the sets on Fisher's z scale. CORRELATION_COLUMNS.
    """
    numbers = {name: values for name in data.columns if (values := _as_numbers(data[name])) is not None}
    names = [name for name in numbers if name not in outcomes and data[name].isna().any()]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    both_missing = {pair: (data[pair[0]].isna() & data[pair[1]].isna()).to_numpy() for pair in pairs}
    both_observed = {pair: (data[pair[0]].notna() & data[pair[1]].notna()).to_numpy() for pair in pairs}
    pairs = [pair for pair in pairs if both_missing[pair].sum() >= FEW and both_observed[pair].sum() >= FEW]
    z: dict[tuple[str, str], list[float]] = {pair: [] for pair in pairs}
    for _, table in sets:
        for a, b in pairs:
            rows = both_missing[a, b]
            r = _correlation(_as_numbers(table[a])[rows], _as_numbers(table[b])[rows])
            z[a, b].append(np.arctanh(np.clip(r, -0.999999, 0.999999)))
    rows = []
    for a, b in pairs:
        known = both_observed[a, b]
        observed, imputed = _correlation(numbers[a][known], numbers[b][known]), float(np.tanh(np.mean(z[a, b])))
        counts = int(both_missing[a, b].sum()), int(known.sum())
        rows.append((a, b, *counts, observed, imputed, imputed - observed))
    return pd.DataFrame(rows, columns=CORRELATION_COLUMNS)


def _as_numbers(values: pd.Series) -> np.ndarray | None:
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return values.to_numpy(dtype=float)
    codes = values.cat.codes.to_numpy(dtype=float)
    return np.where(codes < 0, np.nan, codes)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) > 0 and np.ptp(b) > 0 else np.nan


def verdict(
    chains: pd.DataFrame, found: pd.DataFrame, correlations: pd.DataFrame, events: pd.DataFrame, draws: int
) -> pd.DataFrame:
    """What the checks say, in words: check, verdict (good, look, bad), sentence.

    `chains`, `found` and `correlations`: the results of `convergence`, `distributions` and `joint_correlations`;
    `events`: what the engine had to do on the way (imputation, iteration, variable, event, detail); `draws`: how many
    conditional models were drawn from in all. Only chains that disagree are "bad": imputed values may differ from
    observed ones where values are missing at random, and then are worth a look.
    """
    rows = [*_of_chains(chains), _of_distributions(found), _of_correlations(correlations), _of_events(events, draws)]
    return pd.DataFrame(rows, columns=VERDICT_COLUMNS)


def _of_chains(chains: pd.DataFrame) -> list[tuple[str, str, str]]:
    known = chains[chains["r_hat"].notna()]
    if known.empty:
        return [("Convergence", LOOK, "There are no chains to be compared.")]
    worst = known.loc[known["r_hat"].idxmax()]
    answer = BAD if worst["r_hat"] > R_HAT_BAD else LOOK if worst["r_hat"] > R_HAT_LOOK else GOOD
    said = {
        GOOD: "The chains agree",
        LOOK: "The chains agree only roughly: more iterations would tell",
        BAD: "The chains do not agree: give more iterations, and look for variables that say the same",
    }[answer]
    rows = [("Convergence", answer, f"{said} (largest split R-hat {worst['r_hat']:.3f}, {worst['variable']}).")]
    if known["ess"].isna().all():
        needed = 2 * FEWEST_DRAWS + WARM_UP
        return [*rows, ("Effective size", LOOK, f"It cannot be known with fewer than {needed} iterations.")]
    least = known.loc[known["ess"].idxmin()]
    size = GOOD if least["ess"] >= ESS_LOOK else LOOK
    advice = "enough" if size == GOOD else "few: more imputations or iterations make it larger"
    sentence = f"The least effective number of draws is {least['ess']:.0f} ({least['variable']}), {advice}."
    return [*rows, ("Effective size", size, sentence)]


def _of_distributions(found: pd.DataFrame) -> tuple[str, str, str]:
    check, whole = "Observed against imputed", found[found["group"] == "all"]
    wide = whole.pivot_table(index=["variable", "statistic", "level"], columns="source", values="value", dropna=False)
    largest, said = 0.0, ""
    for (variable, statistic, level), row in wide.iterrows():
        if statistic == "mean":
            share = abs(row["imputed"] - row["observed"]) / wide.loc[(variable, "sd", level), "observed"]
            text, size = f"{variable}: means differ by {share:.2f} standard deviations", share / DIFFERENCE_LOOK
        elif statistic == "proportion":
            gap = abs(row["imputed"] - row["observed"])
            text, size = f"{variable}, {level}: proportions differ by {gap:.2f}", gap / PROPORTION_LOOK
        else:
            continue
        if size > largest:
            largest, said = size, text
    if not said:
        return check, GOOD, "Nothing was imputed for ten people or more."
    if largest <= 1:
        return check, GOOD, f"Imputed values are like the observed ones (most unlike: {said})."
    return check, LOOK, f"{said}. Where values are missing at random this can be right: ask whether it is plausible."


def _of_correlations(correlations: pd.DataFrame) -> tuple[str, str, str]:
    check, known = "Missing together", correlations[correlations["difference"].notna()]
    if known.empty:
        return check, GOOD, "No two variables are missing together in ten rows or more."
    worst = known.loc[known["difference"].abs().idxmax()]
    said = (
        f"{worst['first']} and {worst['second']}: {worst['imputed']:.2f} where imputed, {worst['observed']:.2f} where "
        "observed"
    )
    if abs(worst["difference"]) > CORRELATION_LOOK:
        return check, LOOK, f"The correlation of two variables differs: {said}."
    return check, GOOD, f"Correlations are kept (most unlike: {said})."


def _of_events(events: pd.DataFrame, draws: int) -> tuple[str, str, str]:
    check = "Logged events"
    if events.empty:
        return check, GOOD, "No model needed help."
    counts = events["event"].value_counts()
    said = ", ".join(f"{event} {count} times" for event, count in counts.items())
    often = draws and counts.max() > EVENTS_LOOK * draws
    return check, LOOK if often else GOOD, f"Of {draws} models: {said}."

"""Steps 1 and 2 of the analysis: characteristics by group, and the groups compared one variable at a time."""

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency, ttest_ind

ALL = "all"
CHI_SQUARED = "chi-squared"
WELCH_T = "Welch t"
CONFIDENCE = 0.95
SUMMARISED = ["count", "percent", "mean", "sd", "median", "q1", "q3"]
COMPARED = [
    "statistic",
    "df",
    "p_value",
    "difference",
    "conf_low",
    "conf_high",
    "standardised_difference",
    "smallest_expected",
]


def summarise(data: pd.DataFrame, variable: str, by: str) -> pd.DataFrame:
    """One variable in each level of the categorical `by` and in all of them together, one row per (level, group).

    Rows without a group are left out, of "all" too, so that the groups add up to it. Columns: variable;
    level, "" for a continuous variable; group; n, the known values; missing; for a categorical variable
    count and percent (of n); for a continuous one mean, sd (divisor n - 1), median, q1 and q3 (averaged
    at discontinuities, as Stata's `summarize, detail`; Hyndman & Fan 1996, definition 2). What does not
    apply or cannot be computed is NaN.
    """
    grouped = data.loc[data[by].notna(), [variable, by]]
    groups = {str(group): grouped.loc[grouped[by] == group, variable] for group in data[by].cat.categories}
    groups[ALL] = grouped[variable]
    describe = _levels if _categorical(data[variable]) else _moments
    rows = [row for group, values in groups.items() for row in describe(values, group)]
    table = pd.DataFrame(rows).assign(variable=variable)
    columns = ["variable", "level", "group", "n", "missing", *SUMMARISED]
    return table.reindex(columns=columns).astype(dict.fromkeys(SUMMARISED, float))


def compare(data: pd.DataFrame, variable: str, by: str) -> pd.DataFrame:
    """One test of one variable between the levels of the categorical `by`, as one row.

    Categorical: Pearson's chi-squared without continuity correction over the levels that occur (Stata's
    `tabulate, chi2`), smallest_expected, the smallest expected count, and, of two groups, the standardised
    difference of Yang & Dalton (2012, SAS Global Forum, paper 335-2012), which has no sign. Continuous,
    two groups only: Welch's t-test with Satterthwaite's df; difference in means, second level of `by` less
    the first, with its 95% interval; and standardised_difference, that difference over the root of the mean
    of the two variances.

    Columns: variable, test, statistic, df, p_value, difference, conf_low, conf_high, standardised_difference,
    smallest_expected, reason. Rows without a group or a value are left out. What does not apply is NaN; what
    cannot be computed is NaN with the reason, else "".
    """
    known = data[[variable, by]].dropna()
    test, result = (CHI_SQUARED, _chi_squared) if _categorical(data[variable]) else (WELCH_T, _welch)
    row = {"variable": variable, "test": test, "reason": ""} | result(known[variable], known[by])
    columns = ["variable", "test", *COMPARED, "reason"]
    return pd.DataFrame([row]).reindex(columns=columns).astype(dict.fromkeys(COMPARED, float))


def characteristics(data: pd.DataFrame, variables: list[str], by: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`summarise` and `compare` for several variables, in the order given: (summaries, comparisons)."""
    summaries = [summarise(data, variable, by) for variable in variables]
    comparisons = [compare(data, variable, by) for variable in variables]
    return pd.concat(summaries, ignore_index=True), pd.concat(comparisons, ignore_index=True)


def _categorical(values: pd.Series) -> bool:
    return isinstance(values.dtype, pd.CategoricalDtype)


def _levels(values: pd.Series, group: str) -> list[dict]:
    counts, n = values.value_counts(sort=False), int(values.notna().sum())
    return [
        {
            "level": str(level),
            "group": group,
            "n": n,
            "missing": len(values) - n,
            "count": counts[level],
            "percent": 100 * counts[level] / n if n else np.nan,
        }
        for level in values.cat.categories
    ]


def _moments(values: pd.Series, group: str) -> list[dict]:
    known = values.dropna().to_numpy(dtype=float)
    row = {"level": "", "group": group, "n": len(known), "missing": len(values) - len(known)}
    if len(known):
        q1, median, q3 = np.quantile(known, [0.25, 0.5, 0.75], method="averaged_inverted_cdf")
        row |= {"mean": known.mean(), "sd": values.std(), "median": median, "q1": q1, "q3": q3}
    return [row]


def _chi_squared(values: pd.Series, groups: pd.Series) -> dict:
    table = pd.crosstab(groups, values, dropna=False)
    empty = [str(group) for group, n in table.sum(axis=1).items() if not n]
    if empty:
        return {"reason": f"no known values in the group {', '.join(empty)}"}
    observed = table.loc[:, table.sum() > 0].to_numpy()
    if observed.shape[1] < 2:
        return {"reason": "the same level in every group"}
    test = chi2_contingency(observed, correction=False)
    result = {
        "statistic": test.statistic,
        "df": test.dof,
        "p_value": test.pvalue,
        "smallest_expected": test.expected_freq.min(),
    }
    if len(observed) != 2:
        return result | {"reason": f"no standardised difference: it is for two groups, here are {len(observed)}"}
    difference = _multinomial_difference(*(observed / observed.sum(axis=1, keepdims=True)))
    reason = "no standardised difference: no variance within the groups" if np.isnan(difference) else ""
    return result | {"standardised_difference": difference, "reason": reason}


def _multinomial_difference(first: np.ndarray, second: np.ndarray) -> float:
    """Mahalanobis distance of proportions by the mean of the two multinomial covariances; NaN if that is singular."""
    # The last proportion follows from the others; the distance does not depend on which one is left out.
    first, second = first[:-1], second[:-1]
    covariance = sum(np.diag(p) - np.outer(p, p) for p in (first, second)) / 2
    if np.linalg.matrix_rank(covariance, hermitian=True) < len(first):
        return np.nan
    return float(np.sqrt((second - first) @ np.linalg.solve(covariance, second - first)))


def _welch(values: pd.Series, groups: pd.Series) -> dict:
    samples = {str(group): values[groups == group].to_numpy(dtype=float) for group in groups.cat.categories}
    if len(samples) != 2:
        return {"reason": f"Welch's t-test compares two groups, here are {len(samples)}"}
    small = [group for group, sample in samples.items() if len(sample) < 2]
    if small:
        return {"reason": f"fewer than two known values in the group {' and '.join(small)}"}
    first, second = samples.values()
    mean_variance = (first.var(ddof=1) + second.var(ddof=1)) / 2
    # Equal values can leave a variance of rounding error only.
    if mean_variance <= 1e-24 * np.abs(values).max() ** 2:
        return {"reason": "the same value in all rows of each group"}
    test = ttest_ind(second, first, equal_var=False)
    interval = test.confidence_interval(CONFIDENCE)
    difference = second.mean() - first.mean()
    return {
        "statistic": test.statistic,
        "df": test.df,
        "p_value": test.pvalue,
        "difference": difference,
        "conf_low": interval.low,
        "conf_high": interval.high,
        "standardised_difference": difference / np.sqrt(mean_variance),
    }

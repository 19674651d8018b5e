"""How much is missing, where and together: extent by variable and outcome group, and patterns."""

import pandas as pd


def extent(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Missing values of every variable, in all rows and in each known level of the grouping variables `by`.

    Returns variable, grouping ("" for all rows), level, n (rows), missing, percent; variables in the table's order.
    """
    groups = [("", "", table)]
    groups += [(name, level, table[table[name] == level]) for name in by for level in table[name].cat.categories]
    return pd.DataFrame(
        [
            {
                "variable": variable,
                "grouping": grouping,
                "level": level,
                "n": len(rows),
                "missing": int(rows[variable].isna().sum()),
                "percent": 100 * rows[variable].isna().mean() if len(rows) else float("nan"),
            }
            for variable in table.columns
            for grouping, level, rows in groups
            if variable != grouping
        ]
    )


def patterns(table: pd.DataFrame) -> pd.DataFrame:
    """The combinations of variables that are missing together, the most frequent first.

    Returns pattern (1, 2, ...), n, percent, missing_variables (their number), and for each variable with any missing
    value a column with 1 where it is missing in the pattern.
    """
    missing = table.isna()
    missing = missing.loc[:, missing.any()].astype(int)
    if missing.empty:
        return pd.DataFrame({"pattern": [1], "n": [len(table)], "percent": [100.0], "missing_variables": [0]})
    counts = missing.value_counts().rename("n").reset_index()
    counts["missing_variables"] = counts[missing.columns].sum(axis="columns")
    counts = counts.sort_values(
        ["n", "missing_variables", *missing.columns], ascending=[False, True, *[False] * missing.shape[1]]
    )
    counts.insert(0, "pattern", range(1, len(counts) + 1))
    counts["percent"] = 100 * counts["n"] / len(table)
    return counts[["pattern", "n", "percent", "missing_variables", *missing.columns]].reset_index(drop=True)

"""What is in the imputation model, and what it can hardly support: said before anything is imputed."""

import numpy as np
import pandas as pd

CONTENTS_COLUMNS = [
    "variable",
    "role",
    "kind",
    "method",
    "derived",
    "n",
    "observed",
    "missing",
    "percent",
    "minimum",
    "maximum",
]
WARNING_COLUMNS = ["variable", "warning", "detail", "advice"]

FEW_EVENTS = 10
MUCH_MISSING = 40.0
CORRELATED = 0.95
# A regression should have at most a tenth to a third of its rows as parameters [Harrell 2015, section 4.4; van Buuren
# 2018, section 6.3.2]: beyond the third the models are noise.
ROWS_PER_PARAMETER = 3

_METHODS = {
    "forest": dict.fromkeys(["continuous", "ordinal", "binary", "nominal"], "boosted trees, predictive mean matching"),
    "chained": {
        "continuous": "predictive mean matching",
        "binary": "logistic regression",
        "nominal": "multinomial regression",
        "ordinal": "proportional odds",
    },
    "imported": dict.fromkeys(["continuous", "ordinal", "binary", "nominal"], "imputed elsewhere"),
}
_NAMED = {
    "pmm": "predictive mean matching",
    "logistic": "logistic regression",
    "multinomial": "multinomial regression",
    "ordinal": "proportional odds",
}


def contents(data: pd.DataFrame, plan: dict) -> pd.DataFrame:
    """Every variable of the imputation model, one row each: CONTENTS_COLUMNS.

    `data`: the cleaned values. `plan`: engine, and for every variable its role (analysis, outcome, auxiliary), kind,
    and how it is derived (recorded; just another variable: derived, and imputed as what it is; passive: derived anew in
    every completed set); methods, where another than that of its kind is set. minimum and maximum are those of observed
    numbers: imputed ones are drawn from observed values, so they keep within them.
    """
    rows = []
    for variable, role in plan["roles"].items():
        values, kind = data[variable], plan["kinds"][variable]
        missing = int(values.isna().sum())
        rows.append(
            {
                "variable": variable,
                "role": role,
                "kind": kind,
                "method": _method(variable, role, kind, missing, plan),
                "derived": plan["derived"][variable],
                "n": len(values),
                "observed": len(values) - missing,
                "missing": missing,
                "percent": 100 * missing / len(values) if len(values) else np.nan,
                "minimum": values.min() if kind == "continuous" else np.nan,
                "maximum": values.max() if kind == "continuous" else np.nan,
            }
        )
    return pd.DataFrame(rows, columns=CONTENTS_COLUMNS)


def warnings(data: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """What the imputation model can hardly support, each with its reason and what can be done: WARNING_COLUMNS.

    `data`: the cleaned values; `table`: the result of `contents`. Found are rare levels (fewer than 10 observed),
    variables with more than 40% missing, pairs that say the same (|r| > .95 of numbers, or of the 0/1 columns of
    categories), and more parameters than a third of the rows.
    """
    chosen = table[table["derived"] != "passive"]
    rows = [warning for row in chosen.itertuples() for warning in _of_one(data[row.variable], row)]
    matrix = pd.concat([_columns(data[name]) for name in chosen["variable"]], axis="columns")
    rows += _collinear(matrix)
    rows += _too_many(matrix, chosen)
    return pd.DataFrame(rows, columns=WARNING_COLUMNS)


def _method(variable: str, role: str, kind: str, missing: int, plan: dict) -> str:
    if plan["derived"][variable] == "passive":
        return "derived anew in every set"
    if not missing:
        return "complete: predicts only"
    named = plan["methods"].get(variable)
    method = _NAMED[named] if named else _METHODS[plan["engine"]][kind]
    return f"predicts, never handed on filled ({method} inside the chain)" if role == "outcome" else method


def _of_one(values: pd.Series, row: tuple) -> list[tuple[str, str, str, str]]:
    found = []
    if row.percent > MUCH_MISSING:
        found.append(
            (
                row.variable,
                "much is missing",
                f"{row.percent:.0f}% of {row.n} values are missing: what is said of it rests on the model more than on "
                "what was seen.",
                "Read the complete cases and the departures from missing at random beside it.",
            )
        )
    if row.kind != "continuous":
        counts = values.value_counts(sort=False)
        rare = ", ".join(f"{level}: {count}" for level, count in counts.items() if count < FEW_EVENTS)
        if rare:
            found.append(
                (
                    row.variable,
                    "rare category",
                    f"Fewer than {FEW_EVENTS} observed ({rare}). No method imputes such a level reliably: it comes out "
                    "too rarely or too often.",
                    "Merge the level with another in the codebook, or leave the variable out of the model.",
                )
            )
    return found


def _columns(values: pd.Series) -> pd.DataFrame:
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return values.to_frame()
    codes = values.cat.codes
    columns = {f"{values.name}[{level}]": (codes == code) for code, level in enumerate(values.cat.categories) if code}
    return pd.DataFrame(columns).astype(float).where(values.notna(), np.nan)


def _collinear(matrix: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    # A constant column has no correlation; the engines say what they do with it.
    correlations = matrix.corr(min_periods=10).to_numpy()
    names = list(matrix.columns)
    return [
        (
            names[j].split("[")[0],
            "collinear",
            f"{names[i]} and {names[j]} are correlated {correlations[i, j]:.2f}: each says what the other says.",
            "Keep one of the two in the imputation model, unless both are in a model of the analysis.",
        )
        for i in range(len(names))
        for j in range(i + 1, len(names))
        if abs(correlations[i, j]) > CORRELATED and names[i].split("[")[0] != names[j].split("[")[0]
    ]


def _too_many(matrix: pd.DataFrame, table: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    incomplete = table[table["missing"] > 0]
    if incomplete.empty:
        return []
    worst = incomplete.loc[incomplete["observed"].idxmin()]
    parameters = matrix.shape[1] - 1
    if parameters * ROWS_PER_PARAMETER <= worst["observed"]:
        return []
    return [
        (
            worst["variable"],
            "too many predictors",
            f"{parameters} predictors for {worst['observed']} observed values, more than a third of them.",
            "Leave out auxiliary variables that predict neither the values nor that they are missing.",
        )
    ]

"""Tables of finished numbers: tidy frames, written as CSV, and the HTML that is made from them and from nothing else.

A tidy frame read back from its CSV is as good as the one written: empty texts may be NaN. (Read it with
keep_default_na=False, na_values="": a level called None is no missing value.) Every text is escaped, and equal frames
give equal bytes.
"""

from collections.abc import Iterable
from html import escape

import numpy as np
import pandas as pd

from esmi.comparison import ALL, CHI_SQUARED, COMPARED, SUMMARISED, WELCH_T
from esmi.design import INTERCEPT
from esmi.pages import format_p, format_ratio, mark, row_html, table_html

CHARACTERISTICS_COLUMNS = [
    "section",
    "variable",
    "label",
    "unit",
    "kind",
    "level",
    "level_label",
    "group",
    "n",
    "missing",
    *SUMMARISED,
    "test",
    *COMPARED,
    "reason",
]
ANALYSES = ["unadjusted", "adjusted", "complete_case"]
_POOLED_NUMBERS = ["odds_ratio", "or_low", "or_high", "p_value", "n", "events", "reason"]
_IMPUTATION_NUMBERS = ["fmi", "riv", "df", "mcse"]
ODDS_RATIO_COLUMNS = [
    "variable",
    "label",
    "unit",
    "level",
    "level_label",
    "reference",
    "term",
    *[f"{analysis}_{name}" for analysis in ANALYSES for name in _POOLED_NUMBERS],
    *[f"adjusted_{name}" for name in _IMPUTATION_NUMBERS],
    "joint_p_value",
    "m",
]

_TEXTS = {"section", "label", "unit", "level", "level_label", "term", "test", "reason", "grouping"}
TEST_NAMES = {
    CHI_SQUARED: "Pearson's chi-squared test without continuity correction",
    WELCH_T: "Welch's t-test",
}
SMALL_EXPECTED = 5
DAGGER, DOUBLE_DAGGER = "\u2020", "\u2021"
NOT_ESTIMATED = "not estimated"
# Counts are always known when they are computed: only disclosure control empties them.
WITHHELD = "withheld"


def format_odds_ratio(row: pd.Series, analysis: str) -> str:
    """Odds ratio and interval of one analysis in a row of `odds_ratios`, e.g. "1.35 (1.02 to 1.78)".

    All numbers of a row have three decimals when any odds ratio in it is within 0.1 of 1 and its interval narrower
    than 0.2, as per point of a score, else two: the analyses of a row can then be compared digit by digit. Small and
    large numbers as in `format_ratio`. A reference row is "1 (reference)", one without an estimate "not estimated".
    """
    if row["reference"]:
        return "1 (reference)"
    ratio, low, high = (row[f"{analysis}_{name}"] for name in ("odds_ratio", "or_low", "or_high"))
    if np.isnan(ratio):
        return NOT_ESTIMATED
    fine = [
        abs(row[f"{each}_odds_ratio"] - 1) < 0.1 and row[f"{each}_or_high"] - row[f"{each}_or_low"] < 0.2
        for each in ANALYSES
    ]
    decimals = 3 if any(fine) else 2
    return f"{format_ratio(ratio, decimals)} ({format_ratio(low, decimals)} to {format_ratio(high, decimals)})"


def format_label(label: str, unit: str) -> str:
    """A variable as it is printed: "Age (years)", "Childhood trauma (CTQ total, 25 to 125)"."""
    if unit and label.endswith(")"):
        return f"{label[:-1]}, {unit})"
    return f"{label} ({unit})" if unit else label


def format_count(count: float) -> str:
    """A count, or "withheld" where disclosure control has emptied it."""
    return WITHHELD if np.isnan(count) else str(int(count))


def format_counts(counts: pd.Series) -> str:
    """One count, or the range of several that differ: "278", "201 to 278"; "" when none is known."""
    known = counts.dropna()
    if known.empty:
        return ""
    low, high = int(known.min()), int(known.max())
    return str(low) if low == high else f"{low} to {high}"


def yes_no(levels: Iterable[str]) -> bool:
    """Whether these levels, reference first, are no and yes: one line then says all."""
    return list(levels) == ["no", "yes"]


def as_written(table: pd.DataFrame) -> pd.DataFrame:
    """A table read back from CSV, which cannot tell "" from NaN: texts without NaN, empty columns of numbers NaN."""
    texts = {name for name in table if name in _TEXTS or str(name).endswith("_reason")}
    empty = [name for name in table if name not in texts and table[name].isin(["", np.nan]).all()]
    table = table.assign(**{name: table[name].astype(object).fillna("").astype(str) for name in texts})
    return table.assign(**dict.fromkeys(empty, np.nan))


def characteristics(
    summaries: pd.DataFrame, comparisons: pd.DataFrame, labels: dict[str, dict], sections: dict[str, list[str]]
) -> pd.DataFrame:
    """The results of `comparison.characteristics`, labelled, in the order of `sections` (heading -> variables).

    One row per (variable, level, group); columns CHARACTERISTICS_COLUMNS. The results of a test belong to a variable
    and are repeated on each of its rows, so that no row needs another to be read; count them once per variable.
    A variable may stand in one section only.
    """
    headings = {variable: heading for heading, variables in sections.items() for variable in variables}
    summaries, comparisons = as_written(summaries), as_written(comparisons)
    parts = [
        summaries[summaries["variable"] == variable].merge(comparisons, on="variable", validate="many_to_one")
        for variable in headings
    ]
    table = pd.concat(parts, ignore_index=True)
    for name in ("label", "unit", "kind"):
        table[name] = table["variable"].map(lambda variable, name=name: labels[variable][name])
    pairs = zip(table["variable"], table["level"], strict=True)
    table["level_label"] = [labels[variable]["levels"][level] if level else "" for variable, level in pairs]
    table["section"] = table["variable"].map(headings)
    return table[CHARACTERISTICS_COLUMNS]


def characteristics_html(tidy: pd.DataFrame, title: str, group_labels: dict[str, str], notice: str) -> str:
    """The table of characteristics as an HTML fragment with its footnotes.

    Columns: the groups in the order of `group_labels` (group -> label), each headed by its number of rows, the
    p-value and the standardised difference. Categorical: n (percent of the known values), a row per level, one line
    for variables of no and yes; continuous: mean (SD), with one decimal when every SD is at least 1, else two.
    A row of missing values follows where there are any. What could not be computed has its reason in a footnote.
    """
    tidy = as_written(tidy)
    reasons: dict[str, int] = {}
    bodies = []
    for section, rows in tidy.groupby("section", sort=False):
        width = len(group_labels) + 3
        lines = [f'<tr class="section"><th colspan="{width}" scope="rowgroup">{escape(section)}</th></tr>']
        for _, variable in rows.groupby("variable", sort=False):
            lines += _variable_rows(variable, list(group_labels), reasons)
        bodies.append(lines)
    heads = [f"{escape(label)}{_group_size(tidy, group)}" for group, label in group_labels.items()]
    columns = ["Characteristic", *heads, "p-value", "Standardised difference"]
    head = "<tr>" + "".join(f'<th scope="col">{text}</th>' for text in columns) + "</tr>"
    withheld = any(f"<td>{WITHHELD}</td>" in line for lines in bodies for line in lines)
    return table_html(title, notice, head, bodies, _characteristics_notes(tidy, withheld, ALL in group_labels), reasons)


def odds_ratios(
    pooled: pd.DataFrame,
    tests: pd.DataFrame,
    complete_case: pd.DataFrame,
    labels: dict[str, dict],
    terms: list[str],
) -> pd.DataFrame:
    """The odds ratios of one model, one row per (variable, level), variables in the order of `terms`.

    `pooled` and `tests`: the results of `pooling.pool_fits` and `pooling.joint_tests`; `complete_case`: those of
    `logistic.fit_complete_cases`, of which the adjusted fit is taken. Columns ODDS_RATIO_COLUMNS. Reference rows
    have odds ratio 1 and no interval. df, fmi, riv and mcse are of the log-odds; joint_p_value, repeated on each row
    of a variable with several terms, is of the adjusted fit.

    Raises ValueError when a result holds no row of a term, or several.
    """
    table = pd.DataFrame([row for variable in terms for row in _term_rows(variable, labels[variable])])
    interactions = {t for name in terms if labels[name]["kind"] == "interaction" for t in labels[name]["columns"]}
    sources = {
        "unadjusted": pooled[pooled["model_part"] == "unadjusted"],
        "adjusted": pooled[pooled["model_part"] == "adjusted"],
        "complete_case": complete_case[complete_case["model_part"] == "adjusted"],
    }
    for analysis, source in sources.items():
        by_term = as_written(source[source["term"] != INTERCEPT]).set_index("term")
        absent = set(table["of"]) - set(by_term.index) - (interactions if analysis == "unadjusted" else set())
        if absent:
            raise ValueError(f"the {analysis} results hold no row of {', '.join(sorted(absent))}")
        names = _POOLED_NUMBERS + (_IMPUTATION_NUMBERS if analysis == "adjusted" else [])
        # A reference row has the n and events of the fit and nothing that was estimated.
        found = by_term[names].reindex(table["of"]).reset_index(drop=True)
        found.loc[table["reference"], [name for name in names if name not in ("n", "events", "reason")]] = np.nan
        found.loc[table["reference"], "odds_ratio"] = 1.0
        found.loc[table["reference"], "reason"] = ""
        found["reason"] = found["reason"].fillna("an interaction has no unadjusted odds ratio")
        table = table.join(found.add_prefix(f"{analysis}_"))
    tests = as_written(tests)
    preferred = (tests["model_part"] == "adjusted") & (tests["method"] == "D1")
    joint = tests[preferred].set_index("variable")["p_value"]
    table["joint_p_value"] = table["variable"].map(joint).astype(float)
    table["m"] = int(pooled["m"].iloc[0])
    return table[ODDS_RATIO_COLUMNS]


def odds_ratios_html(tidy: pd.DataFrame, title: str, notice: str, level: float = 0.95) -> str:
    """The odds ratios as an HTML fragment with its footnotes: unadjusted, adjusted and complete cases side by side.

    Numbers as `format_odds_ratio`; `level`: the confidence of the intervals in `tidy`. A variable of no and yes is
    one line. The joint p-value of a variable with several levels stands on its heading.
    """
    tidy = as_written(tidy)
    imputed = f"MI, M={format_counts(tidy['m'])}"
    names = {
        "unadjusted": f"Unadjusted ({imputed})",
        "adjusted": f"Adjusted ({imputed})",
        "complete_case": "Adjusted (complete case)",
    }
    heads = [
        f'<th colspan="2" scope="colgroup">{name}<br>n={format_counts(tidy[f"{analysis}_n"])}, '
        f"events={format_counts(tidy[f'{analysis}_events'])}</th>"
        for analysis, name in names.items()
    ]
    pair = f'<th scope="col">OR ({100 * level:g}% CI)</th><th scope="col">p</th>'
    head = f'<tr><th rowspan="2" scope="col">Variable</th>{"".join(heads)}</tr><tr>{pair * len(names)}</tr>'
    reasons: dict[str, int] = {}
    bodies = [_odds_rows(rows, reasons) for _, rows in tidy.groupby("variable", sort=False)]
    notes = [
        "OR: odds ratio; CI: confidence interval; MI: multiple imputation, M sets pooled with Rubin's rules; "
        "complete case: rows in which the outcome and all variables are known.",
        "Outcomes are not imputed. Continuous variables: odds ratio per unit. Yes/no variables: the reference is no.",
        "An interval that includes 1 does not show that there is no association: all values within it are compatible "
        "with the data.",
    ]
    if tidy["joint_p_value"].notna().any():
        notes.append(f"{DOUBLE_DAGGER} Joint test of all levels of the variable (D1), adjusted model.")
    return table_html(title, notice, head, bodies, notes, reasons)


def _group_size(tidy: pd.DataFrame, group: str) -> str:
    rows = tidy[tidy["group"] == group]
    size = format_counts(rows["n"] + rows["missing"])
    return f"<br>(n={size})" if size else ""


def _variable_rows(rows: pd.DataFrame, groups: list[str], reasons: dict[str, int]) -> list[str]:
    """The rows of one variable: heading, levels and missing values."""
    first = rows.iloc[0]
    label = format_label(first["label"], first["unit"])
    tested = _test_cells(first, reasons)
    levels = dict.fromkeys(rows["level"])
    cells = {level: rows[rows["level"] == level].set_index("group").loc[groups] for level in levels}
    if first["kind"] == "continuous":
        lines = [row_html(f"{escape(label)}, mean (SD)", _mean_cells(cells[""]) + tested)]
    elif yes_no(levels):
        lines = [row_html(f"{escape(label)}, n (%)", _count_cells(cells["yes"]) + tested)]
    else:
        lines = [row_html(f"{escape(label)}, n (%)", [""] * len(groups) + tested)]
        lines += [
            row_html(escape(part["level_label"].iloc[0]), [*_count_cells(part), "", ""], indented=True)
            for part in cells.values()
        ]
    missing = cells[next(iter(levels))]["missing"]
    if (missing.fillna(1) > 0).any():
        lines.append(row_html("Missing, n", [*(format_count(count) for count in missing), "", ""], indented=True))
    return lines


def _test_cells(row: pd.Series, reasons: dict[str, int]) -> list[str]:
    p, difference = format_p(row["p_value"]), row["standardised_difference"]
    small = DAGGER if p and row["smallest_expected"] < SMALL_EXPECTED else ""
    # Adding zero turns a minus zero into zero.
    shown = "" if np.isnan(difference) else f"{round(difference, 2) + 0.0:.2f}"
    footnote = mark(row["reason"], reasons)
    return [f"{escape(p)}{small}", f"{shown}{footnote}"] if p else [footnote, shown]


def _count_cells(rows: pd.DataFrame) -> list[str]:
    pairs = zip(rows["count"], rows["percent"], strict=True)
    return [
        format_count(count) + ("" if np.isnan(count + percent) else f" ({percent:.1f}%)") for count, percent in pairs
    ]


def _mean_cells(rows: pd.DataFrame) -> list[str]:
    decimals = 1 if (rows["sd"].dropna() >= 1).all() else 2
    return [
        f"{_fixed(mean, decimals)} ({_fixed(sd, decimals)})" if n == 0 or not np.isnan(mean) else WITHHELD
        for mean, sd, n in zip(rows["mean"], rows["sd"], rows["n"], strict=True)
    ]


def _fixed(number: float, decimals: int) -> str:
    return "\u2013" if np.isnan(number) else f"{number:.{decimals}f}"


def _characteristics_notes(tidy: pd.DataFrame, withheld: bool, with_all: bool) -> list[str]:
    used = [test for test in dict.fromkeys(tidy["test"]) if test]
    tests = ", ".join(f"{TEST_NAMES.get(test, test)} ({_kinds(tidy, test)})" for test in used)
    notes = [f"p-values: {tests}."] if tests else []
    notes.append("n (%): percent of the known values; missing values enter neither percentages nor tests.")
    if with_all:
        notes.append("All: rows in which the group is known.")
    notes.append(
        "Standardised difference: of means, in units of the root of the mean of the two variances; of proportions, "
        "after Yang and Dalton (2012), which has no sign."
    )
    if (tidy["smallest_expected"] < SMALL_EXPECTED).any():
        notes.append(f"{DAGGER} Smallest expected count below {SMALL_EXPECTED}: the p-value is approximate.")
    if withheld:
        notes.append(f"{WITHHELD}: not shown, to protect the people behind small numbers.")
    return notes


def _kinds(tidy: pd.DataFrame, test: str) -> str:
    continuous = tidy.loc[tidy["test"] == test, "kind"] == "continuous"
    return "continuous" if continuous.all() else "categorical"


def _term_rows(variable: str, words: dict) -> list[dict]:
    """The rows of one variable, without results; `of` is the term whose fit a row belongs to."""
    row = {"variable": variable, "label": words["label"], "unit": words["unit"]}
    if not words["levels"]:
        several = len(words["columns"]) > 1
        return [
            row
            | {"level": term if several else "", "level_label": label if several else "", "reference": False}
            | {"term": term, "of": term}
            for term, label in words["columns"].items()
        ]
    reference, first, *_ = words["levels"]
    rows = []
    for level, label in words["levels"].items():
        term = "" if level == reference else f"{variable}[{level}]"
        of = term or f"{variable}[{first}]"
        rows.append(
            row | {"level": level, "level_label": label, "reference": level == reference, "term": term, "of": of}
        )
    return rows


def _odds_rows(rows: pd.DataFrame, reasons: dict[str, int]) -> list[str]:
    first = rows.iloc[0]
    label = escape(format_label(first["label"], first["unit"]))
    if len(rows) == 1:
        return [row_html(label, _odds_cells(first, reasons))]
    if yes_no(rows["level"]):
        return [row_html(label, _odds_cells(rows.iloc[1], reasons))]
    cells = [""] * (2 * len(ANALYSES))
    joint = format_p(first["joint_p_value"])
    if joint:
        cells[2 * ANALYSES.index("adjusted") + 1] = f"{escape(joint)}{DOUBLE_DAGGER}"
    levels = [
        row_html(escape(row["level_label"]), _odds_cells(row, reasons), indented=True) for _, row in rows.iterrows()
    ]
    return [row_html(label, cells), *levels]


def _odds_cells(row: pd.Series, reasons: dict[str, int]) -> list[str]:
    cells = []
    for analysis in ANALYSES:
        cells.append(escape(format_odds_ratio(row, analysis)) + mark(row[f"{analysis}_reason"], reasons))
        cells.append(escape(format_p(row[f"{analysis}_p_value"])))
    return cells

"""Several ways to the same odds ratios, laid out side by side: engines, estimators, complete cases."""

from html import escape

import numpy as np
import pandas as pd

from esmi.design import INTERCEPT
from esmi.pages import format_ratio, mark, row_html, table_html
from esmi.tables import NOT_ESTIMATED, as_written, format_label

COLUMNS = ["term", "label", "source", "title", "odds_ratio", "or_low", "or_high", "difference_in_std_errors", "reason"]


def side_by_side(compared: pd.DataFrame, titles: dict[str, str], words: dict[str, dict]) -> pd.DataFrame:
    """The adjusted odds ratios of every source, labelled: a row per (term, source), COLUMNS.

    `compared`: the result of `sensitivity.compare_sources`; `titles`: source -> how it is called in print, in order;
    `words`: per key of a model's terms, its label, unit, levels and columns.
    """
    labels = {term: label for key in words.values() for term, label in _labels(key).items()}
    adjusted = as_written(compared[(compared["model_part"] == "adjusted") & (compared["term"] != INTERCEPT)])
    table = adjusted.assign(
        label=adjusted["term"].map(labels).fillna(adjusted["term"]), title=adjusted["source"].map(titles)
    )
    return table[COLUMNS].reset_index(drop=True)


def side_by_side_html(tidy: pd.DataFrame, title: str, notice: str, level: float) -> str:
    """The sources as columns and the terms as rows: odds ratio and interval in each cell."""
    tidy = as_written(tidy)
    reasons: dict[str, int] = {}
    heads = [escape(text) for text in dict.fromkeys(tidy["title"])]
    head = "<tr>" + "".join(f'<th scope="col">{text}</th>' for text in ["Term", *heads]) + "</tr>"
    lines = [
        row_html(escape(rows["label"].iloc[0]), [_cell(row, reasons) for _, row in rows.iterrows()])
        for _, rows in tidy.groupby("term", sort=False)
    ]
    largest = tidy["difference_in_std_errors"].abs().max()
    notes = [
        f"Adjusted odds ratios with {100 * level:g}% confidence intervals; the reference levels are those of the main "
        "table."
    ]
    if not np.isnan(largest):
        notes.append(
            f"The largest difference from the main analysis is {largest:.2f} of its standard errors (of the log-odds)."
        )
    return table_html(title, notice, head, [lines], notes, reasons)


def _labels(key: dict) -> dict[str, str]:
    """The columns of one key of a model, each with its label."""
    whole = format_label(key["label"], key["unit"])
    return {term: f"{whole}: {label}" if label else whole for term, label in key["columns"].items()}


def _cell(row: pd.Series, reasons: dict[str, int]) -> str:
    if np.isnan(row["odds_ratio"]):
        return NOT_ESTIMATED + mark(row["reason"], reasons)
    decimals = 3 if abs(row["odds_ratio"] - 1) < 0.1 and row["or_high"] - row["or_low"] < 0.2 else 2
    numbers = [format_ratio(row[name], decimals) for name in ("odds_ratio", "or_low", "or_high")]
    return f"{numbers[0]} ({numbers[1]} to {numbers[2]})" + mark(row["reason"], reasons)

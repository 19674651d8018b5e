"""Scores of instruments from their items: reversal, proration, scales, cut-offs.

What is reversed, added, counted and prorated is declared by the instrument (`esmi.instruments`); nothing here knows a
particular one.
"""

import pandas as pd

from esmi.errors import ResearchError, listed
from esmi.instruments import Instrument, column, scale_items, scale_proration

LOG_COLUMNS = [
    "instrument",
    "administration",
    "scale",
    "n_complete",
    "n_prorated",
    "n_decided",
    "n_missing",
    "n_items_out_of_range",
]


def score(items: pd.DataFrame, instrument: Instrument, administration: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every scale of an instrument at one administration, and how often each could be scored.

    `items`: n rows; one column per item, named by its number or by its raw column; NaN or a declared missing code where
    there is no answer. Other columns are ignored.

    Returns the scores (n rows, the index of `items`, float64, one column `{instrument}_{scale}` per scale, whatever the
    administration) and a log with one row per scale: instrument, administration, scale, n_complete (every item
    answered), n_prorated (scored from the answered items, the others being few enough), n_decided (method `any`: a
    known item settles it although another is missing), n_missing (too many items missing). These four add up to n. A
    scale that adds scales counts as prorated where one of its parts was. n_items_out_of_range is 0 in a table that was
    scored: one item out of range stops the scoring.

    A prorated sum is the mean of the person's answered items, after reversal, times the number of items (person-mean
    substitution); the rule that permits it is `max_missing_share`, the largest share of missing items.

    Raises ResearchError, with all faults at once, for items without a column, items that are not numbers, and items out
    of range (by item and number of rows).
    """
    values = reverse(item_values(items, instrument, administration), instrument)
    scores: dict[str, pd.Series] = {}
    how: dict[str, pd.Series] = {}
    for name, scale in instrument.scales.items():
        if scale.of_scales is None:
            scores[name], how[name] = _score_items(values, instrument, name)
    for name, scale in instrument.scales.items():
        if scale.of_scales is not None:
            parts = list(scale.of_scales)
            scores[name], how[name] = _add_scores(pd.DataFrame(scores)[parts], pd.DataFrame(how)[parts])
    log = pd.DataFrame(
        [
            {
                "instrument": instrument.name,
                "administration": administration,
                "scale": name,
                **{f"n_{way}": int((how[name] == way).sum()) for way in ("complete", "prorated", "decided", "missing")},
                "n_items_out_of_range": 0,
            }
            for name in instrument.scales
        ],
        columns=LOG_COLUMNS,
    )
    return pd.DataFrame({f"{instrument.name}_{name}": scores[name] for name in instrument.scales}), log


def item_values(items: pd.DataFrame, instrument: Instrument, administration: str) -> pd.DataFrame:
    """The items of an instrument as answered: float64, columns the item numbers, NaN for every declared missing code.

    Raises ResearchError as `score` does.
    """
    names = {column(instrument, administration, number): number for number in instrument.items}
    numbered = items.rename(columns=names)
    title = f"Items of {instrument.name} at {administration}, file {instrument.administrations[administration].file}"
    faults = []
    values = {}
    for name, number in names.items():
        if number not in numbered.columns:
            faults.append(f"{name}: no such column; add it, or take item {number} out of the instrument's items")
        elif isinstance(numbered[number], pd.DataFrame):
            faults.append(f"{name}: item {number} has more than one column; keep one")
        elif not (pd.api.types.is_numeric_dtype(numbered[number]) or numbered[number].isna().all()):
            faults.append(f"{name}: the column holds text, not numbers; declare its codes and labels")
        else:
            answers = numbered[number].astype("float64")
            values[number] = answers.mask(answers.isin(list(instrument.missing)))
            faults += _range_faults(values[number], name, instrument)
    if faults:
        raise listed(title, faults)
    return pd.DataFrame(values)


def reverse(values: pd.DataFrame, instrument: Instrument) -> pd.DataFrame:
    """Item values with the reversed items turned: low + high - x. Missing stays missing."""
    low, high = instrument.range
    turned = [number for number in instrument.reversed if number in instrument.items]
    result = values.copy()
    result[turned] = low + high - values[turned]
    return result


def severity(scores: pd.DataFrame, instrument: Instrument, cut_off_set: str | None = None) -> pd.DataFrame:
    """The band of every score whose scale has cut-offs, each band from its cut-off up.

    `cut_off_set` names the source of the cut-offs; without it the instrument's default. Prorated scores are compared as
    they are, unrounded. Returns one ordered categorical `{instrument}_{scale}_severity` per scale with cut-offs, the
    lowest band first; missing where the score is missing.

    Raises ResearchError for an unknown set and for scores without a column.
    """
    chosen = cut_off_set or instrument.default_cut_off_set
    if chosen not in instrument.cut_off_sets:
        known = ", ".join(instrument.cut_off_sets) or "none"
        raise ResearchError(f"Instrument {instrument.name} has no cut-offs {chosen}; declared are {known}.")
    declared = instrument.cut_off_sets[chosen]
    names = {scale: f"{instrument.name}_{scale}" for scale in declared.scales}
    if absent := [name for name in names.values() if name not in scores.columns]:
        raise ResearchError(f"Cut-offs of {instrument.name}: no column {', '.join(absent)}; score the items first.")
    return pd.DataFrame(
        {
            f"{names[scale]}_severity": pd.cut(
                scores[names[scale]],
                bins=[-float("inf"), *bands.values(), float("inf")],
                labels=[declared.below, *bands],
                right=False,
                ordered=True,
            )
            for scale, bands in declared.scales.items()
        },
        index=scores.index,
    )


def _range_faults(answers: pd.Series, name: str, instrument: Instrument) -> list[str]:
    low, high = instrument.range
    n_outside = int((answers.notna() & ~answers.isin(range(low, high + 1))).sum())
    if not n_outside:
        return []
    rows = "1 row holds" if n_outside == 1 else f"{n_outside} rows hold"
    codes = ", ".join(str(code) for code in sorted(instrument.missing)) or "none"
    return [
        f"{name}: {rows} neither a whole number from {low} to {high} nor a declared missing code ({codes}); "
        "correct the values, or declare the code under missing"
    ]


def _score_items(values: pd.DataFrame, instrument: Instrument, name: str) -> tuple[pd.Series, pd.Series]:
    """The score of one scale made of items, and how each row came by it."""
    scale = instrument.scales[name]
    answers = values[list(scale_items(instrument, name))]
    n_items = answers.shape[1]
    n_answered = answers.notna().sum(axis="columns")
    complete = n_answered == n_items
    if scale.method == "any":
        found = answers.isin(scale.equals).any(axis="columns")
        known = complete | found
        return found.astype("float64").where(known), _how(complete, decided=known & ~complete)
    known = (n_items - n_answered) / n_items <= scale_proration(instrument, name).max_missing_share
    counted = answers.isin(scale.equals) if scale.method == "count" else answers
    total = counted.sum(axis="columns")
    n_scored = 1 if scale.method == "mean" else n_items
    # Multiplied before it is divided, so that a prorated score that is a whole number is exactly one at a cut-off.
    return (total * n_scored / n_answered).where(known).astype("float64"), _how(complete, prorated=known & ~complete)


def _add_scores(parts: pd.DataFrame, how: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The sum of scales, known where all of them are, and how each row came by it."""
    complete = (how == "complete").all(axis="columns")
    known = parts.notna().all(axis="columns")
    return parts.sum(axis="columns", skipna=False), _how(complete, prorated=known & ~complete)


def _how(complete: pd.Series, **otherwise: pd.Series) -> pd.Series:
    """The word complete, or the name of the way that holds, or the word missing, for every row."""
    ways = pd.Series("missing", index=complete.index, dtype="object").mask(complete, "complete")
    for way, rows in otherwise.items():
        ways = ways.mask(rows, way)
    return ways

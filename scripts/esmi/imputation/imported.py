"""Imputed sets made elsewhere: Stata's `mi set` files, R's long format, and plain files with a number of the set.

What comes in obeys the contract of the engines here: complete sets 1 to M of the very people and observed values that
were cleaned, outcomes not filled. Anything else is said, all of it at once, and nothing is taken in.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import ArrowInvalid

from esmi import extract
from esmi.documents import nearest
from esmi.errors import ResearchError, listed
from esmi.variables import Code

NUMBER, ID = "imputation", "id"

# Stata [MI] technical; R: mice::complete(sets, "long", include = TRUE).
_KNOWN_NAMES = {"_mi_m": "_mi_id", ".imp": ".id"}
_SUFFIXES = (".dta", ".csv", ".parquet")

# Two numbers that are one in single precision differ by less than this, relatively.
_SINGLE_PRECISION = 2.0**-23


# Reading


def read(path: Path, number: str | None = None, identifier: str | None = None) -> pd.DataFrame:
    """All sets of a file, one row per set and person: imputation (int64; 0 is the data before imputation), id (text),
    and the columns of the file, float64 or object (text, None where missing).

    number, identifier: the columns with the number of the set and the id. They may be left out where the file is
    `mi set` (`_mi_m`, `_mi_id`) or has R's names (`.imp`, `.id`). Of Stata's styles flong and mlong are read and told
    apart: mlong has no row in a set for those of whom nothing was imputed; they get their row of m = 0 in each.

    Raises ResearchError: a kind of file that cannot be read, or not what its suffix says; styles wide and flongsep; no
    number of the set; a number that is not 0, 1, 2, ...; a row without id.
    """
    raw = _raw(path)
    number, identifier = _names(raw, number, identifier)
    # R writes NA for a missing value.
    missing = {name: {"NA": None} for name in raw.data} if raw.source_format == "csv" else {}
    table = extract.ingest(raw, identifier, missing)[list(raw.data)]
    _check_rows(path.name, table, number, identifier)
    long = table.drop(columns=[number, identifier, NUMBER, ID], errors="ignore")
    long.insert(0, NUMBER, table[number].astype("int64"))
    long.insert(1, ID, table[identifier])
    return _with_complete_rows(long) if number == "_mi_m" and "_mi_miss" in long else long


def _raw(path: Path) -> extract.RawFile:
    if path.suffix.lower() not in _SUFFIXES:
        raise ResearchError(
            f"{path.name}: imputed sets cannot be read from a file of kind '{path.suffix}'; allowed are "
            f"{', '.join(_SUFFIXES)}. Save the file as one of these."
        )
    if path.suffix.lower() != ".parquet":
        return extract.read_raw(path)
    try:
        table = pd.read_parquet(path)
    except (OSError, ArrowInvalid) as error:
        raise ResearchError(f"{path.name}: not a complete .parquet file. Copy or export it again.") from error
    data = pd.DataFrame({str(name): _number_or_text(table[name]) for name in table})
    return extract.RawFile(path.name, "parquet", "", data, {}, {}, {}, {})


def _number_or_text(values: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.astype("float64")
    return pd.Series([None if pd.isna(value) else str(value) for value in values], dtype=object)


def _names(raw: extract.RawFile, number: str | None, identifier: str | None) -> tuple[str, str]:
    """The columns with the number of the set and the id; raises ResearchError where they cannot be told."""
    known = next((name for name in _KNOWN_NAMES if name in raw.data), None)
    if known is None and "_mi_miss" in raw.data:
        raise ResearchError(
            f"{raw.name}: this file is mi set in style wide or flongsep, which keep the sets in columns or in files of "
            "their own. In Stata: mi convert flong, clear; then save it again."
        )
    number = number or known
    identifier = identifier or _KNOWN_NAMES.get(number)
    wanted = {"number": number, "id": identifier}
    faults = [
        f"imported.{key}: there is no column '{name}'{nearest(name, raw.data)}"
        if name
        else f"imported.{key} is needed: no column has the name that Stata ({stata}) or R ({r}) gives it"
        for (key, name), stata, r in zip(wanted.items(), *_KNOWN_NAMES.items(), strict=True)
        if name not in raw.data
    ]
    if faults:
        raise listed(f"{raw.name}: these are no imputed sets, or their columns have other names", faults)
    return number, identifier


def _check_rows(file: str, table: pd.DataFrame, number: str, identifier: str) -> None:
    numbers = pd.to_numeric(table[number], errors="coerce")
    strange = int((~(numbers >= 0) | (numbers % 1 != 0)).sum())
    without = int(table[identifier].isna().sum())
    faults = [f"{number}: {_rows(strange)} where the number of the set is not 0, 1, 2, ..."] if strange else []
    faults += [f"{identifier}: {_rows(without)} without an id"] if without else []
    if faults:
        raise listed(f"{file}: rows that belong to no set or to nobody", faults)


def _with_complete_rows(long: pd.DataFrame) -> pd.DataFrame:
    """Stata's style mlong as flong; a table in style flong as it is."""
    original, imputed = long[long[NUMBER] == 0], long[long[NUMBER] > 0]
    complete = original[original["_mi_miss"] == 0]
    if imputed[ID].isin(complete[ID]).any():
        return long
    return pd.concat([long, *(complete.assign(**{NUMBER: k}) for k in imputed[NUMBER].unique())], ignore_index=True)


# Sets


def sets(
    long: pd.DataFrame,
    cleaned: pd.DataFrame,
    columns: Mapping[str, str],
    levels: Mapping[str, Mapping[Code, str]],
    never_filled: Collection[str],
    m: int,
    file: str,
) -> pd.DataFrame:
    """The imputed sets 1 to `m`, one below the other, each with the people of `cleaned` in their order.

    long: as `read` gives it. cleaned: the id in the first column, then the variables, float64 or ordered categoricals;
    NaN where missing. columns: variable -> column of `long`, where it has another name. levels: variable -> code in
    `long` -> level, where the codes of a category are not its levels. never_filled: the outcomes; those that were
    filled are missing again. file: what the file is called in messages.

    Returns the column imputation, and those of `cleaned` with their types. Observed values are those of `cleaned`, so
    that a file in single precision loses nothing.

    Raises one ResearchError with all faults: no set 0 or no other, a single one, holes in their numbers, not `m` of
    them; people absent from a set or not in `cleaned`, a person twice in a set; a variable without column, text for
    numbers, a code that no level has; observed values that are not those of set 0 and of `cleaned` (in single
    precision), values that are missing in one and not in the other; values missing after imputation.
    """
    identifier, *variables = cleaned.columns
    people = pd.Index(cleaned[identifier])
    numbers = np.union1d(long[NUMBER].to_numpy(), [0])
    faults = [*_number_faults(numbers[numbers > 0], (long[NUMBER] == 0).any(), m), *_people_faults(long, people)]
    rows = long[long[ID].isin(people)]
    place = np.searchsorted(numbers, rows[NUMBER]), people.get_indexer(rows[ID])
    there = np.zeros((len(numbers), len(people)), dtype=bool)
    there[place] = True

    completed = {}
    for name in variables:
        column = columns.get(name, name)
        if column not in rows:
            faults.append(f"{name}: there is no column '{column}'{nearest(column, rows.columns)}")
            continue
        known = _coded(cleaned[name])
        found, wrong = _values(name, rows[column], cleaned[name].dtype, levels.get(name, {}))
        values = np.full(there.shape, np.nan)
        values[place] = found
        faults += wrong or _value_faults(name, values, known, there, numbers, name in never_filled)
        filled = known if name in never_filled else np.where(np.isnan(known), values[1:], known)
        completed[name] = np.broadcast_to(filled, values[1:].shape).ravel()
    if faults:
        raise listed(f"{file}: these imputed sets cannot be used", faults)
    repeated = pd.Series(np.tile(people, m), dtype=cleaned[identifier].dtype)
    return pd.DataFrame(
        {NUMBER: np.repeat(numbers[1:], len(people)), identifier: repeated}
        | {name: _typed(values, cleaned[name].dtype) for name, values in completed.items()}
    )


def _number_faults(imputed: np.ndarray, has_original: bool, m: int) -> Iterator[str]:
    if not has_original:
        yield (
            "there is no set 0, the data before imputation: export it too (R: complete(sets, 'long', include = TRUE)), "
            "for without it nobody can see what was imputed"
        )
    if len(imputed) == 0:
        yield "there is set 0 alone: nothing is imputed in this file"
    elif len(imputed) == 1:
        yield "there is one imputed set: pooling needs two or more"
    elif len(holes := np.setdiff1d(np.arange(1, imputed.max() + 1), imputed)):
        yield f"of the sets 1 to {imputed.max()} there is no {_listed(holes)}"
    elif len(imputed) != m:
        yield f"there are {len(imputed)} imputed sets, and imputation.m is {m}: it must be {len(imputed)}"


def _people_faults(long: pd.DataFrame, people: pd.Index) -> Iterator[str]:
    if strangers := long.loc[~long[ID].isin(people), ID].nunique():
        yield f"{_people(strangers)} in the file and not among the {len(people)} of the cleaned data"
    if nowhere := int((~people.isin(long[ID])).sum()):
        yield f"{_people(nowhere)} in the cleaned data ({len(people)}) and not in the file"
    somewhere = people[people.isin(long[ID])]
    absent = len(somewhere) - long[long[ID].isin(somewhere)].groupby(NUMBER)[ID].nunique()
    absent = absent.reindex(long[NUMBER].unique(), fill_value=0)
    if (absent > 0).any():
        yield f"{_rows(absent.sum())} of people who are in other sets not in set {_listed(absent[absent > 0].index)}"
    if twice := int(long.duplicated([NUMBER, ID]).sum()):
        yield f"{_rows(twice)} of a person who is already in the same set"


def _values(
    name: str, found: pd.Series, dtype: object, levels: Mapping[Code, str]
) -> tuple[np.ndarray | float, list[str]]:
    """The values of a column as numbers, or as places of the levels of `dtype`; and what is wrong with them."""
    if not isinstance(dtype, pd.CategoricalDtype):
        if texts := 0 if found.dtype == float else int(found.notna().sum()):
            return np.nan, [f"{name}: text in {_rows(texts)} of column '{found.name}', and this is a number"]
        return found.astype("float64").to_numpy(), []
    of_code = {extract.code_text(code): level for code, level in levels.items()}
    faults = [
        f"{name}: levels name '{level}', which is not one of its levels{nearest(level, dtype.categories)}"
        for level in dict.fromkeys(of_code.values())
        if level not in dtype.categories
    ]
    spelled = {value: extract.code_text(value) for value in found.dropna().unique()}
    place = {value: dtype.categories.get_indexer([of_code.get(code, code)])[0] for value, code in spelled.items()}
    unknown = [value for value, position in place.items() if position < 0]
    if unknown and not faults:
        # Text could be anyone's words, and a long number or one of many an identifier in the wrong column.
        short = found.dtype == float and len(unknown) <= 5 and max(map(abs, unknown)) < 10_000
        which = f" ({', '.join(spelled[value] for value in sorted(unknown))})" if short else ""
        faults.append(
            f"{name}: {_rows(found.isin(unknown).sum())} with a code that no level has{which}: its levels are "
            f"{', '.join(dtype.categories)}; say under imported.levels.{name} which code is which"
        )
    return found.map(place).astype("float64").to_numpy(), faults


def _value_faults(
    name: str, values: np.ndarray, known: np.ndarray, there: np.ndarray, numbers: np.ndarray, never_filled: bool
) -> Iterator[str]:
    """What is wrong with the values of a variable (sets x people), set 0 first, given the cleaned ones."""
    # Set 0 is held against the cleaned data and the others against set 0, so that one fault is said once.
    original, original_there = values[0], there[0]
    if n := int((original_there & (np.isnan(original) != np.isnan(known))).sum()):
        yield f"{name}: {_rows(n)} of set 0 missing where the cleaned data have a value, or the other way about"
    if n := int((original_there & _differ(original, known)).sum()):
        yield f"{name}: {_rows(n)} of set 0 where the value is not that of the cleaned data"
    reference = np.where(original_there, original, known)
    observed, sets_there = ~np.isnan(reference), there[1:]
    changed = sets_there & observed & (_differ(values[1:], reference) | np.isnan(values[1:]))
    if changed.any():
        which = _listed(numbers[1:][changed.any(axis=1)])
        yield f"{name}: {_rows(changed.sum())} where an observed value was changed, in set {which}"
    missing = sets_there & ~observed & ~np.isfinite(values[1:])
    if missing.any() and not never_filled:
        which = _listed(numbers[1:][missing.any(axis=1)])
        yield (
            f"{name}: {_rows(missing.sum())} still missing after imputation, in set {which} (Stata "
            "imputes . and leaves .a to .z)"
        )


def _differ(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which numbers differ by more than single precision; none where one of them is missing."""
    return np.abs(values - others) > _SINGLE_PRECISION * np.maximum(np.abs(values), np.abs(others))


def _coded(values: pd.Series) -> np.ndarray:
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return values.to_numpy()
    return values.cat.codes.where(values.notna()).astype("float64").to_numpy()


def _typed(values: np.ndarray, dtype: object) -> pd.Series:
    if not isinstance(dtype, pd.CategoricalDtype):
        return pd.Series(values)
    return pd.Series(pd.Categorical.from_codes(np.where(np.isnan(values), -1, values).astype(int), dtype=dtype))


def _listed(numbers: Collection[int]) -> str:
    shown = [str(number) for number in sorted(numbers)]
    return ", ".join(shown if len(shown) <= 10 else [*shown[:10], f"and {len(shown) - 10} more"])


def _rows(n: int) -> str:
    return "1 row" if n == 1 else f"{n} rows"


def _people(n: int) -> str:
    return "1 id is" if n == 1 else f"{n} ids are"

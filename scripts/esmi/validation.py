"""The ingested files against the codebook: every fault in one table, with counts and never an identifier."""

from collections.abc import Iterator

import pandas as pd

from esmi.codebook import Codebook
from esmi.documents import nearest
from esmi.errors import listed
from esmi.instruments import mismatches
from esmi.variables import Code, Column

COLUMNS = ["severity", "file", "column", "check", "n", "message"]


def validate(
    tables: dict[str, pd.DataFrame], value_labels: dict[str, dict[str, dict[Code, str]]], codebook: Codebook, spine: str
) -> pd.DataFrame:
    """All that does not agree between the ingested files and the codebook.

    `tables` are the ingested files by name (values, their `__why` columns, the id column); `value_labels` the labels of
    codes that the raw files carry, by file and column. Returns one row per fault: severity (error: the analysis stops;
    notice: it goes on), file, column, check, n (rows concerned) and message.
    """
    rows: list[tuple] = []
    for file, table in sorted(tables.items()):
        for severity, column, check, n, message in _file_rows(file, table, value_labels.get(file, {}), codebook):
            rows.append((severity, file, column, check, n, message))
    for severity, file, check, n, message in _join_rows(tables, codebook, spine):
        rows.append((severity, file, "", check, n, message))
    for _, instrument in sorted(codebook.instruments.items()):
        files = ", ".join(sorted({given.file for given in instrument.administrations.values()}))
        n = max(len(tables[given.file]) for given in instrument.administrations.values())
        rows += [("notice", files, "", "instrument", n, message) for message in mismatches(instrument)]
    found = pd.DataFrame(rows, columns=COLUMNS)
    return found.sort_values(["severity", "file", "column", "check"], kind="stable", ignore_index=True)


def stop_on_errors(found: pd.DataFrame, names: dict[str, str]) -> None:
    """Raise one ResearchError with every error of a validation table; notices pass. `names`: each file's raw file."""
    errors = found[found["severity"] == "error"]
    if len(errors):
        faults = [
            f"{names[row.file]}{f', {row.column}' if row.column else ''}: {row.message}" for row in errors.itertuples()
        ]
        raise listed("The extract does not agree with the codebook", faults)


Row = tuple[str, str, str, int, str]


def _file_rows(file: str, table: pd.DataFrame, labels: dict[str, dict[Code, str]], codebook: Codebook) -> Iterator[Row]:
    id_column = codebook.files[file].id
    ids = table[id_column]
    if missing := int(ids.isna().sum()):
        yield "error", id_column, "missing id", missing, f"{_rows(missing)} without {id_column}; every row needs one"
    if repeated := int(ids.dropna().duplicated(keep=False).sum()):
        yield (
            "error",
            id_column,
            "duplicate id",
            repeated,
            f"{_rows(repeated)} with the {id_column} of another row; each may stand once",
        )
    declared = codebook.columns(file)
    present = [c for c in table.columns if c != id_column and not c.endswith("__why")]
    for name in sorted(declared.keys() - set(present)):
        yield (
            "error",
            name,
            "absent column",
            len(table),
            f"the codebook describes this column and the file has none{nearest(name, set(present) - declared.keys())}",
        )
    for name in sorted(set(present) - declared.keys()):
        yield (
            "notice",
            name,
            "undescribed column",
            len(table),
            "the codebook does not describe this column; it is not used",
        )
    for name in sorted(declared.keys() & set(present)):
        yield from _column_rows(name, table[name], declared[name], labels.get(name, {}))


def _column_rows(name: str, values: pd.Series, declared: Column, labels: dict[Code, str]) -> Iterator[Row]:
    known = values.dropna()
    if known.empty:
        yield "notice", name, "no values", len(values), "every value is missing"
        return
    is_text = not pd.api.types.is_numeric_dtype(values)
    if declared.text:
        if not is_text:
            yield "error", name, "wrong type", len(known), "the codebook says text and the file holds numbers"
        return
    if is_text:
        if declared.codes and all(isinstance(c, str) for c in declared.codes):
            yield from _code_rows(name, known, declared, labels)
        else:
            # The values that make a column of a .csv file one of text, or all of a column that is one by its type.
            n = int(pd.to_numeric(known, errors="coerce").isna().sum()) or len(known)
            yield "error", name, "wrong type", n, f"text in {_rows(n)} where the codebook says numbers"
        return
    if declared.codes:
        yield from _code_rows(name, known, declared, labels)
        return
    low, high = declared.range
    if outside := int(((known < low) | (known > high)).sum()):
        yield (
            "error",
            name,
            "out of range",
            outside,
            f"{_rows(outside)} outside {low:g} to {high:g}; correct them, or range or missing in the codebook",
        )


def _code_rows(name: str, known: pd.Series, declared: Column, labels: dict[Code, str]) -> Iterator[Row]:
    strange = known[~known.isin(list(declared.codes))]
    if len(strange):
        # Text could be anyone's words, and a long number or one of many an identifier in the wrong column.
        is_short = pd.api.types.is_numeric_dtype(strange) and (strange.abs() < 10_000).all() and strange.nunique() <= 5
        which = f" ({', '.join(f'{value:g}' for value in sorted(strange.unique()))})" if is_short else ""
        yield (
            "error",
            name,
            "unknown code",
            len(strange),
            f"{_rows(len(strange))} with a code that the codebook does not have{which}; "
            "add it to codes or to missing, or correct the rows",
        )
    for code, label in declared.codes.items():
        found = labels.get(code)
        if found is not None and _plain(found) != _plain(label):
            rows = int((known == code).sum())
            yield (
                "error",
                name,
                "different label",
                rows,
                f"code {code} is '{found}' in the file and '{label}' in the codebook ({_rows(rows)})",
            )


def _rows(n: int) -> str:
    return "1 row" if n == 1 else f"{n} rows"


def _plain(label: str) -> str:
    """A label without what people change in passing: case, spaces, punctuation."""
    return "".join(ch for ch in label.casefold() if ch.isalnum())


def _join_rows(tables: dict[str, pd.DataFrame], codebook: Codebook, spine: str) -> Iterator[tuple]:
    people = set(tables[spine][codebook.files[spine].id].dropna())
    for file, table in sorted(tables.items()):
        if file == spine:
            continue
        ids = set(table[codebook.files[file].id].dropna())
        if strange := len(ids - people):
            yield (
                "error",
                file,
                "unknown id",
                strange,
                f"{strange} {'id' if strange == 1 else 'ids'} not in {spine}; correct or take out the rows",
            )
        if absent := len(people - ids):
            yield "notice", file, "absent id", absent, f"{absent} of the {len(people)} in {spine} are not in this file"

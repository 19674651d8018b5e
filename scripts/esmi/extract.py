"""Reading raw extracts (.sav, .dta, .csv): codes and labels in place, a reason beside each missing value."""

import csv
import difflib
import hashlib
import io
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat

from esmi.errors import ResearchError

Code = float | str
FORMATS = {"sav": "SPSS", "dta": "Stata", "csv": "comma-separated"}
REASON_SUFFIX = "__why"

# No leading zeros and at most 15 digits: "007" and longer numbers are identifiers that a float64 would not give back.
NUMBER = re.compile(r"[+-]?((0|[1-9]\d{0,14})(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?")

# SPSS stores seconds since 14 October 1582 whatever the display format.
_SPSS_EPOCH, _STATA_EPOCH = "1582-10-14", "1960-01-01"
_SPSS_MOMENTS = {
    **dict.fromkeys(("DATE", "ADATE", "EDATE", "JDATE", "SDATE", "QYR", "MOYR", "WKYR"), "date"),
    **dict.fromkeys(("DATETIME", "YMDHMS"), "datetime"),
    **dict.fromkeys(("TIME", "DTIME", "MTIME"), "time"),
}
_STATA_MOMENTS = (
    (re.compile(r"%-?t[cC]HH:MM(:SS)?$", re.IGNORECASE), "time", 0.001),
    (re.compile(r"%-?t[cC]"), "datetime", 0.001),
    (re.compile(r"%-?t?d"), "date", 86400.0),
)


@dataclass(frozen=True)
class RawFile:
    """One raw file as it is: values and codes in place, nothing recoded.

    data: columns as in the file; numbers float64 (system-missing NaN), text object (str, or None where blank),
        dates and times as ISO text (Stata's weeks, months, quarters and years stay numbers). SPSS user-missing codes
        are still there as values, except in date columns.
    labels: variable label per column that has one.
    value_labels: {column: {code: label}}; codes are float, str, or ".a" to ".z".
    user_missing: {column: [(low, high), ...]} as declared in the file, both ends included, low = high for one code.
    extended_missing: {column: code per row as text, None elsewhere} for what no range of numbers can find: Stata's
        ".a" to ".z", SPSS text codes, and SPSS codes of date columns. Only columns in which such a code occurs.
    """

    name: str
    source_format: str
    sha256: str
    data: pd.DataFrame = field(repr=False)
    labels: dict[str, str]
    value_labels: dict[str, dict[Code, str]]
    user_missing: dict[str, list[tuple[Code, Code]]]
    extended_missing: dict[str, pd.Series] = field(repr=False)


@dataclass(frozen=True)
class IngestedMetadata:
    """What an ingested file remembers of its source: see the fields of the same names in `RawFile`."""

    name: str
    source_format: str
    sha256: str
    labels: dict[str, str]
    value_labels: dict[str, dict[Code, str]]
    user_missing: dict[str, list[tuple[Code, Code]]]


# Reading


def read_raw(path: str | Path) -> RawFile:
    """Read a .sav, .dta or .csv file without losing codes, labels or reasons for missing values.

    Raises ResearchError: no such file, a kind that cannot be read, a file that is not what its suffix says or is cut
    short, text in an unreadable encoding, no columns, no rows, unnamed columns, and names that are the same but for
    upper and lower case.
    """
    path = Path(path)
    source_format = path.suffix.lower().removeprefix(".")
    if source_format not in FORMATS:
        raise ResearchError(
            f"{path.name}: a file of kind '{path.suffix}' cannot be read; allowed are .sav (SPSS), .dta (Stata) and "
            ".csv. Save the file as one of these."
        )
    if not path.is_file():
        raise ResearchError(
            f"{path}: no such file. Correct its path under extract.files in the config; paths there are relative to "
            "the folder of the config file."
        )
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if source_format == "csv":
        return RawFile(path.name, source_format, sha256, _read_csv(path.name, content), {}, {}, {}, {})
    return _read_statistical(path, source_format, sha256, content)


def _read_csv(name: str, content: bytes) -> pd.DataFrame:
    """The table of a comma-separated file; a column is of numbers where every non-empty value is one."""
    try:
        rows = [row for row in csv.reader(io.StringIO(_csv_text(name, content), newline=""), strict=True) if row]
    except csv.Error as error:
        raise ResearchError(
            f"{name}: not a well-formed .csv file (a quotation mark is not closed or stands inside a value). "
            "Export it again."
        ) from error
    header = [cell.strip() for cell in rows[0]] if rows else []
    if len(header) == 1 and re.search(r"[;\t]", header[0]):
        raise ResearchError(f"{name}: the values are not separated by commas. Save it as comma-separated .csv.")
    _check_shape(name, header, len(rows) - 1)
    uneven = sum(len(row) != len(header) for row in rows[1:])
    if uneven:
        raise ResearchError(
            f"{name}: {uneven} of {len(rows) - 1} rows do not have the {len(header)} values that the header has names "
            "for. Put values that hold a comma in quotation marks, and export the file again."
        )
    columns = zip(*rows[1:], strict=True)
    return pd.DataFrame(
        {column: _numbers_where_all_are(_text(cells)) for column, cells in zip(header, columns, strict=True)}
    )


def _csv_text(name: str, content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ResearchError(f"{name}: the text is UTF-16. Save it as 'CSV UTF-8'.")
    if b"\0" in content:
        raise ResearchError(f"{name}: not a .csv file (it holds no plain text). Check the suffix, or export it again.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ResearchError(f"{name}: line {line} is not UTF-8 text. Save it as 'CSV UTF-8'.") from error


def _text(cells: object) -> pd.Series:
    """Text as a column of str, None where blank."""
    return pd.Series([cell if isinstance(cell, str) and cell.strip() else None for cell in cells], dtype=object)


def _numbers_where_all_are(text: pd.Series) -> pd.Series:
    if all(NUMBER.fullmatch(value.strip()) for value in text.dropna()):
        return text.astype(float)
    return text


def _check_shape(name: str, columns: list[str], row_count: int) -> None:
    if not columns:
        raise ResearchError(f"{name}: the file has no columns. Export it again.")
    unnamed = [str(place) for place, column in enumerate(columns, 1) if not column]
    if unnamed:
        raise ResearchError(f"{name}: no name in the header for column {', '.join(unnamed)}. Name or delete it.")
    same: dict[str, list[str]] = {}
    for place, column in enumerate(columns, 1):
        same.setdefault(column.casefold(), []).append(f"'{column}' (column {place})")
    repeated = [" and ".join(names) for names in same.values() if len(names) > 1]
    if repeated:
        raise ResearchError(
            f"{name}: columns with the same name, upper and lower case not counted: {'; '.join(repeated)}. "
            "Rename all but one of them."
        )
    if row_count < 1:
        raise ResearchError(f"{name}: the file has no rows. Export it again.")


def _read_statistical(path: Path, source_format: str, sha256: str, content: bytes) -> RawFile:
    table, meta = _open_statistical(path, source_format, content)
    _check_shape(path.name, list(table.columns), len(table))
    data: dict[str, pd.Series] = {}
    value_labels: dict[str, dict[Code, str]] = {}
    extended: dict[str, pd.Series] = {}
    user_missing = {
        column: [(interval["lo"], interval["hi"]) for interval in intervals]
        for column, intervals in meta.missing_ranges.items()
    }
    for column in table:
        intervals = user_missing.get(column, [])
        named = meta.variable_value_labels.get(column, {})
        if meta.readstat_variable_types[column] == "string":
            data[column] = _text(table[column])
            codes = data[column].map(lambda value, found=intervals: text_code(value, found)).astype(object)
        else:
            letters = table[column].map(lambda value: f".{value}" if isinstance(value, str) else None).astype(object)
            numbers = table[column].where(letters.isna()).astype(float)
            named = {f".{code}" if isinstance(code, str) else float(code): label for code, label in named.items()}
            moment = _moment(source_format, meta.original_variable_types[column])
            if moment:
                declared = _within(numbers, intervals)
                codes = letters.where(~declared, numbers.map(code_text).astype(object))
                data[column] = _iso_text(numbers.where(~declared), *moment)
            else:
                codes, data[column] = letters, numbers
        codes = codes.where(codes.notna(), None)
        if codes.notna().any():
            extended[column] = codes
        if named:
            value_labels[column] = named
    labels = {column: label for column, label in meta.column_names_to_labels.items() if label}
    return RawFile(path.name, source_format, sha256, pd.DataFrame(data), labels, value_labels, user_missing, extended)


def _open_statistical(path: Path, source_format: str, content: bytes) -> tuple[pd.DataFrame, object]:
    program = FORMATS[source_format]
    damaged = ResearchError(
        f"{path.name}: not a complete {program} .{source_format} file (cut short, damaged, or a file of another kind "
        "under this suffix). Copy or export it again."
    )
    # Since Stata 13 the format ends in this tag; the library reads a file cut before it, short of value labels.
    if content.startswith(b"<stata_dta>") and not content.endswith(b"</stata_dta>"):
        raise damaged
    reader = {"sav": pyreadstat.read_sav, "dta": pyreadstat.read_dta}[source_format]
    try:
        # Dates as numbers: the library leaves a whole Stata date column unconverted where it holds a .a, turns SPSS
        # codes into dates of 1582, and folds times of 24 hours and more.
        return reader(path, user_missing=True, disable_datetime_conversion=True)
    except (UnicodeDecodeError, pyreadstat.ReadstatError, pyreadstat.PyreadstatError) as error:
        if isinstance(error, UnicodeDecodeError) or "encoding" in str(error):
            raise ResearchError(
                f"{path.name}: text in an encoding that could not be read. Save the file again from {program} as "
                "Unicode (UTF-8)."
            ) from error
        raise damaged from error


def text_code(value: str | None, intervals: list[tuple[Code, Code]]) -> str | None:
    """The text as a missing code, where it is one of those declared; None where it is a value.

    SPSS does not count trailing blanks when it compares text.
    """
    if value is None or not any(value.rstrip() == str(low).rstrip() for low, _ in intervals):
        return None
    return value.strip()


def _within(numbers: pd.Series, intervals: list[tuple[Code, Code]]) -> pd.Series:
    inside = pd.Series(False, index=numbers.index)
    for low, high in intervals:
        inside |= numbers.between(low, high)
    return inside


def _moment(source_format: str, display_format: str) -> tuple[str, str, float] | None:
    """(date, datetime or time; epoch; seconds per unit) of a column shown as a moment, None for plain numbers."""
    if source_format == "sav":
        kind = _SPSS_MOMENTS.get(re.match(r"[A-Z]*", display_format)[0])
        return (kind, _SPSS_EPOCH, 1.0) if kind else None
    for pattern, kind, seconds in _STATA_MOMENTS:
        if pattern.match(display_format):
            return kind, _STATA_EPOCH, seconds
    return None


def _iso_text(numbers: pd.Series, kind: str, epoch: str, seconds: float) -> pd.Series:
    """ISO 8601 text of moments counted from an epoch; times are durations and may pass 24 hours."""
    present = numbers.notna()
    milliseconds = np.round(numbers[present].to_numpy() * seconds * 1000).astype("int64")
    if kind == "time":
        text = [_duration_text(value) for value in milliseconds.tolist()]
    else:
        moments = np.datetime64(epoch, "ms") + milliseconds.astype("timedelta64[ms]")
        text = np.datetime_as_string(moments.astype("datetime64[D]") if kind == "date" else moments).tolist()
    result = pd.Series([None] * len(numbers), index=numbers.index, dtype=object)
    result[present] = [value.removesuffix(".000") for value in text]
    return result


def _duration_text(milliseconds: int) -> str:
    total, rest = divmod(abs(milliseconds), 1000)
    sign = "-" if milliseconds < 0 else ""
    return f"{sign}{total // 3600:02d}:{total // 60 % 60:02d}:{total % 60:02d}.{rest:03d}"


# Values and reasons


def ingest(raw: RawFile, id_column: str, missing: Mapping[str, Mapping[Code, str | None]]) -> pd.DataFrame:
    """Set missing codes to missing and keep the reason for each beside the values.

    missing: {column: {code: label}} are codes that the codebook declares missing on top of the file's own; numbers are
    compared as numbers (-9, -9.0 and "-9" are one code), in text columns too. Columns not in the file are passed over.

    Returns one row per row of the file, sorted by id (stable, missing ids last), with a RangeIndex. For each column:
    `name`, float64 or object (str, None where missing), and, where some value is missing for a reason, `name__why`
    (object): the codebook's label of the code, else the file's, else the code itself (".a", "-9"); None for values
    that are there and for plain system-missing. A text column of a .csv file becomes float64 if all values left are
    numbers. The id column is text without blanks around it, whole numbers without decimals.

    Raises ResearchError: no such id column; a column name that ends in the suffix kept for reasons.
    """
    _check_names(raw, id_column)
    columns: dict[str, pd.Series] = {}
    for column in raw.data:
        declared = missing.get(column, {})
        values, codes = values_and_codes(raw, column, declared)
        columns[column] = _identifiers(values) if column == id_column else values
        if codes.notna().any():
            labels = labels_by_code(raw.value_labels.get(column, {})) | labels_by_code(declared)
            reasons = [labels.get(code, code) for code in codes]
            columns[column + REASON_SUFFIX] = pd.Series(reasons, dtype=object)
    return pd.DataFrame(columns).sort_values(id_column, kind="stable", na_position="last", ignore_index=True)


def _check_names(raw: RawFile, id_column: str) -> None:
    reserved = [f"'{column}'" for column in raw.data if column.endswith(REASON_SUFFIX)]
    if reserved:
        raise ResearchError(
            f"{raw.name}: names that end in '{REASON_SUFFIX}' are kept for the reasons of missing values: "
            f"{', '.join(reserved)}. Rename these columns in the file."
        )
    if id_column not in raw.data:
        by_folded = {column.casefold(): column for column in raw.data}
        near = difflib.get_close_matches(id_column.casefold(), list(by_folded), n=3, cutoff=0.5)
        found = ", ".join(f"'{by_folded[name]}'" for name in near)
        raise ResearchError(
            f"{raw.name}: no id column '{id_column}'; "
            + (f"nearest column names: {found}. " if found else "no column has a similar name. ")
            + "Correct the `id` of this file in the codebook."
        )


def values_and_codes(raw: RawFile, column: str, declared: Mapping[Code, object]) -> tuple[pd.Series, pd.Series]:
    """The values that are there, and per row the missing code as text (None where there is a value or no code)."""
    values = raw.data[column]
    codes = raw.extended_missing.get(column, pd.Series([None] * len(values), dtype=object))
    declared_codes = {code_text(code) for code in declared}
    if values.dtype == float:
        is_code = values.isin([float(code) for code in declared_codes if NUMBER.fullmatch(code)])
        is_code |= _within(values, raw.user_missing.get(column, []))
    else:
        is_code = _codes_of(values).isin(declared_codes)
    codes = codes.mask(is_code, _codes_of(values.where(is_code))).astype(object)
    values = values.where(codes.isna(), np.nan if values.dtype == float else None)
    if raw.source_format == "csv" and values.dtype == object:
        values = _numbers_where_all_are(values)
    return values, codes


def _codes_of(values: pd.Series) -> pd.Series:
    return pd.Series([None if pd.isna(value) else code_text(value) for value in values], dtype=object)


def code_text(code: Code) -> str:
    """One spelling for a code, whether it was read as a number or as text: -9, -9.0 and "-9" are "-9"."""
    if not isinstance(code, int | float):
        text = str(code).strip()
        if not NUMBER.fullmatch(text):
            return text
        code = text
    number = float(code)
    return str(int(number)) if number.is_integer() else repr(number)


def labels_by_code(labels: Mapping[Code, str | None]) -> dict[str, str]:
    """Labels by the text of their codes; codes without a label are left out."""
    return {code_text(code): label for code, label in labels.items() if label}


def _identifiers(values: pd.Series) -> pd.Series:
    text = _codes_of(values) if values.dtype == float else values.str.strip()
    return text.astype(object)


# Ingested files


def write_ingested(table: pd.DataFrame, raw: RawFile, path: str | Path) -> None:
    """Write an ingested table as Parquet, readable by its owner alone (mode 0600), the same bytes for the same input.

    Variable labels, value labels and declared missing codes are in the metadata of the Arrow fields; name, format and
    SHA-256 of the raw file in that of the schema.
    """
    fields, arrays = [], []
    for column in table:
        kind = pa.float64() if table[column].dtype == float else pa.string()
        fields.append(pa.field(column, kind, metadata=_field_metadata(raw, column)))
        arrays.append(pa.array(table[column], kind, from_pandas=True))
    source = {"name": raw.name, "source_format": raw.source_format, "sha256": raw.sha256}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)  # a file that is already there keeps its mode otherwise
        pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=source)), file)


def _field_metadata(raw: RawFile, column: str) -> dict[str, str]:
    metadata = {}
    if column in raw.labels:
        metadata["label"] = raw.labels[column]
    # Pairs, not objects: a JSON object would turn the codes into text.
    if column in raw.value_labels:
        metadata["value_labels"] = json.dumps(list(raw.value_labels[column].items()))
    if column in raw.user_missing:
        metadata["user_missing"] = json.dumps(raw.user_missing[column])
    return metadata


def read_ingested(path: str | Path) -> tuple[pd.DataFrame, IngestedMetadata]:
    """The table and the metadata that `write_ingested` wrote, columns float64 or object (str, None)."""
    stored = pq.read_table(path)
    columns = {
        name: pd.Series(stored[name].to_numpy(), dtype=float if stored[name].type == pa.float64() else object)
        for name in stored.column_names
    }
    fields = {column.name: _decoded(column.metadata) for column in stored.schema}
    return pd.DataFrame(columns), IngestedMetadata(
        **_decoded(stored.schema.metadata),
        labels={name: kept["label"] for name, kept in fields.items() if "label" in kept},
        value_labels={
            name: {code: label for code, label in json.loads(kept["value_labels"])}
            for name, kept in fields.items()
            if "value_labels" in kept
        },
        user_missing={
            name: [(low, high) for low, high in json.loads(kept["user_missing"])]
            for name, kept in fields.items()
            if "user_missing" in kept
        },
    )


def _decoded(metadata: dict[bytes, bytes] | None) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in (metadata or {}).items() if not key.startswith(b"PARQUET:")}


# Starter codebook

"""The invented extract as raw files with labels and missing codes: .sav, .dta or .csv."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat

from esmi.codebook import Codebook
from esmi.documents import nearest
from esmi.errors import listed
from esmi.synthetic.simulation import Simulated
from esmi.variables import Column

# Where a file has the time of its making: in .sav 9 bytes of date and 8 of time after the first 92 of the
# header, in .dta (Stata 13 and later) 17 characters in a tag. No program uses it; with a constant in its place equal
# data are equal bytes.
_SAV_MOMENT = (92, b"01 Jan 7000:00:00")
_DTA_MOMENT = (
    re.compile(rb"<timestamp>\x11.{17}</timestamp>", re.DOTALL),
    b"<timestamp>\x1101 Jan 1970 00:00</timestamp>",
)


def write(simulated: Simulated, paths: Mapping[str, Path], codebook: Codebook) -> None:
    """Write each file of the extract as .sav, .dta or .csv (the suffix decides), with the codebook's labels.

    The same extract always gives the same bytes: the time of writing, which .sav and .dta carry in their headers, is
    set to a constant. Raises ResearchError, all faults at once, for files and suffixes that cannot be written and for
    Stata's missing letters in a .sav file.
    """
    if faults := list(_path_faults(simulated, paths)):
        raise listed("The synthetic extract cannot be written", faults)
    for name, path in paths.items():
        table = simulated.files[name]
        declared = {column: spec for column, spec in codebook.columns(name).items() if column in table}
        match Path(path).suffix:
            case ".sav":
                _write_sav(table, declared, Path(path))
            case ".dta":
                _write_dta(table, declared, Path(path))
            case ".csv":
                table.to_csv(path, index=False, lineterminator="\n")


def _path_faults(simulated: Simulated, paths: Mapping[str, Path]) -> list[str]:
    faults = []
    for name, path in paths.items():
        if name not in simulated.files:
            faults.append(f"{name}: the assumptions make no such file{nearest(name, simulated.files)}")
        elif Path(path).suffix not in (".sav", ".dta", ".csv"):
            faults.append(f"{path}: the suffix must be .sav, .dta or .csv")
        elif Path(path).suffix == ".sav" and (columns := _with_letters(simulated.files[name])):
            faults.append(f"{path}: .sav has no missing codes .a to .z, found in {', '.join(columns)}; write a .dta")
    return faults


def _with_letters(table: pd.DataFrame) -> dict[str, list[str]]:
    """The columns that hold Stata's missing letters (".a" to ".z"), and which."""
    found = {}
    for column in [name for name in table if table[name].dtype == object]:
        values = table[column][table[column].map(lambda value: isinstance(value, str))]
        if letters := sorted(set(values[values.str.fullmatch(r"\.[a-z]")])):
            found[column] = letters
    return found


def _write_sav(table: pd.DataFrame, declared: dict[str, Column], path: Path) -> None:
    numbers = {column: spec for column, spec in declared.items() if not spec.text}
    pyreadstat.write_sav(
        _as_floats(table, {}),
        path,
        column_labels={column: spec.label for column, spec in declared.items()},
        variable_value_labels=_value_labels(numbers),
        missing_ranges={column: sorted(spec.missing) for column, spec in numbers.items() if spec.missing},
        variable_measure={column: "nominal" if spec.codes else "scale" for column, spec in numbers.items()},
        variable_format=dict.fromkeys(numbers, "F8.0"),
        row_compress=True,
    )
    position, moment = _SAV_MOMENT
    content = bytearray(path.read_bytes())
    content[position : position + len(moment)] = moment
    path.write_bytes(content)


def _write_dta(table: pd.DataFrame, declared: dict[str, Column], path: Path) -> None:
    letters = _with_letters(table)
    pyreadstat.write_dta(
        _as_floats(table, letters),
        path,
        column_labels={column: spec.label for column, spec in declared.items()},
        variable_value_labels=_value_labels(declared),
        missing_user_values={
            column: sorted({code[1] for code in {*spec.missing, *letters.get(column, [])} if isinstance(code, str)})
            for column, spec in declared.items()
            if any(isinstance(code, str) for code in {*spec.missing, *letters.get(column, [])})
        },
    )
    pattern, moment = _DTA_MOMENT
    content, n_replaced = pattern.subn(lambda _: moment, path.read_bytes(), count=1)
    if n_replaced != 1:
        raise RuntimeError(f"{path.name}: no timestamp of the expected form in the header")
    path.write_bytes(content)


def _value_labels(declared: dict[str, Column]) -> dict[str, dict[int | float | str, str]]:
    """Labels of codes and missing codes, sorted, so that their order in the codebook changes no byte.

    pyreadstat names Stata's .a by its letter.
    """
    return {
        column: {
            code[1] if isinstance(code, str) else code: label
            for code, label in sorted((spec.codes | spec.missing).items(), key=lambda pair: (str(pair[0]), pair[1]))
        }
        for column, spec in declared.items()
        if spec.codes or spec.missing
    }


def _as_floats(table: pd.DataFrame, letters: dict[str, list[str]]) -> pd.DataFrame:
    """Numbers as float64 (missing NaN), text with "" where blank, and Stata's letters without their dot."""
    columns = {}
    for column in table:
        if column in letters:
            # Whole numbers beside NaN would be written as integers, and the NaN as whatever the memory holds.
            columns[column] = pd.Series([_float_or_letter(value) for value in table[column]], dtype=object)
        elif pd.api.types.is_integer_dtype(table[column].dtype):
            columns[column] = table[column].to_numpy(dtype=float, na_value=np.nan)
        else:
            columns[column] = table[column]
    return pd.DataFrame(columns)


def _float_or_letter(value: object) -> float | str:
    if isinstance(value, str):
        return value[1]
    return np.nan if pd.isna(value) else float(value)

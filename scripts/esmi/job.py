"""What every script does around its one call: read and write tables, and say faults in words instead of tracebacks."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd

from esmi.errors import ResearchError

RESTRICTED_ERRORS = Path("results/restricted/errors.txt")


@contextmanager
def reporting(log: str) -> Iterator[None]:
    """Run a job's body; a fault ends it with a message on the screen and in the log, and exit code 1.

    A ResearchError is said as it is. Any other error is a defect: the log gets the places in the code and the kind of
    error; its message, which may quote data, goes to the restricted folder only.
    """
    Path(log).write_text("", encoding="utf-8")
    try:
        yield
    except ResearchError as error:
        message = str(error)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        places = "\n".join(f"  {Path(f.filename).name}, line {f.lineno}, in {f.name}" for f in frames)
        message = (
            f"a defect of the workflow: {type(error).__name__}, at\n{places}\n"
            f"What it said may quote data, so it stands in {RESTRICTED_ERRORS} only."
        )
        RESTRICTED_ERRORS.parent.mkdir(parents=True, exist_ok=True)
        with RESTRICTED_ERRORS.open("a", encoding="utf-8") as file:
            file.write("".join([f"{log}\n", *traceback.format_exception(error), "\n"]))
    else:
        return
    Path(log).write_text(message + "\n", encoding="utf-8")
    print(message, file=sys.stderr)
    sys.exit(1)


def read_csv(path: str) -> pd.DataFrame:
    """A table of aggregate numbers; in a column of numbers, empty is missing; elsewhere it is empty text."""
    table = pd.read_csv(path, float_precision="round_trip", keep_default_na=False)
    for name in table.columns[table.dtypes.map(pd.api.types.is_string_dtype)]:
        filled = table[name][table[name] != ""]
        # As Python reads it, which gives back the very number that was written; pandas may be off by a bit.
        with suppress(ValueError):
            table[name] = filled.map(float).reindex(table.index) if len(filled) else table[name]
    return table


def write_csv(table: pd.DataFrame, path: str) -> None:
    """Write a table of aggregate numbers: full precision, the same bytes everywhere."""
    table.to_csv(path, index=False, lineterminator="\n")


def write_parquet(table: pd.DataFrame, path: str) -> None:
    """Write a table whose types must be kept."""
    table.to_parquet(path, index=False)


def read_sets(paths: list[str], cleaned: list[str], cluster: str) -> Iterator[tuple[int, pd.DataFrame]]:
    """Imputed sets one after the other, with their numbers; joined to them, if there is one, the variable `cluster`.

    `cleaned`: where that variable is, or no path. Only one file of sets is held at a time.
    """
    for path in paths:
        sets = pd.read_parquet(path)
        if cluster and cluster not in sets:
            identifier = sets.columns[1]
            clusters = pd.read_parquet(cleaned[0], columns=[identifier, cluster])
            sets = sets.merge(clusters, on=identifier, how="left", validate="many_to_one")
        for number, data in sets.groupby("imputation"):
            yield number, data.reset_index(drop=True)

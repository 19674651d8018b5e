"""From ingested files to one row per person: the join, the derived variables, the inclusion flow and their log."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from esmi import forms, instruments, scoring
from esmi.codebook import Codebook
from esmi.settings import Step
from esmi.variables import ICD10, Variable

ID = "id"
LOG_COLUMNS = ["variable", "form", "detail", "n"]


@dataclass(frozen=True)
class Cleaned:
    """The analysis table, the log of how it came about, and the inclusion flow.

    `table`: one row per person included, sorted by id; the id and every variable of the codebook, numbers as float64,
    categories with the codebook's levels, reference first. `log`: variable, form, detail, n (rows of the joined files).
    `flow`: step, label, n (left), excluded (by this step).
    """

    table: pd.DataFrame
    log: pd.DataFrame
    flow: pd.DataFrame


def clean(ingested: dict[str, pd.DataFrame], codebook: Codebook, spine: str, population: list[Step]) -> Cleaned:
    """Join the files to the spine, derive every variable in the order in which they need each other, include.

    A person who is not in a file has missing values for its columns. Raises ResearchError where items cannot be scored.
    """
    joined = _join(ingested, codebook, spine)
    values, log = _derive(joined, codebook)
    table = pd.DataFrame({ID: joined.index.astype(str)} | {name: values[name].array for name in sorted(values)})
    table, flow = _include(table, population)
    return Cleaned(table, pd.DataFrame(log, columns=LOG_COLUMNS), flow)


def _join(ingested: dict[str, pd.DataFrame], codebook: Codebook, spine: str) -> pd.DataFrame:
    """All columns as `file.column`, one row per id of the spine, sorted by id."""
    people = pd.Index(sorted(ingested[spine][codebook.files[spine].id]), name=ID)
    parts = [
        table.set_index(codebook.files[file].id).reindex(people).add_prefix(f"{file}.")
        for file, table in sorted(ingested.items())
    ]
    return pd.concat(parts, axis="columns")


def _derive(joined: pd.DataFrame, codebook: Codebook) -> tuple[dict[str, pd.Series], list[tuple]]:
    scores, log = _scores(joined, codebook)
    values: dict[str, pd.Series] = {}

    def operand(name: str) -> pd.Series:
        return joined[name] if "." in name else values[name]

    def number(name: str) -> pd.Series:
        return operand(name).astype("float64")

    for name in codebook.order():
        variable = codebook.variables[name]
        match variable.form:
            case "copy":
                result = number(variable.from_column)
                log += [(name, "copy", "known", int(result.notna().sum()))]
            case "recode":
                result = _recode(joined, name, variable, codebook, log)
            case "choose":
                by, columns = operand(variable.choose.by), variable.choose.columns
                result = pd.Series(np.nan, index=joined.index)
                for code, column in columns.items():
                    result = result.mask(by == code, number(column))
                    log.append((name, "choose", f"from {column}", int(((by == code) & number(column).notna()).sum())))
            case "score":
                result = scores[variable.score.administration, f"{variable.score.instrument}_{variable.score.scale}"]
                if variable.score.cut_off is not None:
                    instrument = codebook.instruments[variable.score.instrument]
                    lowest = instruments.cut_offs(instrument, variable.score.scale)[variable.score.cut_off]
                    result = forms.yes_no(result >= lowest, result.notna())
            case "icd10":
                result = _icd10(joined[variable.icd10.columns], name, variable.icd10.ranges, log)
            case _:
                result = forms.combined(name, variable, operand, log)
        values[name] = forms.typed(result, variable)
        log += _outcome_of(name, variable, values[name])
    return values, log


def _scores(joined: pd.DataFrame, codebook: Codebook) -> tuple[dict[tuple[str, str], pd.Series], list[tuple]]:
    """Every scale of every instrument at each administration, and the count of complete and prorated scores."""
    scores: dict[tuple[str, str], pd.Series] = {}
    log: list[tuple] = []
    for _, instrument in sorted(codebook.instruments.items()):
        for given, administration in sorted(instrument.administrations.items()):
            items = joined.filter(regex=rf"^{administration.file}\.").rename(columns=lambda c: c.split(".", 1)[1])
            table, counts = scoring.score(items, instrument, given)
            scores |= {(given, column): table[column] for column in table}
            for row in counts.to_dict("records"):
                scale = f"{row['instrument']}.{row['scale']} at {given}"
                for way in ("complete", "prorated", "decided", "missing"):
                    log.append((scale, "score", way, row[f"n_{way}"]))
    return scores, log


def _recode(joined: pd.DataFrame, name: str, variable: Variable, codebook: Codebook, log: list[tuple]) -> pd.Series:
    column = variable.recode.of
    raw = joined[column]
    result = pd.Series(None, index=raw.index, dtype=object)
    for level, codes in sorted(variable.recode.to.items()):
        result = result.mask(raw.isin(codes), level)
        for code in codes:
            log.append((name, "recode", f"{code} -> {level}", int((raw == code).sum())))
    for code in variable.recode.missing:
        log.append((name, "recode", f"{code} -> missing", int((raw == code).sum())))
    why = joined.get(f"{column}__why", pd.Series(index=raw.index, dtype=object))
    for reason, n in why[raw.isna()].fillna("no reason given").value_counts().sort_index().items():
        log.append((name, "recode", f"missing: {reason}", int(n)))
    return result


def _icd10(texts: pd.DataFrame, name: str, ranges: list[str], log: list[tuple]) -> pd.Series:
    """Yes where any code lies in a range; no where there is a code and none does; missing where there is no code.

    Compared by the three-character category, so that F60.3 lies in F60-F61. An empty second or later diagnosis means
    that there was no further one. Text that is no ICD-10 code counts as empty, and is counted in the log.
    """
    written = texts.apply(lambda column: column.astype("string").str.strip().str.upper())
    is_code = written.apply(lambda column: column.str.match(ICD10)).fillna(False).astype(bool)
    categories = written.apply(lambda column: column.str[:3]).where(is_code)
    inside = pd.DataFrame(False, index=texts.index, columns=texts.columns)
    for text in ranges:
        first, _, last = text.partition("-")
        inside |= ((categories >= first) & (categories <= (last or first))).fillna(False).astype(bool)
    strange = (written.fillna("") != "") & ~is_code
    log.append((name, "icd10", "text that is no ICD-10 code", int(strange.any(axis="columns").sum())))
    return forms.yes_no(inside.any(axis="columns"), is_code.any(axis="columns"))


def _outcome_of(name: str, variable: Variable, values: pd.Series) -> list[tuple]:
    counts = [(name, variable.form, "missing", int(values.isna().sum()))]
    if isinstance(values.dtype, pd.CategoricalDtype):
        counts = [
            (name, variable.form, f"= {level}", int((values == level).sum())) for level in values.cat.categories
        ] + counts
    return counts


def _include(table: pd.DataFrame, population: list[Step]) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [("in the extract", len(table), 0)]
    for step in population:
        values = table[step.variable]
        kept = table[values.isin(step.levels) if step.levels else values.notna()]
        rows.append((step.label, len(kept), len(table) - len(kept)))
        table = kept
    flow = pd.DataFrame(rows, columns=["label", "n", "excluded"])
    flow.insert(0, "step", range(len(flow)))
    return table.reset_index(drop=True), flow

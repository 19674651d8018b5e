"""A starter codebook from the metadata of raw files: names, labels, codes and counts, never a row."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd
import yaml

from esmi import extract
from esmi.extract import Code

MOST_CODES = 20
FEWEST_VALUES_FOR_A_RANGE = 10

_ID_NAME = re.compile(r"(^|_)id$", re.IGNORECASE)


def draft_codebook(raws: Mapping[str, extract.RawFile]) -> str:
    """A starter codebook (YAML) for {file name in the config: raw file}, from labels and counts alone.

    Per file a guess at the id column; per column its label, kind (codes, number with its range, or text) and missing
    codes, with the numbers of distinct and missing values as comments. No row, no value of a text column and no
    identifier is in it. A number without a range is for its reader to describe: the codebook does not load until then.
    A range is given from ten distinct values on, rounded outward to 2 significant digits, and
    more coarsely where that would leave an extreme value as it is (see `_coarse_range`).
    """
    guesses = {name: _id_guess(raw) for name, raw in raws.items()}
    ids = {guess[0] for guess in guesses.values() if guess}
    lines = ["# Drafted from the labels in the files: check every line against the study's documents.", "files:"]
    for name, raw in raws.items():
        guess = guesses[name]
        lines += [f"  {_flow(name)}:", f"    # {_one_line(raw.name)}: {len(raw.data)} rows"]
        if guess:
            lines.append(f"    id: {_flow(guess[0])}  # a guess: unique and complete")
            others = ", ".join(_one_line(column) for column in guess[1:])
            lines += [f"    # unique and complete as well: {others}"] if others else []
        else:
            lines.append("    id:  # no column is unique and complete: name the one that identifies a row")
        columns = [column for column in raw.data if not (guess and column == guess[0])]
        lines.append("    columns:" if columns else "    columns: {}")
        identifying = ids.union(guess)
        for column in columns:
            # An id that repeats (one row per visit) is not unique but is an id all the same.
            is_id = column in identifying or bool(_ID_NAME.search(column))
            lines.append(f"      {_draft_column(raw, column, is_id)}")
    return "\n".join(lines) + "\n"


def _id_guess(raw: extract.RawFile) -> list[str]:
    """Columns that are unique and complete, the likeliest id first; numbers with decimals are measurements."""
    candidates = []
    for column in raw.data:
        values, codes = extract.values_and_codes(raw, column, {})
        measured = values.dtype == float and not (values.dropna() % 1 == 0).all()
        if values.notna().all() and codes.isna().all() and values.is_unique and not measured:
            candidates.append(column)
    return sorted(candidates, key=lambda column: not _ID_NAME.search(column))


def _draft_column(raw: extract.RawFile, column: str, identifying: bool) -> str:
    values, codes = extract.values_and_codes(raw, column, {})
    observed = values.dropna()
    distinct = observed.nunique()
    labels = raw.value_labels.get(column, {})
    missing = _missing_codes(raw, column, codes)
    level_labels = {code: label for code, label in labels.items() if extract.code_text(code) not in missing}
    spec: dict[str, object] = {"label": raw.labels.get(column, column)}
    notes = [f"{distinct} distinct, {len(values) - len(observed)} missing"]
    if identifying:
        spec |= {} if values.dtype == float else {"text": True}
        notes.append("identifies rows")
    elif level_labels and distinct <= MOST_CODES:
        spec["codes"] = {_yaml_code(code): label for code, label in level_labels.items()}
        unlabelled = len(
            set(map(extract.code_text, observed.unique())) - {extract.code_text(code) for code in level_labels}
        )
        notes += [f"{unlabelled} of them without a label"] if unlabelled else []
    elif values.dtype != float:
        spec["text"] = True
    elif distinct >= FEWEST_VALUES_FOR_A_RANGE:
        spec["range"] = _coarse_range(observed.to_numpy())
    if not spec.keys() & {"codes", "range", "text"}:
        notes.append("say codes or range")
    if missing:
        spec["missing"] = {_yaml_code(code): label for code, label in sorted(missing.items())}
    notes += [
        f"declared missing from {_bound(low)} to {_bound(high)}"
        for low, high in raw.user_missing.get(column, [])
        if low != high
    ]
    return f"{_flow(column)}: {_flow(spec)}  # {'; '.join(notes)}"


def _missing_codes(raw: extract.RawFile, column: str, codes: pd.Series) -> dict[str, str]:
    """{code: label, or the code where it has none}: codes with a label, declared one by one, or of Stata's letters.

    Values inside a declared range that have no label are left out: they may be one person's.
    """
    intervals = raw.user_missing.get(column, [])
    labels = raw.value_labels.get(column, {})
    declared = [low for low, high in intervals if low == high]
    declared += [code for code in labels if _is_missing_code(code, intervals, raw.source_format)]
    if raw.source_format == "dta":
        declared += list(codes.dropna().unique())
    named = extract.labels_by_code(labels)
    return {text: named.get(text, text) for text in map(extract.code_text, declared)}


def _is_missing_code(code: Code, intervals: list[tuple[Code, Code]], source_format: str) -> bool:
    if isinstance(code, str):
        return source_format == "dta" or extract.text_code(code, intervals) is not None
    return any(low <= code <= high for low, high in intervals)


def _bound(end: float) -> str:
    # SPSS's LOWEST and HIGHEST
    return {-np.inf: "lowest", np.inf: "highest"}.get(end, f"{end:g}")


def _yaml_code(code: Code) -> int | float | str:
    text = extract.code_text(code)
    if not extract.NUMBER.fullmatch(text):
        return text
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)


def _coarse_range(values: np.ndarray) -> list[int | float]:
    """Lowest and highest value, rounded outward to 2 significant digits of the larger of the two.

    Where the values are themselves no finer than that (ages, scores), one digit less, so that neither end of the
    range is known to be somebody's value.
    """
    exponent = int(np.floor(np.log10(np.abs(values).max()))) - 1
    while np.allclose(values / 10.0**exponent, np.round(values / 10.0**exponent), rtol=0, atol=1e-6):
        exponent += 1
    step = 10.0**exponent
    ends = (np.floor(values.min() / step) * step, np.ceil(values.max() / step) * step)
    return [int(end) if exponent >= 0 else round(float(end), -exponent) for end in ends]


class _Dumper(yaml.SafeDumper):
    """Quotes text such as 1e5, which the codebook's reader (YAML 1.2) takes for a number and YAML 1.1 does not."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _flow(value: object) -> str:
    """YAML on one line; inside brackets, so that a scalar is quoted where it has to be."""
    dumped = yaml.dump(
        [_tidy(value)], Dumper=_Dumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9
    )
    return dumped.strip()[1:-1]


def _tidy(value: object) -> object:
    if isinstance(value, dict):
        return {_tidy(key): _tidy(entry) for key, entry in value.items()}
    return _one_line(value) if isinstance(value, str) else value


def _one_line(text: str) -> str:
    return " ".join(text.split())

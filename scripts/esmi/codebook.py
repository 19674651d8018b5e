"""What the data mean: raw columns, instruments and the analysis variables that are derived from them.

A codebook is a folder: `variables.yaml` (the files with their columns, and the variables) and `instruments/*.yaml`.
Variables come from raw columns or from other variables by small declared forms; nothing in it is evaluated as code.
"""

import graphlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from esmi import instruments
from esmi.documents import Closed, nearest, parse, read_yaml
from esmi.errors import listed
from esmi.instruments import Instrument

Code = int | float | str
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]

NO_YES = {"no": "No", "yes": "Yes"}
ICD10 = re.compile(r"^[A-Z][0-9]{2}$")


class Column(Closed):
    """A raw column: what it is called in the file is its key."""

    label: str = ""
    codes: dict[Code, str] = {}
    range: tuple[float, float] | None = None
    text: bool = False
    missing: dict[Code, str] = {}

    @model_validator(mode="after")
    def _one_kind(self) -> "Column":
        if sum([bool(self.codes), self.range is not None, self.text]) != 1:
            raise ValueError("say exactly one of codes (a category), range (a number) or text: true")
        if self.range is not None and self.range[0] > self.range[1]:
            raise ValueError(f"range runs from {self.range[0]:g} to {self.range[1]:g}: lowest first")
        if both := sorted(str(c) for c in self.codes.keys() & self.missing.keys()):
            raise ValueError(f"code {', '.join(both)} is both a code and a missing code")
        return self


class RawFile(Closed):
    """One raw file: the column that identifies a person, and its columns."""

    id: str
    columns: dict[str, Column]


class Recode(Closed):
    """Levels from raw codes: every declared code goes to one level or to `missing`."""

    of: str
    to: dict[Name, list[Code]]
    missing: list[Code] = []


class Bands(Closed):
    """Levels from a number: each level begins at its value and ends where the next begins."""

    of: str
    start: dict[Name, float]


class Choose(Closed):
    """A number taken from one of several columns, by the code of another: deprivation by nation."""

    by: str
    columns: dict[Code, str]


class Score(Closed):
    """A scale of an instrument; with `cut_off`, whether the score reaches that band of the default cut-offs."""

    instrument: Name
    scale: Name
    administration: Name = "t1"
    cut_off: str | None = None


class AtLeast(Closed):
    """Whether a number is at least `value`."""

    of: str
    value: float


class InRange(Closed):
    """Whether a number lies between `low` and `high`, both included."""

    of: str
    low: float
    high: float


class Icd10(Closed):
    """Whether any of the columns holds an ICD-10 code within the ranges (three-character categories, both ends in)."""

    columns: list[str] = Field(min_length=1)
    ranges: list[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _ranges_are_categories(self) -> "Icd10":
        for text in self.ranges:
            ends = text.split("-")
            if len(ends) > 2 or not all(ICD10.match(end) for end in ends) or ends[0] > ends[-1]:
                raise ValueError(f"'{text}' is not an ICD-10 category such as F20, or a range such as F20-F29")
        return self


Kind = Literal["continuous", "binary", "ordinal", "nominal"]


class Words(Closed):
    """What is printed of a variable: its label, unit, kind of measurement, and level labels, reference first."""

    label: str
    unit: str
    kind: Kind
    levels: dict[str, str]


FORMS = ("copy", "recode", "bands", "choose", "score", "at_least", "in_range", "icd10", "any_of", "all_of")


class Variable(Closed):
    """An analysis variable: how it is derived (one form), its levels in order, and how it is called in print."""

    label: str
    unit: str = ""
    levels: dict[Name, str] = {}
    reference: Name | None = None
    ordered: bool = False
    from_column: str | None = Field(default=None, alias="copy")
    recode: Recode | None = None
    bands: Bands | None = None
    choose: Choose | None = None
    score: Score | None = None
    at_least: AtLeast | None = None
    in_range: InRange | None = None
    icd10: Icd10 | None = None
    any_of: list[Name] | None = Field(default=None, min_length=1)
    all_of: list[Name] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_form_with_its_levels(self) -> "Variable":
        said = [name for name in FORMS if self._form(name) is not None]
        if len(said) != 1:
            found = " and ".join(said) or "none"
            raise ValueError(f"say exactly one of {', '.join(FORMS)}; found {found}")
        derived = self.derived_levels
        if self.levels and derived is None:
            raise ValueError(f"levels are for categories; '{self.form}' gives a number")
        if derived is not None and self.levels and list(self.levels) != derived and set(self.levels) != set(derived):
            raise ValueError(f"levels are {', '.join(self.levels)}; '{self.form}' gives {', '.join(derived)}")
        if derived is not None and not self.levels and derived != list(NO_YES):
            raise ValueError(f"levels is needed: a label for each of {', '.join(derived)}")
        if self.reference is not None and self.reference not in (derived or []):
            raise ValueError(f"reference '{self.reference}' is not a level{nearest(self.reference, derived or [])}")
        if self.ordered and (derived is None or len(derived) < 3):
            raise ValueError("ordered is for categories with three levels or more")
        if self.ordered and self.reference not in (None, list(self.levels)[0], list(self.levels)[-1]):
            raise ValueError(f"reference '{self.reference}' must be the first or the last level of an ordered variable")
        return self

    def _form(self, name: str) -> object:
        return getattr(self, "from_column" if name == "copy" else name)

    @property
    def form(self) -> str:
        """The name of the form that derives this variable."""
        return next(name for name in FORMS if self._form(name) is not None)

    @property
    def derived_levels(self) -> list[str] | None:
        """The level keys that the form yields, or None for a number."""
        if self.recode:
            return list(NO_YES) if set(self.recode.to) == set(NO_YES) else list(self.recode.to)
        if self.bands:
            return list(self.bands.start)
        if self.from_column or self.choose or (self.score and self.score.cut_off is None):
            return None
        return list(NO_YES)

    @property
    def level_labels(self) -> dict[str, str]:
        """Level key -> printed label, reference first; empty for a number.

        The other levels keep their order; those of an ordered variable run backwards where the last is the reference.
        """
        labels = dict(self.levels) or (dict(NO_YES) if self.derived_levels else {})
        if self.ordered and self.reference == list(labels)[-1]:
            return dict(reversed(labels.items()))
        if self.reference is not None:
            labels = {self.reference: labels[self.reference], **labels}
        return labels

    @property
    def kind(self) -> Kind:
        """The kind of measurement, which decides how a variable is summarised, compared and imputed."""
        labels = self.level_labels
        if not labels:
            return "continuous"
        if len(labels) == 2:
            return "binary"
        return "ordinal" if self.ordered else "nominal"

    @property
    def operands(self) -> list[str]:
        """The names this variable is made from: `file.column`, or other variables. Scores name none."""
        match self.form:
            case "copy":
                return [self.from_column]
            case "recode" | "bands" | "at_least" | "in_range":
                return [self._form(self.form).of]
            case "choose":
                return [self.choose.by, *self.choose.columns.values()]
            case "icd10":
                return list(self.icd10.columns)
            case "any_of" | "all_of":
                return list(self._form(self.form))
            case _:
                return []


def _sorted(column: Column) -> Column:
    def by_code(labels: dict[Code, str]) -> dict[Code, str]:
        return dict(sorted(labels.items(), key=lambda item: (isinstance(item[0], str), item[0])))

    return column.model_copy(update={"codes": by_code(column.codes), "missing": by_code(column.missing)})


def _blank(column: Column) -> Column:
    return column.model_copy(
        update={"label": "", "codes": dict.fromkeys(column.codes, ""), "missing": dict.fromkeys(column.missing, "")}
    )


class _Variables(Closed):
    files: dict[Name, RawFile]
    variables: dict[Name, Variable]


class Codebook(Closed):
    """The files, instruments and variables of one study, cross-checked."""

    files: dict[str, RawFile]
    instruments: dict[str, Instrument]
    variables: dict[str, Variable]

    def columns(self, file: str) -> dict[str, Column]:
        """Every declared column of a raw file: its own and the items of the instruments given in it."""
        columns = dict(self.files[file].columns)
        for instrument in self.instruments.values():
            for given in instrument.administrations.values():
                if given.file == file:
                    for item in instrument.items:
                        columns[given.items.format(item)] = Column(
                            label=f"{instrument.title}, item {item}", range=instrument.range, missing=instrument.missing
                        )
        return columns

    def column(self, operand: str) -> Column:
        """The declared column that an operand `file.column` names."""
        file, _, name = operand.partition(".")
        return self.columns(file)[name]

    def raw_part(self) -> "Codebook":
        """What is said of the raw files, labels and all, sorted; no variables, so that theirs change nothing raw."""
        return Codebook(
            files={
                name: file.model_copy(update={"columns": {c: _sorted(col) for c, col in sorted(file.columns.items())}})
                for name, file in sorted(self.files.items())
            },
            instruments=dict(sorted(self.instruments.items())),
            variables={},
        )

    def without_words(self) -> "Codebook":
        """The codebook less its labels, titles, units and sources, sorted: all that decides values, and nothing more."""
        raw = self.raw_part()
        return Codebook(
            files={
                name: file.model_copy(update={"columns": {c: _blank(column) for c, column in file.columns.items()}})
                for name, file in raw.files.items()
            },
            instruments={name: instruments.without_words(i) for name, i in raw.instruments.items()},
            variables={
                name: variable.model_copy(update={"label": "", "unit": "", "levels": dict.fromkeys(variable.levels, "")})
                for name, variable in sorted(self.variables.items())
            },
        )

    def terms(self, variable: str) -> list[str]:
        """The names of a variable's terms in a model: itself for a number, `variable[level]` for other levels than the first."""
        levels = list(self.variables[variable].level_labels)
        return [f"{variable}[{level}]" for level in levels[1:]] or [variable]

    def words(self, variable: str) -> Words:
        """What tables and figures print of a variable."""
        declared = self.variables[variable]
        return Words(label=declared.label, unit=declared.unit, kind=declared.kind, levels=declared.level_labels)

    def order(self) -> list[str]:
        """The variables, each after those it is made from; ties by name, so that the file's order is no matter."""
        sorter = graphlib.TopologicalSorter(
            {name: sorted(o for o in v.operands if "." not in o) for name, v in sorted(self.variables.items())}
        )
        return list(sorter.static_order())

    def sources(self, variable: str) -> list[str]:
        """The raw columns `file.column` behind a variable, through everything it is made from."""
        found: dict[str, None] = {}
        definition = self.variables[variable]
        if definition.score:
            instrument = self.instruments[definition.score.instrument]
            given = instrument.administrations[definition.score.administration]
            items = instruments.scale_items(instrument, definition.score.scale)
            found.update({f"{given.file}.{given.items.format(item)}": None for item in items})
        for operand in definition.operands:
            found.update(dict.fromkeys([operand] if "." in operand else self.sources(operand)))
        return list(found)


def load(folder: Path) -> Codebook:
    """The codebook in a folder: variables.yaml and instruments/*.yaml.

    Raises one ResearchError with all faults of a file, and then one with all faults between the files.
    """
    path = folder / "variables.yaml"
    document = parse(_Variables, read_yaml(path), str(path))
    known: dict[str, Instrument] = {}
    for file in sorted((folder / "instruments").glob("*.yaml")):
        known[file.stem] = instruments.parse(read_yaml(file))
    codebook = Codebook.model_construct(files=document.files, instruments=known, variables=document.variables)
    if faults := list(_cross_checks(codebook)):
        raise listed(str(folder), faults)
    return codebook


def _cross_checks(codebook: Codebook) -> Iterator[str]:
    for name, instrument in codebook.instruments.items():
        if instrument.name != name:
            yield f"instruments/{name}.yaml: name is '{instrument.name}', it must be the file's name, '{name}'"
        for given, administration in instrument.administrations.items():
            if administration.file not in codebook.files:
                yield (
                    f"instruments/{name}.yaml: administrations.{given}.file is '{administration.file}', which is not "
                    f"among files{nearest(administration.file, codebook.files)}"
                )
    columns = {f"{file}.{column}" for file in codebook.files for column in codebook.columns(file)}
    for name, variable in codebook.variables.items():
        for operand in variable.operands:
            known = columns if "." in operand else codebook.variables
            if operand not in known:
                what = "a column of the codebook" if "." in operand else "a variable of the codebook"
                yield f"variables.{name}.{variable.form}: '{operand}' is not {what}{nearest(operand, known)}"
        yield from (f"variables.{name}.{variable.form}: {fault}" for fault in _form_faults(codebook, variable, columns))
    try:
        codebook.order()
    except graphlib.CycleError as error:
        yield f"variables: {' -> '.join(error.args[1])} are made from one another in a circle"


def _form_faults(codebook: Codebook, variable: Variable, columns: set[str]) -> Iterator[str]:
    if variable.recode and variable.recode.of in columns:
        declared = list(codebook.column(variable.recode.of).codes)
        used = [c for codes in [*variable.recode.to.values(), variable.recode.missing] for c in codes]
        if not declared:
            yield f"'{variable.recode.of}' has no codes in the codebook, and only codes can be recoded"
        elif left := [c for c in declared if c not in used]:
            yield f"code {', '.join(map(str, left))} of {variable.recode.of} goes nowhere: add it to a level or to missing"
        if declared and (strange := [c for c in used if c not in declared]):
            yield f"code {', '.join(map(str, strange))} is not a code of {variable.recode.of}"
        if twice := sorted({str(c) for c in used if used.count(c) > 1}):
            yield f"code {', '.join(twice)} goes to two places"
    if variable.bands and list(variable.bands.start.values()) != sorted(set(variable.bands.start.values())):
        yield "the values at which the bands start must rise from one level to the next"
    if variable.choose and variable.choose.by in columns:
        declared = set(codebook.column(variable.choose.by).codes)
        if wrong := sorted(str(c) for c in declared ^ set(variable.choose.columns)):
            yield f"code {', '.join(wrong)} must stand both in the codes of {variable.choose.by} and here"
    for operand in (variable.any_of or []) + (variable.all_of or []):
        if operand in codebook.variables and codebook.variables[operand].derived_levels != list(NO_YES):
            yield f"'{operand}' is not a yes/no variable"
    if variable.score:
        yield from _score_faults(codebook.instruments, variable.score)


def _score_faults(known: Mapping[str, Instrument], score: Score) -> Iterator[str]:
    if score.instrument not in known:
        yield f"there is no instruments/{score.instrument}.yaml{nearest(score.instrument, known)}"
        return
    instrument = known[score.instrument]
    if score.administration not in instrument.administrations:
        yield (
            f"{score.instrument} has no administration '{score.administration}'"
            f"{nearest(score.administration, instrument.administrations)}"
        )
    if score.scale not in instrument.scales:
        yield f"{score.instrument} has no scale '{score.scale}'{nearest(score.scale, instrument.scales)}"
    elif score.cut_off is not None and score.cut_off not in (bands := instruments.cut_offs(instrument, score.scale)):
        yield f"{score.instrument}.{score.scale} has no cut-off '{score.cut_off}'{nearest(score.cut_off, bands)}"

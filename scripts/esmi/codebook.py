"""What the data mean: raw columns, instruments and the analysis variables that are derived from them.

A codebook is a folder: `variables.yaml` (the files with their columns, and the variables) and `instruments/*.yaml`.
Variables come from raw columns or from other variables by small declared forms; nothing in it is evaluated as code.
"""

import graphlib
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import Field, StrictFloat, StrictInt, StrictStr, model_validator

from esmi import instruments
from esmi.documents import Closed, Name, nearest, parse, read_yaml, shown
from esmi.errors import ResearchError, listed
from esmi.instruments import Instrument

Code = StrictInt | StrictFloat | StrictStr

# The columns that the workflow's own tables have beside the variables.
RESERVED = ("id", "imputation", "pattern", "n", "percent", "missing_variables")

NO_YES = {"no": "No", "yes": "Yes"}
ICD10 = re.compile(r"[A-Z][0-9]{2}")


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

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers: measured, or codes that are all numbers."""
        return not self.text and not any(isinstance(code, str) for code in self.codes)


class RawFile(Closed):
    """One raw file: the column that identifies a person, and its columns."""

    id: str
    columns: dict[str, Column]


class Recode(Closed):
    """Levels from raw codes: every declared code goes to one level or to `missing`."""

    of: str
    to: dict[Name, list[Code]] = Field(min_length=2)
    missing: list[Code] = []


class Bands(Closed):
    """Levels from a number: each level begins at its value and ends where the next begins."""

    of: str
    start: dict[Name, float] = Field(min_length=2)


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
            if len(ends) > 2 or not all(ICD10.fullmatch(end) for end in ends) or ends[0] > ends[-1]:
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
        if derived is not None and self.levels and set(self.levels) != set(derived):
            raise ValueError(f"levels are {', '.join(self.levels)}; '{self.form}' gives {', '.join(derived)}")
        if derived is not None and not self.levels and derived != list(NO_YES):
            raise ValueError(f"levels is needed: a label for each of {', '.join(derived)}")
        if self.reference is not None and self.reference not in (derived or []):
            raise ValueError(f"reference '{self.reference}' is not a level{nearest(self.reference, derived or [])}")
        if self.ordered and (derived is None or len(derived) < 3):
            raise ValueError("ordered is for categories with three levels or more")
        if self.ordered and self.reference not in (None, *[*self.levels][:1], *[*self.levels][-1:]):
            raise ValueError(f"reference '{self.reference}' must be the first or the last level of an ordered variable")
        if self.ordered and self.bands and list(self.levels) not in (derived, derived[::-1]):
            raise ValueError(f"levels of an ordered variable are in the order of its bands, {', '.join(derived)}")
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

    def needs(self, operand: str) -> Literal["number", "codes", "text", "yes/no"]:
        """The kind that an operand of this variable must be of."""
        match self.form:
            case "recode":
                return "codes"
            case "choose":
                return "codes" if operand == self.choose.by else "number"
            case "icd10":
                return "text"
            case "any_of" | "all_of":
                return "yes/no"
            case _:
                return "number"


def _by_code(values: dict[Code, str]) -> dict[Code, str]:
    return dict(sorted(values.items(), key=lambda item: (isinstance(item[0], str), item[0])))


def _sorted(column: Column) -> Column:
    return column.model_copy(update={"codes": _by_code(column.codes), "missing": _by_code(column.missing)})


def _untitled(column: Column) -> Column:
    return column.model_copy(update={"label": "", "missing": dict.fromkeys(column.missing, "")})


def _blank(column: Column) -> Column:
    return column.model_copy(
        update={"label": "", "codes": dict.fromkeys(column.codes, ""), "missing": dict.fromkeys(column.missing, "")}
    )


def _without_words(variable: Variable) -> Variable:
    """The variable less its words; its levels in their order, all else sorted where the order has no meaning."""
    recode, choose = variable.recode, variable.choose
    return variable.model_copy(
        update={
            "label": "",
            "unit": "",
            "levels": dict.fromkeys(variable.level_labels, ""),
            "reference": None,
            "recode": recode and recode.model_copy(update={"to": dict(sorted(recode.to.items()))}),
            "choose": choose and choose.model_copy(update={"columns": _by_code(choose.columns)}),
        }
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
        return self.files[file].columns | dict(self.items(file))

    def items(self, file: str) -> list[tuple[str, Column]]:
        """The columns of a raw file that hold items of instruments, by name; two of one name are a fault."""
        return [
            (
                given.items.format(item),
                Column(label=f"{instrument.title}, item {item}", range=instrument.range, missing=instrument.missing),
            )
            for instrument in self.instruments.values()
            for given in instrument.administrations.values()
            if given.file == file
            for item in instrument.items
        ]

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

    def checked_part(self) -> "Codebook":
        """What the raw files are held against, sorted: of all words only the labels of codes, which files carry too."""
        raw = self.raw_part()
        return Codebook(
            files={
                name: file.model_copy(update={"columns": {c: _untitled(column) for c, column in file.columns.items()}})
                for name, file in raw.files.items()
            },
            instruments={name: instruments.without_words(i) for name, i in raw.instruments.items()},
            variables={},
        )

    def without_words(self) -> "Codebook":
        """The codebook less its labels, titles, units and sources, sorted: what decides values, and nothing more."""
        raw = self.raw_part()
        return Codebook(
            files={
                name: file.model_copy(update={"columns": {c: _blank(column) for c, column in file.columns.items()}})
                for name, file in raw.files.items()
            },
            instruments={name: instruments.without_words(i) for name, i in raw.instruments.items()},
            variables={name: _without_words(variable) for name, variable in sorted(self.variables.items())},
        )

    def terms(self, variable: str) -> list[str]:
        """The names of a variable's terms in a model: itself for a number, else `variable[level]` but for the first."""
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

    Raises one ResearchError with all faults within the files, and, where there are none, one with all between them.
    """
    path = folder / "variables.yaml"
    faults: list[str] = []
    known: dict[str, Instrument] = {}
    try:
        document = parse(_Variables, read_yaml(path), str(path))
    except ResearchError as error:
        faults.append(str(error))
    for file in sorted((folder / "instruments").glob("*.yaml")):
        try:
            known[file.stem] = instruments.parse(read_yaml(file), str(file))
        except ResearchError as error:
            faults.append(str(error))
    if faults:
        raise ResearchError("\n".join(faults))
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
    for file in codebook.files:
        yield from _column_faults(codebook, file)
    columns = {f"{file}.{name}": column for file in codebook.files for name, column in codebook.columns(file).items()}
    for name, variable in codebook.variables.items():
        if name in RESERVED:
            yield f"variables.{name}: choose another name; {', '.join(RESERVED)} are columns of the workflow's own"
        faults = [fault for one in variable.operands for fault in _operand_faults(codebook, columns, variable, one)]
        faults += _form_faults(codebook, columns, variable)
        yield from (f"variables.{name}.{variable.form}: {fault}" for fault in faults)
    try:
        codebook.order()
    except graphlib.CycleError as error:
        yield f"variables: {' -> '.join(error.args[1])} are made from one another in a circle"


def _column_faults(codebook: Codebook, file: str) -> Iterator[str]:
    """Columns of a file that are described twice, or are its id."""
    described = [*codebook.files[file].columns, *(name for name, _ in codebook.items(file))]
    for column in sorted({c for c in described if described.count(c) > 1}):
        yield f"files.{file}: the column '{column}' is described twice, by columns or instruments"
    if (identifier := codebook.files[file].id) in described:
        yield f"files.{file}: the column '{identifier}' is the id, and is not described as anything else"


def _operand_faults(
    codebook: Codebook, columns: Mapping[str, Column], variable: Variable, operand: str
) -> Iterator[str]:
    """What keeps a variable from being made of an operand: there is none of that name, or it is of another kind."""
    needed = variable.needs(operand)
    if "." in operand or needed in ("codes", "text"):
        if operand not in columns:
            yield f"'{operand}' is not a column of the codebook (file.column){nearest(operand, columns)}"
        elif needed == "codes" and not columns[operand].codes:
            yield f"'{operand}' has no codes in the codebook, and '{variable.form}' needs them"
        elif needed == "text" and not columns[operand].text:
            yield f"'{operand}' is not a column of text in the codebook"
        elif needed == "number" and not columns[operand].is_number:
            yield f"'{operand}' is not a column of numbers in the codebook"
    elif operand not in codebook.variables:
        yield f"'{operand}' is not a variable of the codebook{nearest(operand, codebook.variables)}"
    elif needed == "number" and codebook.variables[operand].derived_levels is not None:
        yield f"'{operand}' is not a number"
    elif needed == "yes/no" and codebook.variables[operand].derived_levels != list(NO_YES):
        yield f"'{operand}' is not a yes/no variable"


def _form_faults(codebook: Codebook, columns: Mapping[str, Column], variable: Variable) -> Iterator[str]:
    if (recode := variable.recode) and recode.of in columns and (declared := list(columns[recode.of].codes)):
        used = [code for codes in [*recode.to.values(), recode.missing] for code in codes]
        if left := [code for code in declared if code not in used]:
            yield f"code {_listed(left)} of {recode.of} goes nowhere: add it to a level or to missing"
        if strange := [code for code in used if code not in declared]:
            yield f"code {_listed(strange)} is not a code of {recode.of}; its codes are {_listed(declared)}"
        if twice := list(dict.fromkeys(code for code in used if used.count(code) > 1)):
            yield f"code {_listed(twice)} goes to two places"
    if (choose := variable.choose) and choose.by in columns and (declared := columns[choose.by].codes):
        if left := [code for code in declared if code not in choose.columns]:
            yield f"code {_listed(left)} of {choose.by} has no column here"
        if strange := [code for code in choose.columns if code not in declared]:
            yield f"code {_listed(strange)} is not a code of {choose.by}; its codes are {_listed(declared)}"
    if variable.bands and any(low >= high for low, high in pairwise(variable.bands.start.values())):
        yield "the values at which the bands start must rise from one level to the next"
    if variable.in_range and variable.in_range.low > variable.in_range.high:
        yield f"low is {variable.in_range.low:g} and high is {variable.in_range.high:g}: no number lies between"
    if variable.form in ("icd10", "any_of", "all_of"):
        for operand in sorted({o for o in variable.operands if variable.operands.count(o) > 1}):
            yield f"'{operand}' stands there more than once"
    if variable.score:
        yield from _score_faults(codebook.instruments, variable.score)


def _listed(codes: Iterable[Code]) -> str:
    return ", ".join(shown(code) for code in codes)


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

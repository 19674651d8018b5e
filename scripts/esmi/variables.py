"""Raw columns, and the declared forms by which the variables of the analysis are derived from them.

Nothing in a form is evaluated as code.
"""

import re
from typing import Literal

from pydantic import Field, StrictFloat, StrictInt, StrictStr, model_validator

from esmi.documents import Closed, Name, nearest

Code = StrictInt | StrictFloat | StrictStr

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

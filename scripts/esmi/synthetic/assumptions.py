"""What is assumed of the invented extract: the closed schema of codebook/synthetic.yaml."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from esmi.documents import Closed, nearest


def _adds_up(shares: Any) -> Any:
    values = list(shares.values()) if isinstance(shares, Mapping) else list(shares)
    if abs(sum(values) - 1) > 1e-9:
        raise ValueError(f"shares must add up to 1; these add up to {sum(values):g}")
    return shares


Share = Annotated[float, Field(ge=0, le=1)]
Loading = Annotated[float, Field(ge=-1, le=1)]
Positive = Annotated[float, Field(gt=0)]
Shares = Annotated[dict[int, Share], AfterValidator(_adds_up)]
Codes = Annotated[dict[int | str, Share], AfterValidator(_adds_up)]
Diagnoses = Annotated[dict[str, Share], AfterValidator(_adds_up)]
Effects = dict[str, float]


class Dyads(Closed):
    """How many dyads, how many of them with a known outcome at T1, and how many of these with involvement."""

    n: Annotated[int, Field(ge=20)]
    t1_known: int
    t1_involved: int
    unknown_code: int

    @model_validator(mode="after")
    def _nested(self) -> "Dyads":
        if not 0 < self.t1_involved < self.t1_known <= self.n:
            raise ValueError("needed: 0 < t1_involved < t1_known <= n")
        return self


class Measure(Closed):
    """A whole number from a normal distribution, cut off at both ends."""

    mean: float
    sd: Positive
    lowest: int
    highest: int


class Indicator(Closed):
    """A yes/no record of a trait: the share of yes and the correlation with the trait before it is cut in two."""

    share: Share
    loading: Loading


class Items(Closed):
    """Items of which any from a value up counts as yes."""

    items: list[int] = Field(min_length=1)
    at_least: int


class SubstanceParts(Closed):
    """The records of substance misuse: two of their own, and items of instruments (`file.instrument`)."""

    icd10: Indicator
    drug_history: Indicator
    items: dict[str, Items]


class LearningParts(Closed):
    """The two records of learning difficulties."""

    icd10: Indicator
    reported: Indicator


class DiagnosisCodes(Closed):
    """The ICD-10 codes recorded for each kind of disorder, and how they are written."""

    schizophrenia: Diagnoses
    personality_disorder: Diagnoses
    substance: Diagnoses
    learning: Diagnoses
    other: Diagnoses
    personality_first: Share
    untidy: Share


class Group(Closed):
    """Items that measure one trait: their loadings and the shares of the scored values, lowest first."""

    items: list[int] = Field(min_length=1)
    trait: str
    loading: Loading
    group_loading: Loading
    shares: Annotated[list[Share], AfterValidator(_adds_up)]
    scored: bool = True

    @model_validator(mode="after")
    def _room_for_noise(self) -> "Group":
        if self.loading**2 + self.group_loading**2 > 1:
            raise ValueError("the squares of loading and group_loading must not add up to more than 1")
        return self


class ScoreName(Closed):
    """The name of the true score; with `counting` it is how many items have that value, else the sum of the items."""

    name: str
    counting: int | None = None


class Questionnaire(Closed):
    """An instrument: the pattern of its columns by file, the range of an item, the items stored reversed."""

    columns: dict[str, str]
    range: tuple[int, int]
    reversed: list[int] = Field(default_factory=list)
    score: ScoreName
    groups: list[Group] = Field(min_length=1)

    @property
    def items(self) -> list[int]:
        """All item numbers, ascending."""
        return sorted(item for group in self.groups for item in group.items)

    @model_validator(mode="after")
    def _sound(self) -> "Questionnaire":
        if len(set(self.items)) < len(self.items):
            raise ValueError("an item stands in more than one group")
        if strange := sorted(set(self.reversed) - set(self.items)):
            raise ValueError(f"reversed: {', '.join(map(str, strange))} stand in no group")
        low, high = self.range
        if any(len(group.shares) != high - low + 1 for group in self.groups):
            raise ValueError(f"each group needs {high - low + 1} shares, one for each value from {low} to {high}")
        return self


class FirstOutcome(Closed):
    """Involvement at T1: the planted log-odds, and the safeguarding categories of those without and with it."""

    effects: Effects
    categories: dict[Literal["no", "yes"], Shares]


class SecondOutcome(FirstOutcome):
    """Involvement at T2: as at T1, and its share."""

    share: Share


class Readmission(Closed):
    """Readmission within a year: its share by service, and log-odds within a service."""

    share: dict[int, Share]
    effects: Effects


class Custody(Closed):
    """Whom the infant lives with by safeguarding category at one year, and which answers are custody lost."""

    by_category: dict[int, Shares]
    mother: int
    lost: list[int]


class ProtectionPlan(Closed):
    """A child protection plan during the year: always with the category; the share of the others involved at T2."""

    category: int
    otherwise: Share


class Absence(Closed):
    """People who are not in a file: their share, and log-odds."""

    share: Share = 0
    effects: Effects = Field(default_factory=dict)


class NotReturned(Closed):
    """Whole questionnaires (`file.instrument`) without answers: share of each, how they go together, log-odds."""

    shares: dict[str, Share] = Field(default_factory=dict)
    correlation: Share = 0
    blank: Share = 1
    effects: Effects = Field(default_factory=dict)


class Gaps(Closed):
    """Single answers missing: the share of people who leave any out, the share of their items, and the codes."""

    people: Share
    items: Share
    codes: Codes


class Missing(Closed):
    """All that is missing; by default nothing."""

    not_interviewed: Absence = Absence()
    attrition: Absence = Absence()
    not_returned: NotReturned = NotReturned()
    answers: dict[str, Gaps] = Field(default_factory=dict)
    columns: dict[str, dict[str, dict[int | str, Share]]] = Field(default_factory=dict)
    no_diagnosis: Share = 0


class Assumptions(Closed):
    """Everything that the invented extract rests on."""

    dyads: Dyads
    levels: dict[Literal["ethnicity", "relationship", "deprivation", "service"], dict[str, list[int]]]
    traits: list[str]
    correlations: list[tuple[str, str, Annotated[float, Field(gt=-1, lt=1)]]]
    service: dict[int, Positive]
    age: Measure
    nation: Shares
    trusts: dict[int, tuple[int, int]]
    ethnic_group: Shares
    relationship: Shares
    deprivation_decile: Shares
    personality_disorder: dict[int, Share]
    schizophrenia: dict[int, Share]
    previous_admission: dict[int, Share]
    detained: dict[int, Share]
    admissions: Shares
    other_children_csc: dict[Literal["no", "yes"], Shares]
    diagnoses: DiagnosisCodes
    substance: SubstanceParts
    learning: LearningParts
    instruments: dict[str, Questionnaire]
    t1: FirstOutcome
    readmission: Readmission
    t2: SecondOutcome
    custody: Custody
    child_protection_plan: ProtectionPlan
    satisfaction: Measure
    missing: Missing = Missing()

    @model_validator(mode="after")
    def _names_agree(self) -> "Assumptions":
        if faults := list(_disagreements(self)):
            raise ValueError("; ".join(faults))
        return self


_TRAITS = (
    "age",
    "ethnicity",
    "single",
    "deprivation",
    "personality",
    "psychosis",
    "history",
    "substance",
    "learning",
    "severity",
)


def correlation_matrix(assumptions: Assumptions) -> np.ndarray:
    """The correlations of the traits, in the order in which they are declared."""
    matrix = np.eye(len(assumptions.traits))
    for one, other, correlation in assumptions.correlations:
        row, column = assumptions.traits.index(one), assumptions.traits.index(other)
        matrix[row, column] = matrix[column, row] = correlation
    return matrix


def _disagreements(assumed: Assumptions) -> Iterator[str]:
    used = {name for pair in assumed.correlations for name in pair[:2]}
    used |= {group.trait for instrument in assumed.instruments.values() for group in instrument.groups}
    if strange := sorted((used | set(_TRAITS)) - set(assumed.traits)):
        yield f"traits: {', '.join(strange)} needed and not declared"
    elif np.linalg.eigvalsh(correlation_matrix(assumed)).min() < 1e-8:
        yield "correlations: no set of traits can have all of these at once; make some of them smaller"
    by_service = ("personality_disorder", "schizophrenia", "previous_admission", "detained")
    keyed = {name: (getattr(assumed, name), assumed.service) for name in by_service}
    keyed |= {"readmission.share": (assumed.readmission.share, assumed.service)}
    keyed |= {"trusts": (assumed.trusts, assumed.nation)}
    for name, (found, needed) in keyed.items():
        if set(found) != set(needed):
            yield f"{name}: needs exactly the codes {', '.join(map(str, needed))}"
    given = {f"{file}.{name}": i.items for name, i in assumed.instruments.items() for file in i.columns}
    named = {
        "missing.not_returned.shares": assumed.missing.not_returned.shares,
        "missing.answers": assumed.missing.answers,
        "substance.items": assumed.substance.items,
    }
    for where, keys in named.items():
        for key in sorted(set(keys) - set(given)):
            yield f"{where}: no '{key}' among the instruments{nearest(key, given)}"
    for key, part in assumed.substance.items.items():
        if strange := sorted(set(part.items) - set(given.get(key, part.items))):
            yield f"substance.items.{key}: no item {', '.join(map(str, strange))}"

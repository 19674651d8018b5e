"""The decisions of one analysis, `config.yaml`, as typed and closed objects."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from esmi.documents import Closed, Name, parse, read_yaml
from esmi.errors import ResearchError
from esmi.variables import Code

Positive = Annotated[int, Field(ge=1)]

# The names of analyses that every study may have.
MAIN, FIRTH = "main", "firth"


class Study(Closed):
    """What the study is called and the seed from which everything random in it follows."""

    name: str
    title: str
    unit: str = "participants"
    seed: Annotated[int, Field(ge=0, lt=2**32)]


class Extract(Closed):
    """Where the raw files are. Paths are relative to the config file.

    `spine` is the file whose people are the study; `synthetic` names the assumptions of a synthetic extract that
    takes the place of the files, under the same names.
    """

    files: dict[Name, str] = Field(min_length=1)
    spine: Name
    synthetic: str | None = None


class Step(Closed):
    """One step of the inclusion flow: those whose `variable` has one of the levels `is`, or a known value, stay in."""

    label: str
    variable: Name
    levels: list[Name] | None = Field(default=None, alias="is", min_length=1)
    known: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_condition(self) -> "Step":
        if (self.levels is None) == (self.known is None):
            raise ValueError("say exactly one of is (a list of levels) or known: true")
        return self


class Comparison(Closed):
    """A table of characteristics: the variables, under headings, of those with `by` yes against no."""

    title: str
    by: Name
    variables: dict[str, list[Name]] = Field(min_length=1)

    @property
    def names(self) -> list[str]:
        """All variables in the order of the table."""
        return [name for names in self.variables.values() for name in names]


class Interaction(Closed):
    """A term of a model: the products of two variables, whose own terms must stand in the model too."""

    interaction: Annotated[list[Name], Field(min_length=2, max_length=2)]

    @property
    def variables(self) -> list[str]:
        """The two variables."""
        return self.interaction


class Spline(Closed):
    """A term of a model: a restricted cubic spline of a number; 3 to 7 knots, at Harrell's quantiles or as given."""

    spline: Name
    knots: Annotated[int, Field(ge=3, le=7)] | Annotated[list[float], Field(min_length=3, max_length=7)] = 4

    @property
    def variables(self) -> list[str]:
        """The one variable."""
        return [self.spline]


class Model(Closed):
    """One logistic model: the odds of `outcome` by `terms`."""

    title: str
    outcome: Name
    role: Literal["primary", "secondary", "exploratory", "sensitivity"]
    terms: list[Name | Interaction | Spline] = Field(min_length=1)

    @property
    def variables(self) -> list[str]:
        """The variables behind the terms, each once, in the order of the terms."""
        named = [[term] if isinstance(term, str) else term.variables for term in self.terms]
        return list(dict.fromkeys(name for names in named for name in names))

    @property
    def curves(self) -> dict[str, int]:
        """The variables that have a spline, with the number of its columns: one less than its knots."""
        splines = [term for term in self.terms if isinstance(term, Spline)]
        return {term.spline: (term.knots if isinstance(term.knots, int) else len(term.knots)) - 1 for term in splines}

    @property
    def interactions(self) -> list[list[str]]:
        """The pairs of variables whose products are in the model."""
        return [term.interaction for term in self.terms if isinstance(term, Interaction)]


class Imported(Closed):
    """Imputed sets made elsewhere: the file, and what its columns and codes are called here.

    `number` and `id` are needed for a plain file, and known for one that Stata has `mi set` or that has R's `.imp` and
    `.id`. `columns`: variable -> column, where the names differ; `levels`: variable -> code -> level, where the codes
    of a category are not its level names.
    """

    file: str
    number: str | None = None
    id: str | None = None
    columns: dict[Name, str] = {}
    levels: dict[Name, dict[Code, Name]] = {}


def term_name(term: str | Interaction | Spline) -> str:
    """What a term is called in results: as `design.term_name`."""
    if isinstance(term, str):
        return term
    return f"{term.spline} (spline)" if isinstance(term, Spline) else ":".join(term.interaction)


Method = Literal["pmm", "logistic", "multinomial", "ordinal"]


class Sets(Closed):
    """How `m` imputed sets are made: the engine, and what it needs to know.

    forest: boosted trees (miceforest) with `preset` stumps or, where models hold interactions, trees. chained:
    parametric models; `methods` says which, where the one that goes by the kind of variable will not do. imported:
    nothing is imputed here, the sets are read from `imported.file`. `outcomes`: whether missing outcomes stay missing
    as predictors, or are filled inside the chain and deleted again (von Hippel 2007); chained can do the second only.
    """

    engine: Literal["forest", "chained", "imported"] = "forest"
    preset: Literal["stumps", "trees"] = "stumps"
    m: Annotated[int, Field(ge=2)] = 50
    batch: Positive = 10
    iterations: Positive = 10
    donors: Positive = 5
    outcomes: Literal["left-missing", "filled-then-deleted"] = "filled-then-deleted"
    methods: dict[Name, Method] = {}
    imported: Imported | None = None

    @model_validator(mode="after")
    def _what_the_engine_can_do(self) -> "Sets":
        if (self.engine == "imported") != (self.imported is not None):
            raise ValueError("engine: imported and imported: (its file) belong together")
        if self.engine == "chained" and self.outcomes == "left-missing":
            raise ValueError(
                "outcomes: left-missing needs engine: forest; chained models need a value of every predictor"
            )
        if self.methods and self.engine != "chained":
            raise ValueError("methods are those of engine: chained")
        return self

    @property
    def batches(self) -> list[str]:
        """First and last imputation of every job, such as 001-005: a higher M adds batches and keeps the full ones."""
        starts = range(1, self.m + 1, self.batch)
        return [f"{first:03d}-{min(first + self.batch - 1, self.m):03d}" for first in starts]


class Imputation(Sets):
    """How missing values of `variables` are imputed. Outcomes among them predict and are never handed on filled.

    `passive` variables are derived from others: they are not imputed, but derived anew in every completed set. All
    other derived variables are imputed as what they are ("just another variable").
    """

    # Sorted, for the order in the file means nothing.
    variables: Annotated[list[Name], Field(min_length=2), AfterValidator(sorted)]
    passive: Annotated[list[Name], AfterValidator(sorted)] = []

    @property
    def handed_on(self) -> list[str]:
        """The variables of the imputed sets: imputed and passive ones."""
        return [*self.variables, *self.passive]


class Grid(Closed):
    """Sensitivity to the missing-at-random assumption: imputed values of one variable moved by each of `shifts`.

    On the scale of the score, or on the logit scale for a yes/no variable; inside the chain of the main engine.
    """

    title: str
    variable: Name
    shifts: Annotated[list[float], Field(min_length=1), AfterValidator(sorted)]
    m: Annotated[int, Field(ge=2)] = 20

    @model_validator(mode="after")
    def _real_shifts(self) -> "Grid":
        if 0 in self.shifts or len(set(self.shifts)) < len(self.shifts):
            raise ValueError("shifts: each once, and 0 is the main analysis")
        return self


class Sensitivity(Closed):
    """What stands beside the main analysis: further engines, penalised estimates, departures from missing at random."""

    engines: dict[Name, Sets] = {}
    firth: bool = True
    delta: dict[Name, Grid] = {}


class Inference(Closed):
    """How models are estimated and pooled.

    `estimator`: maximum likelihood, or Firth's penalised likelihood; `cluster`: the variable by whose groups standard
    errors are robust; `failed`: what becomes of a model without estimates in some imputed sets.
    """

    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    df: Literal["barnard-rubin", "large-sample"] = "barnard-rubin"
    estimator: Literal["ml", "firth"] = "ml"
    cluster: Name | None = None
    failed: Literal["refuse", "leave-out"] = "refuse"


class Rehearsal(Closed):
    """How often the whole inference is rehearsed on data drawn from the study's own, by which engines."""

    model: Name | None = None
    replications: Positive = 20
    batch: Positive = 5
    m: Annotated[int, Field(ge=2)] = 5
    engines: Annotated[list[Literal["forest", "chained"]], Field(min_length=1)] = ["forest", "chained"]

    @property
    def batches(self) -> list[str]:
        """First and last replication of every job: more replications add batches and keep the full ones."""
        starts = range(1, self.replications + 1, self.batch)
        return [f"{first:04d}-{min(first + self.batch - 1, self.replications):04d}" for first in starts]


@dataclass(frozen=True)
class Source:
    """One collection of imputed sets: how it is made, and which variable is moved by how much (or "" and 0)."""

    sets: Sets
    variable: str = ""
    shift: float = 0.0


@dataclass(frozen=True)
class Analysis:
    """One way to estimate every model: from which imputed sets, and by which estimator."""

    imputation: str
    estimator: str
    title: str


class Settings(Closed):
    """One whole study."""

    study: Study
    extract: Extract
    codebook: str
    population: list[Step] = []
    outcomes: list[Name] = Field(min_length=1)
    comparisons: dict[Name, Comparison] = {}
    models: dict[Name, Model] = Field(min_length=1)
    imputation: Imputation
    sensitivity: Sensitivity = Sensitivity()
    inference: Inference = Inference()
    rehearsal: Rehearsal = Rehearsal()

    @property
    def variables(self) -> list[str]:
        """The variables of the imputation model, sorted."""
        return self.imputation.variables

    @property
    def analysed(self) -> list[str]:
        """The variables of all models, outcomes left out, sorted."""
        return sorted({name for model in self.models.values() for name in model.variables})

    @property
    def interactions(self) -> list[list[str]]:
        """The pairs of variables whose products are in any model, each once."""
        pairs = {tuple(pair) for model in self.models.values() for pair in model.interactions}
        return [list(pair) for pair in sorted(pairs)]

    @property
    def sources(self) -> dict[str, Source]:
        """Every collection of imputed sets of a run by its name: main, the further engines, the shifted ones."""
        main = self.imputation
        shifted = {
            source: Source(main.model_copy(update={"m": grid.m}), grid.variable, shift)
            for name, grid in self.sensitivity.delta.items()
            for source, shift in zip(self.shifted(name), grid.shifts, strict=True)
        }
        return {MAIN: Source(main)} | {n: Source(s) for n, s in self.sensitivity.engines.items()} | shifted

    def shifted(self, grid: str) -> list[str]:
        """The sources of one grid of departures from missing at random, one per shift, in their order."""
        shifts = self.sensitivity.delta[grid].shifts
        return [f"{grid}_{'plus' if shift > 0 else 'minus'}_{abs(shift):g}" for shift in shifts]

    @property
    def analyses(self) -> dict[str, Analysis]:
        """Every way in which the models are estimated, by its name: one per source, and Firth's beside the main one."""
        estimator = self.inference.estimator
        titles = {name: f"Engine {sets.engine}" for name, sets in self.sensitivity.engines.items()}
        ways = {
            name: Analysis(name, estimator, "Main analysis" if name == MAIN else titles.get(name, name))
            for name in self.sources
        }
        # A cluster-robust variance belongs to maximum likelihood: beside it Firth's would differ in two ways at once.
        if self.sensitivity.firth and estimator != "firth" and not self.inference.cluster:
            ways[FIRTH] = Analysis(MAIN, "firth", "Firth's penalised likelihood")
        return ways

    @property
    def side_by_side(self) -> list[str]:
        """The analyses that answer the main question in another way; the shifted ones have a table of their own."""
        return [name for name in self.analyses if name in (MAIN, FIRTH) or name in self.sensitivity.engines]


def load(path: Path) -> Settings:
    """The settings in a config file. Raises one ResearchError with all faults of the file."""
    return parse(Settings, read_yaml(path), str(path))


def raw_path(settings: Settings, config_path: Path, file: str) -> Path:
    """Where the raw file of that name is, relative to the working directory; raises ResearchError where it is not.

    For a synthetic extract it is where the workflow itself will make the file.
    """
    if settings.extract.synthetic:
        return Path("results/restricted/synthetic") / Path(settings.extract.files[file]).name
    return beside(config_path, settings.extract.files[file], f"extract.files.{file}")


def beside(config_path: Path, declared: str, where: str) -> Path:
    """Where a file that the config names at the key `where` is, relative to the working directory.

    Relative, so that a study that is moved together with its results needs nothing made again; a path that the config
    gives as absolute stays so. Raises ResearchError where there is no such file.
    """
    path = Path(declared) if Path(declared).is_absolute() else config_path.parent / declared
    if not path.is_file():
        raise ResearchError(
            f"{config_path}: {where}: there is no file '{declared}'. "
            "Paths are relative to the folder of the config file"
        )
    return path if Path(declared).is_absolute() else Path(os.path.relpath(path))

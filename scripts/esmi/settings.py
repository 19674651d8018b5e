"""The decisions of one analysis, `config.yaml`, as typed and closed objects checked against the codebook."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from esmi.codebook import Codebook
from esmi.documents import Closed, Name, nearest, parse, read_yaml
from esmi.errors import ResearchError, listed
from esmi.variables import NO_YES

Positive = Annotated[int, Field(ge=1)]


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


class Model(Closed):
    """One logistic model: the odds of `outcome` by `terms`."""

    title: str
    outcome: Name
    role: Literal["primary", "secondary", "exploratory", "sensitivity"]
    terms: list[Name] = Field(min_length=1)


class Imputation(Closed):
    """How missing values of `variables` are imputed. Outcomes among them predict and are never filled."""

    engine: Literal["forest"] = "forest"
    preset: Literal["stumps", "trees"] = "stumps"
    m: Annotated[int, Field(ge=2)] = 50
    batch: Positive = 5
    iterations: Positive = 10
    donors: Positive = 5
    # Sorted, for the order in the file means nothing.
    variables: Annotated[list[Name], Field(min_length=2), AfterValidator(sorted)]

    @property
    def batches(self) -> list[str]:
        """First and last imputation of every job, such as 001-005: a higher M adds batches and keeps the full ones."""
        starts = range(1, self.m + 1, self.batch)
        return [f"{first:03d}-{min(first + self.batch - 1, self.m):03d}" for first in starts]


class Inference(Closed):
    """Confidence level of intervals, and the degrees of freedom of Rubin's rules."""

    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    df: Literal["barnard-rubin", "large-sample"] = "barnard-rubin"


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
    inference: Inference = Inference()

    @property
    def variables(self) -> list[str]:
        """The variables of the imputation model, sorted."""
        return self.imputation.variables


def load(path: Path) -> Settings:
    """The settings in a config file. Raises one ResearchError with all faults of the file."""
    return parse(Settings, read_yaml(path), str(path))


def check(settings: Settings, codebook: Codebook, path: Path) -> None:
    """Hold the settings against the codebook. Raises one ResearchError with all faults."""
    if faults := [
        *_file_faults(settings, codebook),
        *_name_faults(settings, codebook),
        *_model_faults(settings, codebook),
    ]:
        raise listed(str(path), faults)


def raw_path(settings: Settings, config_path: Path, file: str) -> Path:
    """Where the raw file of that name is, relative to the working directory; raises ResearchError where it is not.

    For a synthetic extract it is where the workflow itself will make the file. Relative, so that a study that is moved
    together with its results needs nothing made again; a path that the config gives as absolute stays so.
    """
    declared = Path(settings.extract.files[file])
    if settings.extract.synthetic:
        return Path("results/restricted/synthetic") / declared.name
    path = declared if declared.is_absolute() else config_path.parent / declared
    if not path.is_file():
        raise ResearchError(
            f"{config_path}: extract.files.{file}: there is no file '{declared}'. "
            "Paths are relative to the folder of the config file"
        )
    return path if declared.is_absolute() else Path(os.path.relpath(path))


def _file_faults(settings: Settings, codebook: Codebook) -> Iterator[str]:
    files = settings.extract.files
    if (spine := settings.extract.spine) not in files:
        yield f"extract.spine: '{spine}' is not one of the files{nearest(spine, files)}"
    for name in sorted(files.keys() - codebook.files.keys()):
        yield f"extract.files.{name}: the codebook describes no file '{name}'{nearest(name, codebook.files)}"
    for name in sorted(codebook.files.keys() - files.keys()):
        yield f"extract.files: the codebook describes the file '{name}', and no path is given for it"


def _name_faults(settings: Settings, codebook: Codebook) -> Iterator[str]:
    def unknown(where: str, names: list[str]) -> Iterator[str]:
        for name in names:
            if name not in codebook.variables:
                yield f"{where}: '{name}' is not a variable of the codebook{nearest(name, codebook.variables)}"

    def twice(where: str, names: list[str]) -> Iterator[str]:
        for name in sorted({n for n in names if names.count(n) > 1}):
            yield f"{where}: '{name}' stands there more than once"

    for number, step in enumerate(settings.population, start=1):
        where = f"population.entry {number}"
        yield from unknown(where, [step.variable])
        if step.levels and step.variable in codebook.variables:
            levels = codebook.variables[step.variable].level_labels
            if not levels:
                yield f"{where}: '{step.variable}' is a number and has no levels; only known: true can be said of it"
            for level in step.levels if levels else []:
                if level not in levels:
                    yield f"{where}: '{level}' is not a level of {step.variable}{nearest(level, levels)}"
    yield from unknown("outcomes", settings.outcomes)
    yield from twice("outcomes", settings.outcomes)
    for name in settings.outcomes:
        if name in codebook.variables and codebook.variables[name].derived_levels != list(NO_YES):
            yield f"outcomes: '{name}' is not a yes/no variable"
    for name, comparison in settings.comparisons.items():
        yield from unknown(f"comparisons.{name}.by", [comparison.by])
        yield from unknown(f"comparisons.{name}.variables", comparison.names)
        yield from twice(f"comparisons.{name}.variables", comparison.names)
        if comparison.by in codebook.variables and codebook.variables[comparison.by].kind != "binary":
            yield f"comparisons.{name}.by: '{comparison.by}' does not have two levels"
        if comparison.by in comparison.names:
            yield f"comparisons.{name}.variables: '{comparison.by}' is what the groups are made by"
    for name, model in settings.models.items():
        yield from unknown(f"models.{name}.terms", model.terms)
        yield from twice(f"models.{name}.terms", model.terms)
    yield from unknown("imputation.variables", settings.imputation.variables)
    yield from twice("imputation.variables", settings.imputation.variables)


def _model_faults(settings: Settings, codebook: Codebook) -> Iterator[str]:
    for name, model in settings.models.items():
        if model.outcome not in settings.outcomes:
            yield (
                f"models.{name}.outcome: '{model.outcome}' is not among the outcomes"
                f"{nearest(model.outcome, settings.outcomes)}"
            )
        for term in model.terms:
            if term == model.outcome:
                yield f"models.{name}.terms: '{term}' is the outcome of this model"
            elif term in settings.outcomes:
                yield (
                    f"models.{name}.terms: '{term}' is among the outcomes, which are never imputed, "
                    "and a term must be: take it out of the one or the other"
                )
        for term in [model.outcome, *model.terms]:
            if term in codebook.variables and term not in settings.imputation.variables:
                yield (
                    f"models.{name}: '{term}' is not in imputation.variables. An imputation model that leaves out a "
                    "variable of the analysis biases its effect towards nothing: add it there"
                )

"""The settings held against the codebook: names that exist, models that the imputation model can support."""

from collections.abc import Iterator
from pathlib import Path

from esmi.codebook import Codebook
from esmi.documents import nearest
from esmi.errors import listed
from esmi.settings import FIRTH, MAIN, Interaction, Model, Sets, Settings, Spline
from esmi.variables import NO_YES


def check(settings: Settings, codebook: Codebook, path: Path) -> None:
    """Hold the settings against the codebook. Raises one ResearchError with all faults."""
    if faults := [
        *_file_faults(settings, codebook),
        *_name_faults(settings, codebook),
        *_model_faults(settings, codebook),
        *_imputation_faults(settings, codebook),
        *_sensitivity_faults(settings, codebook),
    ]:
        raise listed(str(path), faults)


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
        yield from unknown(f"models.{name}.terms", model.variables)
        yield from twice(f"models.{name}.terms", [term for term in model.terms if isinstance(term, str)])
    yield from unknown("imputation.variables", settings.imputation.variables)
    yield from twice("imputation.variables", settings.imputation.variables)


def _model_faults(settings: Settings, codebook: Codebook) -> Iterator[str]:
    for name, model in settings.models.items():
        if model.outcome not in settings.outcomes:
            yield (
                f"models.{name}.outcome: '{model.outcome}' is not among the outcomes"
                f"{nearest(model.outcome, settings.outcomes)}"
            )
        for variable in model.variables:
            if variable == model.outcome:
                yield f"models.{name}.terms: '{variable}' is the outcome of this model"
            elif variable in settings.outcomes:
                yield (
                    f"models.{name}.terms: '{variable}' is among the outcomes, which are never imputed, "
                    "and a term must be: take it out of the one or the other"
                )
        for variable in [model.outcome, *model.variables]:
            if variable in codebook.variables and variable not in settings.imputation.handed_on:
                yield (
                    f"models.{name}: '{variable}' is not in imputation.variables. An imputation model that leaves out "
                    "a variable of the analysis biases its effect towards nothing: add it there"
                )
        yield from _term_faults(f"models.{name}.terms", model, codebook)
    if settings.interactions and settings.imputation.engine == "forest" and settings.imputation.preset == "stumps":
        yield (
            "imputation.preset: 'stumps' cannot hold the interaction of "
            f"{' and '.join(settings.interactions[0])} in models: choose preset: trees, or engine: chained"
        )


def _term_faults(where: str, model: Model, codebook: Codebook) -> Iterator[str]:
    alone = [term for term in model.terms if isinstance(term, str)]
    splines = [term.spline for term in model.terms if isinstance(term, Spline)]
    for term in model.terms:
        if isinstance(term, Interaction):
            for name in term.interaction:
                if name not in alone:
                    yield f"{where}: the interaction of {' and '.join(term.interaction)} needs '{name}' as a term too"
            if len(set(term.interaction)) < 2:
                yield f"{where}: '{term.interaction[0]}' interacts with itself; for a curve say spline"
        if isinstance(term, Spline) and term.spline in codebook.variables:
            if codebook.variables[term.spline].kind != "continuous":
                yield f"{where}: '{term.spline}' is a category; a spline is of a number"
            if term.spline in alone or splines.count(term.spline) > 1:
                yield f"{where}: '{term.spline}' stands there as a spline and once more: keep the spline"


def _imputation_faults(settings: Settings, codebook: Codebook) -> Iterator[str]:
    imputation = settings.imputation
    for name in imputation.passive:
        if name not in codebook.variables:
            yield f"imputation.passive: '{name}' is not a variable of the codebook{nearest(name, codebook.variables)}"
            continue
        if name in imputation.variables:
            yield f"imputation.passive: '{name}' is among imputation.variables too: it is derived or imputed, not both"
        parts = codebook.parts(name)
        if not parts:
            yield (
                f"imputation.passive: '{name}' is made from raw columns, which are not imputed: "
                "put it among imputation.variables, where it is imputed as what it is"
            )
        for part in parts:
            if part not in imputation.variables:
                yield f"imputation.passive: '{name}' is made from '{part}', which is not in imputation.variables"
    yield from _sets_faults("imputation", imputation, settings, codebook)
    for name, sets in settings.sensitivity.engines.items():
        if name in (MAIN, FIRTH):
            yield f"sensitivity.engines.{name}: this name is taken; call it otherwise"
        yield from _sets_faults(f"sensitivity.engines.{name}", sets, settings, codebook)


_KINDS_OF_METHOD = {
    "pmm": ["continuous", "ordinal", "binary"],
    "logistic": ["binary"],
    "multinomial": ["nominal", "ordinal"],
    "ordinal": ["ordinal"],
}


def _sets_faults(where: str, sets: Sets, settings: Settings, codebook: Codebook) -> Iterator[str]:
    for name, method in sets.methods.items():
        if name not in settings.variables:
            yield f"{where}.methods: '{name}' is not in imputation.variables{nearest(name, settings.variables)}"
        elif name in codebook.variables and codebook.variables[name].kind not in _KINDS_OF_METHOD[method]:
            yield (
                f"{where}.methods.{name}: '{method}' is for {' and '.join(_KINDS_OF_METHOD[method])} variables, "
                f"and this one is {codebook.variables[name].kind}"
            )
    for name in [*sets.imported.columns, *sets.imported.levels] if sets.imported else []:
        if name not in settings.variables:
            yield f"{where}.imported: '{name}' is not in imputation.variables{nearest(name, settings.variables)}"


def _sensitivity_faults(settings: Settings, codebook: Codebook) -> Iterator[str]:
    for name, grid in settings.sensitivity.delta.items():
        where = f"sensitivity.delta.{name}"
        if grid.variable not in settings.variables:
            yield (
                f"{where}.variable: '{grid.variable}' is not in imputation.variables"
                f"{nearest(grid.variable, settings.variables)}"
            )
        elif grid.variable in settings.outcomes:
            yield f"{where}.variable: '{grid.variable}' is an outcome, and outcomes are never imputed"
        elif codebook.variables[grid.variable].kind not in ("continuous", "binary"):
            yield f"{where}.variable: '{grid.variable}' is neither a number nor a yes/no variable"
        if settings.imputation.engine == "imported":
            yield f"{where}: sets that were imputed elsewhere cannot be moved: choose another main engine"
    names = list(settings.sources)
    if len(names) < 1 + len(settings.sensitivity.engines) + sum(
        len(grid.shifts) for grid in settings.sensitivity.delta.values()
    ):
        yield "sensitivity: two of its analyses have one name: rename an engine or a grid"
    cluster = settings.inference.cluster
    if cluster is not None and cluster not in codebook.variables:
        yield f"inference.cluster: '{cluster}' is not a variable of the codebook{nearest(cluster, codebook.variables)}"
    if cluster is not None and settings.inference.estimator == "firth":
        yield "inference.cluster: cluster-robust standard errors are those of estimator: ml"
    rehearsed = settings.rehearsal.model
    if rehearsed is not None and rehearsed not in settings.models:
        yield f"rehearsal.model: '{rehearsed}' is not one of the models{nearest(rehearsed, settings.models)}"

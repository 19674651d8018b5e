"""Settings, names and hashes that the rules share."""

import re
import shlex
import sys
from itertools import product

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from esmi import audit, codebook, consistency, settings
from esmi.canonical import canonical, in_order
from esmi.documents import read_yaml
from esmi.errors import ResearchError

SCRIPTS = Path(workflow.basedir) / "scripts"
RULE_FILES = [Path(workflow.basedir) / "Snakefile", *sorted((Path(workflow.basedir) / "rules").glob("*.smk"))]
CONFIGS = [Path(path) for path in workflow.overwrite_configfiles] or [Path(workflow.basedir) / "config.yaml"]

# Whose results are in results/: two studies in one folder would leave each other's tables behind.
OWNER = Path("results/audit/study.txt")

# The Snakemake that runs now, to be asked for its graphs; it lists their edges in the order of hashes.
SNAKEMAKE = "PYTHONHASHSEED=0 " + shlex.join(
    [sys.executable, "-m", "snakemake", "--nolock", "--snakefile", str(workflow.main_snakefile)]
    + [part for path in workflow.overwrite_configfiles for part in ("--configfile", str(path))]
)

# A config is one whole study. It is read here, and not by a `configfile:`, because Snakemake would merge it with another.
try:
    if len(CONFIGS) > 1:
        raise ResearchError("give one --configfile: a config file is one whole study")
    CONFIG = CONFIGS[0].resolve()
    STUDY = settings.load(CONFIG)
    CODEBOOK = codebook.load(CONFIG.parent / STUDY.codebook)
    consistency.check(STUDY, CODEBOOK, CONFIG)
    SYNTHETIC = STUDY.extract.synthetic
    ASSUMPTIONS = in_order(read_yaml(CONFIG.parent / SYNTHETIC)) if SYNTHETIC else ""
    RAW = {name: settings.raw_path(STUDY, CONFIG, name) for name in STUDY.extract.files}
    if OWNER.is_file() and OWNER.read_text(encoding="utf-8").strip() != STUDY.study.name:
        raise ResearchError(
            f"results/ holds the study '{OWNER.read_text(encoding='utf-8').strip()}', and this config is of "
            f"'{STUDY.study.name}': run it in a folder of its own (--directory), or remove results/"
        )
except ResearchError as error:
    raise WorkflowError(str(error)) from None

NOTICE = "Synthetic data: no number here is about any person" if SYNTHETIC else ""

# Imputed sets by the name of their source, and the ways in which the models are estimated from them.
SOURCES = STUDY.sources
ANALYSES = STUDY.analyses


wildcard_constraints:
    file="|".join(STUDY.extract.files),
    batch=r"\d+-\d+",
    model="|".join(STUDY.models),
    imputation="|".join(map(re.escape, SOURCES)),
    analysis="|".join(map(re.escape, ANALYSES)),
    comparison="|".join(STUDY.comparisons) or "none",
    grid="|".join(STUDY.sensitivity.delta) or "none",


def code(name):
    """A hash of a script and of the library modules behind it: any changed line reruns the rules that use it."""
    return audit.code_hash(SCRIPTS / f"{name}.py", SCRIPTS / "esmi")


def raw_file(wildcards):
    """Where the raw file of that name is."""
    return RAW[wildcards.file]


def raw_hash(wildcards):
    """The content of a raw file, so that one replaced by an older file is seen; a synthetic one follows from its rule."""
    return "" if SYNTHETIC else audit.file_hash(RAW[wildcards.file])


def columns_of(wildcards):
    """What ingesting a file depends on: its id and the codes that mean missing, with their reasons."""
    columns = CODEBOOK.columns(wildcards.file)
    missing = {name: list(column.missing.items()) for name, column in columns.items() if column.missing}
    return canonical({"id": CODEBOOK.files[wildcards.file].id, "missing": missing})


def model_of(wildcards):
    """What fitting a model depends on: its outcome and its terms."""
    model = STUDY.models[wildcards.model]
    terms = [term if isinstance(term, str) else term.model_dump() for term in model.terms]
    return canonical({"outcome": model.outcome, "terms": terms})


def outcome_of(wildcards):
    """The outcome of a model."""
    return STUDY.models[wildcards.model].outcome


def estimator_of(wildcards):
    """How an analysis estimates its models."""
    return ANALYSES[wildcards.analysis].estimator


def clustered_data(wildcards):
    """Where the variable is by whose groups standard errors are robust, if there is one."""
    return ["results/restricted/cleaned.parquet"] if STUDY.inference.cluster else []


def fits_of(wildcards):
    """The fits of a model to every batch of imputations of an analysis."""
    batches = SOURCES[ANALYSES[wildcards.analysis].imputation].sets.batches
    return expand("results/aggregate/fits/{analysis}/{model}/{batch}.parquet", batch=batches, **wildcards)


def comparison_of(wildcards):
    """What comparing groups depends on: the grouping variable and the variables compared."""
    comparison = STUDY.comparisons[wildcards.comparison]
    return canonical({"by": comparison.by, "variables": comparison.names})


def imputed_comparison_of(wildcards):
    """Of a comparison, what the imputed sets hold: a table may show variables that are not imputed."""
    comparison = STUDY.comparisons[wildcards.comparison]
    held = [name for name in comparison.names if name in STUDY.imputation.handed_on and name not in STUDY.outcomes]
    return canonical({"by": comparison.by, "variables": held})


def prepare_results():
    """A folder for rows of persons that nobody but its owner can enter, and the name of the study."""
    restricted = Path("results/restricted")
    restricted.mkdir(parents=True, exist_ok=True)
    restricted.chmod(0o700)
    OWNER.parent.mkdir(parents=True, exist_ok=True)
    OWNER.write_text(STUDY.study.name + "\n", encoding="utf-8")


def summary():
    """Where everything is, for the end of a run."""
    places = {
        "Report": "results/aggregate/report.html",
        "Tables": "results/aggregate/tables/",
        "Figures": "results/aggregate/figures/",
        "Graph": "results/audit/rulegraph.svg, results/audit/dag.svg",
        "Row-level data": "results/restricted/ (yours alone; never copy it)",
    }
    lines = [f"  {what:<15} {place}" for what, place in places.items()]
    notes = [NOTICE + "."] if NOTICE else ["Not yet checked for disclosure: for the research group's eyes only."]
    return "\n".join([f"{STUDY.study.name}: done.", *lines, *notes])

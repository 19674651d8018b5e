"""What the rules of the imputed sets share: which source is made how, and where its batches are."""

# The sources that are examined as imputations; the shifted ones are the main one moved.
EXAMINED = [name for name, source in SOURCES.items() if not source.variable]

# Figures of the imputation: chains only where sets were imputed here.
IMPUTATION_FIGURES = [
    *[f"observed_imputed_{name}" for name in EXAMINED],
    *[
        f"{figure}_{name}"
        for figure in ("convergence", "r_hat")
        for name in EXAMINED
        if SOURCES[name].sets.engine != "imported"
    ],
    *[f"tipping_{grid}" for grid in STUDY.sensitivity.delta],
]


def made_by(engine):
    """The names of the sources that an engine makes, as a constraint of wildcards."""
    return "|".join(re.escape(name) for name, source in SOURCES.items() if source.sets.engine == engine) or "none"


def imputed_variables():
    """What an engine is told of the variables: the outcomes, the ordered ones, the passive ones and their parts."""
    kinds = {name: CODEBOOK.variables[name].kind for name in STUDY.variables}
    return {
        "outcomes": sorted(set(STUDY.outcomes) & set(STUDY.variables)),
        "ordinal": [name for name, kind in kinds.items() if kind == "ordinal"],
        "passive": {name: CODEBOOK.passive(name) for name in STUDY.imputation.passive},
    }


def imputation_plan():
    """What is said of the imputation model: the part that every variable plays, its method, and how it is derived."""
    analysed, sets = STUDY.analysed, STUDY.imputation
    parts = {name: "outcome" for name in STUDY.outcomes} | {name: "analysis" for name in analysed}
    return {
        "engine": sets.engine,
        "roles": {name: parts.get(name, "auxiliary") for name in STUDY.imputation.handed_on},
        "kinds": {name: CODEBOOK.variables[name].kind for name in STUDY.imputation.handed_on},
        "methods": sets.methods,
        "derived": {name: how_derived(name) for name in STUDY.imputation.handed_on},
    }


def how_derived(name):
    """Whether a variable is recorded, or derived and then imputed as what it is, or derived anew in every set."""
    if name in STUDY.imputation.passive:
        return "passive"
    return "recorded" if CODEBOOK.variables[name].form in ("copy", "recode") else "just another variable"


def sets_of(wildcards):
    """What one imputed set depends on beside the data, its number and the seed."""
    source = SOURCES[wildcards.imputation]
    how = source.sets.model_dump(exclude={"m", "batch", "variables", "passive"}, exclude_defaults=False)
    low, high = CODEBOOK.range(source.variable) if source.variable else (None, None)
    return canonical(how | {"delta": {"variable": source.variable, "shift": source.shift, "low": low, "high": high}})


def m_of(wildcards):
    """How many sets a source has."""
    return SOURCES[wildcards.imputation].sets.m


def imported_file(wildcards):
    """The file of sets that were imputed elsewhere."""
    return settings.beside(CONFIG, SOURCES[wildcards.imputation].sets.imported.file, "imported.file")


def imported_hash(wildcards):
    """The content of that file, so that one replaced by an older file is seen."""
    return audit.file_hash(imported_file(wildcards))


def batches_of(wildcards, folder, suffix=""):
    """The files of every batch of a source."""
    batches = SOURCES[wildcards.imputation].sets.batches
    return [f"results/restricted/{folder}/{wildcards.imputation}/{batch}{suffix}.parquet" for batch in batches]


def imputed_of(wildcards):
    """All imputed sets of a source."""
    return batches_of(wildcards, "imputed")


def traces_of(wildcards):
    """The traces of all chains of a source; sets that were made elsewhere have none."""
    imported = SOURCES[wildcards.imputation].sets.engine == "imported"
    return [] if imported else batches_of(wildcards, "traces")


def events_of(wildcards):
    """What the parametric models had to do on the way; the other engines have nothing to say."""
    chained = SOURCES[wildcards.imputation].sets.engine == "chained"
    return batches_of(wildcards, "traces", "_events") if chained else []


def imputed_batch(wildcards):
    """The imputed sets that a batch of fits of an analysis is made from."""
    return f"results/restricted/imputed/{ANALYSES[wildcards.analysis].imputation}/{wildcards.batch}.parquet"


def imputed_by_analysis(wildcards):
    """All imputed sets that an analysis is made from."""
    name = ANALYSES[wildcards.analysis].imputation
    return [f"results/restricted/imputed/{name}/{batch}.parquet" for batch in SOURCES[name].sets.batches]


def grid_of(wildcards):
    """A grid of departures from missing at random: the variable, its scale, its terms, and every source with its shift."""
    variable = STUDY.sensitivity.delta[wildcards.grid].variable
    return canonical(
        {
            "variable": variable,
            "scale": "score" if CODEBOOK.variables[variable].kind == "continuous" else "logit",
            "terms": CODEBOOK.terms(variable),
            "shifts": {name: SOURCES[name].shift for name in STUDY.shifted(wildcards.grid)},
        }
    )


def shifted_of(wildcards):
    """The pooled results of every model at every shift of a grid."""
    return expand(
        "results/aggregate/pooled/{analysis}/{model}.csv",
        analysis=STUDY.shifted(wildcards.grid),
        model=STUDY.models,
    )

"""The whole inference, many times, on data drawn from the study's own; asked for by `judge_rehearsal`, not part of `all`."""


def rehearsed_model():
    """The model that is rehearsed: the one named in the settings, else the first primary one, else the first."""
    primary = [name for name, model in STUDY.models.items() if model.role == "primary"]
    return STUDY.rehearsal.model or [*primary, *STUDY.models][0]


def rehearsed_sets(engine):
    """How an engine imputes in the rehearsal: as it does in the study, or by its own defaults where it has no part."""
    used = [source.sets for source in SOURCES.values() if source.sets.engine == engine]
    sets = [*used, settings.Sets(engine=engine)][0]
    return canonical(sets.model_dump(exclude={"m", "batch", "variables", "passive", "imported"}))


def rehearsed_sets_of(wildcards):
    """How the engine of a batch imputes."""
    return rehearsed_sets(wildcards.engine)


REHEARSED = rehearsed_model()


wildcard_constraints:
    engine="|".join(STUDY.rehearsal.engines),


rule rehearse_batch:
    "Draw, delete, impute, fit and pool: a batch of replications by one engine, beside complete data and complete cases."
    input:
        selected="results/restricted/imputation_input.parquet",
        terms=f"results/aggregate/checks/{REHEARSED}_terms.json",
    output:
        rows="results/restricted/rehearsal/{engine}/{batch}.parquet",
    log:
        "results/audit/logs/rehearse_batch/{engine}/{batch}.log",
    benchmark:
        "results/audit/benchmarks/rehearse_batch/{engine}/{batch}.tsv"
    conda:
        "../envs/impute.yaml"
    threads: 1
    params:
        code=code("rehearse_batch"),
        seed=STUDY.study.seed,
        outcome=STUDY.models[REHEARSED].outcome,
        inference=canonical(STUDY.inference.model_dump(include={"level", "df", "estimator"})),
        m=STUDY.rehearsal.m,
        population=rehearsed_sets(STUDY.rehearsal.engines[0]),
        sets=rehearsed_sets_of,
        interactions=STUDY.interactions,
        data=canonical(imputed_variables()),
    script:
        "../scripts/rehearse_batch.py"


rule summarise_rehearsal:
    "Bias, standard errors and coverage of every coefficient over all replications, and a verdict on every engine."
    input:
        rows=expand(
            "results/restricted/rehearsal/{engine}/{batch}.parquet",
            engine=STUDY.rehearsal.engines,
            batch=STUDY.rehearsal.batches,
        ),
    output:
        summary="results/aggregate/rehearsal.csv",
        verdict="results/aggregate/rehearsal_verdict.csv",
    log:
        "results/audit/logs/summarise_rehearsal.log",
    benchmark:
        "results/audit/benchmarks/summarise_rehearsal.tsv"
    conda:
        "../envs/model.yaml"
    params:
        code=code("summarise_rehearsal"),
    script:
        "../scripts/summarise_rehearsal.py"


rule judge_rehearsal:
    "Stop where the rehearsal showed that the intervals of an engine cannot be trusted."
    input:
        verdict="results/aggregate/rehearsal_verdict.csv",
    output:
        passed="results/aggregate/rehearsal_passed.txt",
    log:
        "results/audit/logs/judge_rehearsal.log",
    benchmark:
        "results/audit/benchmarks/judge_rehearsal.tsv"
    conda:
        "../envs/model.yaml"
    params:
        code=code("judge_rehearsal"),
    script:
        "../scripts/judge_rehearsal.py"

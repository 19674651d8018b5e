"""M imputed sets, in batches; each follows from the study's seed and its own number alone."""


rule select_variables:
    "Take the variables of the imputation model out of the cleaned data, so that no other variable reruns it."
    input:
        cleaned="results/restricted/cleaned.parquet",
    output:
        selected="results/restricted/imputation_input.parquet",
    log:
        "results/audit/logs/select_variables.log",
    benchmark:
        "results/audit/benchmarks/select_variables.tsv"
    conda:
        "../envs/clean.yaml"
    params:
        code=code("select_variables"),
        variables=STUDY.variables,
    script:
        "../scripts/select_variables.py"


rule impute_batch:
    "Impute a batch of sets by chained equations; outcomes predict and are never filled."
    input:
        selected="results/restricted/imputation_input.parquet",
    output:
        imputed="results/restricted/imputed/{batch}.parquet",
        trace="results/restricted/traces/{batch}.parquet",
    log:
        "results/audit/logs/impute_batch/{batch}.log",
    benchmark:
        "results/audit/benchmarks/impute_batch/{batch}.tsv"
    conda:
        "../envs/impute.yaml"
    threads: 1
    params:
        code=code("impute_batch"),
        seed=STUDY.study.seed,
        engine=STUDY.imputation.engine,
        preset=STUDY.imputation.preset,
        iterations=STUDY.imputation.iterations,
        donors=STUDY.imputation.donors,
        outcomes=sorted(set(STUDY.outcomes) & set(STUDY.variables)),
        ordinal=[name for name in STUDY.variables if CODEBOOK.variables[name].kind == "ordinal"],
    script:
        "../scripts/impute_batch.py"


rule collect_traces:
    "Collect the means of the imputed values over the iterations of every chain."
    input:
        traces=expand("results/restricted/traces/{batch}.parquet", batch=BATCHES),
    output:
        traces="results/aggregate/convergence.csv",
    log:
        "results/audit/logs/collect_traces.log",
    benchmark:
        "results/audit/benchmarks/collect_traces.tsv"
    conda:
        "../envs/clean.yaml"
    params:
        code=code("collect_traces"),
    script:
        "../scripts/collect_traces.py"

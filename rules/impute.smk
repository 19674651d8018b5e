"""Sets of imputed values, in batches; each set follows from the study's seed and its own number alone."""


rule screen_imputation:
    "Say what is in the imputation model and why, and warn of what it can hardly support."
    input:
        cleaned="results/restricted/cleaned.parquet",
    output:
        contents="results/aggregate/imputation/contents.csv",
        warnings="results/aggregate/imputation/warnings.csv",
    log:
        "results/audit/logs/screen_imputation.log",
    benchmark:
        "results/audit/benchmarks/screen_imputation.tsv"
    conda:
        "../envs/clean.yaml"
    params:
        code=code("screen_imputation"),
        plan=canonical(imputation_plan()),
    script:
        "../scripts/screen_imputation.py"


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


rule impute_forest:
    "Impute a batch of sets by chained boosted trees; outcomes predict and are never handed on filled."
    input:
        selected="results/restricted/imputation_input.parquet",
    output:
        imputed="results/restricted/imputed/{imputation}/{batch}.parquet",
        trace="results/restricted/traces/{imputation}/{batch}.parquet",
    log:
        "results/audit/logs/impute_forest/{imputation}/{batch}.log",
    benchmark:
        "results/audit/benchmarks/impute_forest/{imputation}/{batch}.tsv"
    wildcard_constraints:
        imputation=made_by("forest"),
    conda:
        "../envs/impute.yaml"
    threads: 1
    params:
        code=code("impute_forest"),
        seed=STUDY.study.seed,
        sets=sets_of,
        data=canonical(imputed_variables()),
    script:
        "../scripts/impute_forest.py"


rule impute_chained:
    "Impute a batch of sets by chained parametric models; outcomes predict and are never handed on filled."
    input:
        selected="results/restricted/imputation_input.parquet",
    output:
        imputed="results/restricted/imputed/{imputation}/{batch}.parquet",
        trace="results/restricted/traces/{imputation}/{batch}.parquet",
        events="results/restricted/traces/{imputation}/{batch}_events.parquet",
    log:
        "results/audit/logs/impute_chained/{imputation}/{batch}.log",
    benchmark:
        "results/audit/benchmarks/impute_chained/{imputation}/{batch}.tsv"
    wildcard_constraints:
        imputation=made_by("chained"),
    conda:
        "../envs/model.yaml"
    threads: 1
    params:
        code=code("impute_chained"),
        seed=STUDY.study.seed,
        sets=sets_of,
        interactions=STUDY.interactions,
        data=canonical(imputed_variables()),
    script:
        "../scripts/impute_chained.py"


rule import_sets:
    "Take in a batch of sets that were imputed elsewhere, and hold them against the cleaned data."
    input:
        selected="results/restricted/imputation_input.parquet",
        sets=imported_file,
    output:
        imputed="results/restricted/imputed/{imputation}/{batch}.parquet",
    log:
        "results/audit/logs/import_sets/{imputation}/{batch}.log",
    benchmark:
        "results/audit/benchmarks/import_sets/{imputation}/{batch}.tsv"
    wildcard_constraints:
        imputation=made_by("imported"),
    conda:
        "../envs/extract.yaml"
    params:
        code=code("import_sets"),
        content=imported_hash,
        m=m_of,
        sets=sets_of,
        data=canonical(imputed_variables()),
    script:
        "../scripts/import_sets.py"


rule collect_traces:
    "Collect what was imputed in every iteration of every chain, and what the engine had to do on the way."
    input:
        traces=traces_of,
        events=events_of,
    output:
        traces="results/aggregate/imputation/{imputation}/convergence.csv",
        events="results/aggregate/imputation/{imputation}/events.csv",
    log:
        "results/audit/logs/collect_traces/{imputation}.log",
    benchmark:
        "results/audit/benchmarks/collect_traces/{imputation}.tsv"
    conda:
        "../envs/clean.yaml"
    params:
        code=code("collect_traces"),
    script:
        "../scripts/collect_traces.py"


rule diagnose_imputation:
    "Examine convergence, observed against imputed values, and variables missing together; give a verdict in words."
    input:
        selected="results/restricted/imputation_input.parquet",
        imputed=imputed_of,
        traces="results/aggregate/imputation/{imputation}/convergence.csv",
        events="results/aggregate/imputation/{imputation}/events.csv",
    output:
        convergence="results/aggregate/imputation/{imputation}/r_hat.csv",
        distributions="results/aggregate/imputation/{imputation}/distributions.csv",
        correlations="results/aggregate/imputation/{imputation}/correlations.csv",
        verdict="results/aggregate/imputation/{imputation}/verdict.csv",
    log:
        "results/audit/logs/diagnose_imputation/{imputation}.log",
    benchmark:
        "results/audit/benchmarks/diagnose_imputation/{imputation}.tsv"
    conda:
        "../envs/pool.yaml"
    params:
        code=code("diagnose_imputation"),
        outcomes=[name for name in STUDY.outcomes if name in STUDY.variables],
    script:
        "../scripts/diagnose_imputation.py"

"""Rubin's rules, joint tests, and comparisons of groups over the imputed sets."""


rule pool_model:
    "Pool one model's fits over the imputed sets with Rubin's rules, and say whether there are sets enough."
    input:
        fits=fits_of,
    output:
        pooled="results/aggregate/pooled/{analysis}/{model}.csv",
        stability="results/aggregate/pooled/{analysis}/{model}_stability.csv",
    log:
        "results/audit/logs/pool_model/{analysis}/{model}.log",
    benchmark:
        "results/audit/benchmarks/pool_model/{analysis}/{model}.tsv"
    conda:
        "../envs/pool.yaml"
    params:
        code=code("pool_model"),
        inference=canonical(STUDY.inference.model_dump(include={"level", "df", "failed"})),
    script:
        "../scripts/pool_model.py"


rule test_model:
    "Test the variables of a model, and the model as a whole, jointly over the imputed sets: D1 to D4."
    input:
        fits=fits_of,
        imputed=imputed_by_analysis,
        terms="results/aggregate/checks/{model}_terms.json",
    output:
        tests="results/aggregate/pooled/{analysis}/{model}_tests.csv",
    log:
        "results/audit/logs/test_model/{analysis}/{model}.log",
    benchmark:
        "results/audit/benchmarks/test_model/{analysis}/{model}.tsv"
    conda:
        "../envs/model.yaml"
    params:
        code=code("test_model"),
        outcome=outcome_of,
        estimator=estimator_of,
        failed=STUDY.inference.failed,
    script:
        "../scripts/test_model.py"


rule pool_comparisons:
    "Compare groups, one variable at a time, in every imputed set, and pool the comparisons."
    input:
        imputed=imputed_of,
    output:
        tests="results/aggregate/comparisons/{imputation}/{comparison}_pooled.csv",
    log:
        "results/audit/logs/pool_comparisons/{imputation}/{comparison}.log",
    benchmark:
        "results/audit/benchmarks/pool_comparisons/{imputation}/{comparison}.tsv"
    conda:
        "../envs/model.yaml"
    params:
        code=code("pool_comparisons"),
        comparison=imputed_comparison_of,
        inference=canonical(STUDY.inference.model_dump(include={"level", "df"})),
    script:
        "../scripts/pool_comparisons.py"

"""Logistic models: a check that they can be fitted, fits to every imputed set, and to the complete cases."""


rule check_model:
    "Check that a model has events, that its covariates vary, and count events per parameter."
    input:
        cleaned="results/restricted/cleaned.parquet",
    output:
        check="results/aggregate/checks/{model}.csv",
    log:
        "results/audit/logs/check_model/{model}.log",
    benchmark:
        "results/audit/benchmarks/check_model/{model}.tsv"
    # Before all that could run by then: a model that cannot be fitted is said at once, not after the imputation.
    priority: 1
    conda:
        "../envs/model.yaml"
    params:
        code=code("check_model"),
        model=model_of,
    script:
        "../scripts/check_model.py"


rule fit_model:
    "Fit a model, unadjusted and adjusted, to each imputed set of a batch."
    input:
        imputed="results/restricted/imputed/{batch}.parquet",
        check="results/aggregate/checks/{model}.csv",
    output:
        fits="results/aggregate/fits/{model}/{batch}.parquet",
    log:
        "results/audit/logs/fit_model/{model}/{batch}.log",
    benchmark:
        "results/audit/benchmarks/fit_model/{model}/{batch}.tsv"
    conda:
        "../envs/model.yaml"
    params:
        code=code("fit_model"),
        model=model_of,
    script:
        "../scripts/fit_model.py"


rule fit_complete_cases:
    "Fit a model to the dyads with nothing missing in it, as the comparison that the protocol asks for."
    input:
        cleaned="results/restricted/cleaned.parquet",
        check="results/aggregate/checks/{model}.csv",
    output:
        fit="results/aggregate/complete_case/{model}.csv",
    log:
        "results/audit/logs/fit_complete_cases/{model}.log",
    benchmark:
        "results/audit/benchmarks/fit_complete_cases/{model}.tsv"
    conda:
        "../envs/model.yaml"
    params:
        code=code("fit_complete_cases"),
        model=model_of,
        level=STUDY.inference.level,
    script:
        "../scripts/fit_complete_cases.py"

"""Logistic models: a check that they can be fitted, fits to every imputed set, and to the complete cases."""


rule check_model:
    "Check that a model has events, that its covariates vary, and count events per parameter."
    input:
        cleaned="results/restricted/cleaned.parquet",
    output:
        check="results/aggregate/checks/{model}.csv",
        terms="results/aggregate/checks/{model}_terms.json",
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
        cluster=STUDY.inference.cluster or "",
    script:
        "../scripts/check_model.py"


rule fit_model:
    "Fit a model, unadjusted and adjusted, to each imputed set of a batch."
    input:
        imputed=imputed_batch,
        terms="results/aggregate/checks/{model}_terms.json",
        clusters=clustered_data,
    output:
        fits="results/aggregate/fits/{analysis}/{model}/{batch}.parquet",
    log:
        "results/audit/logs/fit_model/{analysis}/{model}/{batch}.log",
    benchmark:
        "results/audit/benchmarks/fit_model/{analysis}/{model}/{batch}.tsv"
    conda:
        "../envs/model.yaml"
    params:
        code=code("fit_model"),
        outcome=outcome_of,
        estimator=estimator_of,
        cluster=STUDY.inference.cluster or "",
    script:
        "../scripts/fit_model.py"


rule fit_complete_cases:
    "Fit a model to the dyads with nothing missing in it, as the comparison that the protocol asks for."
    input:
        cleaned="results/restricted/cleaned.parquet",
        terms="results/aggregate/checks/{model}_terms.json",
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
        outcome=outcome_of,
        inference=canonical(STUDY.inference.model_dump(include={"level", "estimator", "cluster"})),
    script:
        "../scripts/fit_complete_cases.py"


rule assess_model:
    "Average marginal effects, predicted probabilities, discrimination and calibration, pooled over the imputed sets."
    input:
        imputed=imputed_by_analysis,
        terms="results/aggregate/checks/{model}_terms.json",
        clusters=clustered_data,
    output:
        effects="results/aggregate/pooled/{analysis}/{model}_effects.csv",
        performance="results/aggregate/pooled/{analysis}/{model}_performance.csv",
    log:
        "results/audit/logs/assess_model/{analysis}/{model}.log",
    benchmark:
        "results/audit/benchmarks/assess_model/{analysis}/{model}.tsv"
    conda:
        "../envs/model.yaml"
    params:
        code=code("assess_model"),
        outcome=outcome_of,
        estimator=estimator_of,
        inference=canonical(STUDY.inference.model_dump(include={"level", "df", "cluster", "failed"})),
    script:
        "../scripts/assess_model.py"

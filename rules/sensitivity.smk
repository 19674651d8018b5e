"""What stands beside the main analysis: other engines and estimators, and departures from missing at random."""


rule compare_analyses:
    "Set the odds ratios of every engine, of Firth's likelihood and of the complete cases side by side."
    input:
        pooled=expand("results/aggregate/pooled/{analysis}/{{model}}.csv", analysis=STUDY.side_by_side),
        complete_case="results/aggregate/complete_case/{model}.csv",
    output:
        csv="results/aggregate/tables/analyses_{model}.csv",
        html="results/aggregate/tables/analyses_{model}.html",
    log:
        "results/audit/logs/compare_analyses/{model}.log",
    benchmark:
        "results/audit/benchmarks/compare_analyses/{model}.tsv"
    conda:
        "../envs/tables.yaml"
    params:
        code=code("compare_analyses"),
        analyses=STUDY.side_by_side,
        titles=[ANALYSES[name].title for name in STUDY.side_by_side],
        words=model_words_of,
        level=STUDY.inference.level,
        notice=NOTICE,
    script:
        "../scripts/compare_analyses.py"


rule find_tipping_points:
    "Find how far imputed values must depart from missing at random before a conclusion changes."
    input:
        main=expand("results/aggregate/pooled/main/{model}.csv", model=STUDY.models),
        shifted=shifted_of,
    output:
        shifts="results/aggregate/sensitivity/shifts_{grid}.csv",
        tipping="results/aggregate/sensitivity/tipping_{grid}.csv",
    log:
        "results/audit/logs/find_tipping_points/{grid}.log",
    benchmark:
        "results/audit/benchmarks/find_tipping_points/{grid}.tsv"
    conda:
        "../envs/tables.yaml"
    params:
        code=code("find_tipping_points"),
        models=list(STUDY.models),
        grid=grid_of,
        words=grid_words_of,
    script:
        "../scripts/find_tipping_points.py"

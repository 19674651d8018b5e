"""Tables: tidy numbers first, then the pages made from them."""


rule compare_groups:
    "Summarise and compare characteristics of those with and without involvement."
    input:
        cleaned="results/restricted/cleaned.parquet",
    output:
        summaries="results/aggregate/comparisons/{comparison}_summaries.csv",
        tests="results/aggregate/comparisons/{comparison}_tests.csv",
    log:
        "results/audit/logs/compare_groups/{comparison}.log",
    benchmark:
        "results/audit/benchmarks/compare_groups/{comparison}.tsv"
    conda:
        "../envs/model.yaml"
    params:
        code=code("compare_groups"),
        comparison=comparison_of,
    script:
        "../scripts/compare_groups.py"


rule tabulate_characteristics:
    "Lay out the characteristics by group as a table."
    input:
        summaries="results/aggregate/comparisons/{comparison}_summaries.csv",
        tests="results/aggregate/comparisons/{comparison}_tests.csv",
    output:
        csv="results/aggregate/tables/characteristics_{comparison}.csv",
        html="results/aggregate/tables/characteristics_{comparison}.html",
    log:
        "results/audit/logs/tabulate_characteristics/{comparison}.log",
    benchmark:
        "results/audit/benchmarks/tabulate_characteristics/{comparison}.tsv"
    conda:
        "../envs/tables.yaml"
    params:
        code=code("tabulate_characteristics"),
        words=comparison_words_of,
        notice=NOTICE,
    script:
        "../scripts/tabulate_characteristics.py"


rule tabulate_odds_ratios:
    "Lay out unadjusted, adjusted and complete-case odds ratios side by side."
    input:
        pooled="results/aggregate/pooled/main/{model}.csv",
        tests="results/aggregate/pooled/main/{model}_tests.csv",
        complete_case="results/aggregate/complete_case/{model}.csv",
    output:
        csv="results/aggregate/tables/odds_ratios_{model}.csv",
        html="results/aggregate/tables/odds_ratios_{model}.html",
    log:
        "results/audit/logs/tabulate_odds_ratios/{model}.log",
    benchmark:
        "results/audit/benchmarks/tabulate_odds_ratios/{model}.tsv"
    conda:
        "../envs/tables.yaml"
    params:
        code=code("tabulate_odds_ratios"),
        words=model_words_of,
        level=STUDY.inference.level,
        notice=NOTICE,
    script:
        "../scripts/tabulate_odds_ratios.py"

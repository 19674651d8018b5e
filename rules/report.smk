"""The report: one page that a reader without the repository understands."""


rule write_report:
    "Gather flow, missingness, tables, figures and checks into one self-contained page."
    input:
        validation="results/aggregate/validation.csv",
        cleaning="results/aggregate/cleaning.csv",
        checks=expand("results/aggregate/checks/{model}.csv", model=STUDY.models),
        odds_ratios=expand("results/aggregate/tables/odds_ratios_{model}.csv", model=STUDY.models),
        characteristics=expand(
            "results/aggregate/tables/characteristics_{comparison}.csv", comparison=STUDY.comparisons
        ),
        pooled=expand("results/aggregate/pooled/main/{model}.csv", model=STUDY.models),
        stability=expand("results/aggregate/pooled/main/{model}_stability.csv", model=STUDY.models),
        performance=expand("results/aggregate/pooled/main/{model}_performance.csv", model=STUDY.models),
        analyses=expand("results/aggregate/tables/analyses_{model}.csv", model=STUDY.models),
        contents="results/aggregate/imputation/contents.csv",
        warnings="results/aggregate/imputation/warnings.csv",
        verdicts=expand("results/aggregate/imputation/{imputation}/verdict.csv", imputation=EXAMINED),
        tipping=expand("results/aggregate/sensitivity/tipping_{grid}.csv", grid=STUDY.sensitivity.delta),
        comparisons=expand("results/aggregate/comparisons/main/{comparison}_pooled.csv", comparison=STUDY.comparisons),
        figures=expand(
            "results/aggregate/figures/{figure}.svg",
            figure=["flow", "missingness", "missing_patterns", "forest", *IMPUTATION_FIGURES],
        ),
        rulegraph="results/audit/rulegraph.svg",
    output:
        report="results/aggregate/report.html",
    log:
        "results/audit/logs/write_report.log",
    benchmark:
        "results/audit/benchmarks/write_report.tsv"
    conda:
        "../envs/tables.yaml"
    params:
        code=code("write_report"),
        settings=canonical(
            STUDY.model_dump(
                include={
                    "study": True,
                    "imputation": True,
                    "inference": True,
                    "models": {"__all__": {"title", "role"}},
                    "comparisons": {"__all__": {"title", "by"}},
                }
            )
        ),
        models=list(STUDY.models),
        imputations=EXAMINED,
        grids=list(STUDY.sensitivity.delta),
        comparisons=list(STUDY.comparisons),
        words=canonical(words_of(CODEBOOK.variables)),
        notice=NOTICE,
    script:
        "../scripts/write_report.py"

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
        pooled=expand("results/aggregate/pooled/{model}.csv", model=STUDY.models),
        figures=expand(
            "results/aggregate/figures/{figure}.svg",
            figure=["flow", "missingness", "missing_patterns", "convergence", "forest"],
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
        comparisons=list(STUDY.comparisons),
        words=canonical(words_of(CODEBOOK.variables)),
        notice=NOTICE,
    script:
        "../scripts/write_report.py"

"""Figures, each as PNG and SVG with its data as CSV."""


rule draw_forest:
    "Draw the odds ratios of all models beside each other."
    input:
        tables=expand("results/aggregate/tables/odds_ratios_{model}.csv", model=STUDY.models),
    output:
        multiext("results/aggregate/figures/forest", png=".png", svg=".svg", csv=".csv"),
    log:
        "results/audit/logs/draw_forest.log",
    benchmark:
        "results/audit/benchmarks/draw_forest.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        code=code("draw_forest"),
        titles=[model.title for model in STUDY.models.values()],
        level=STUDY.inference.level,
        notice=NOTICE,
    script:
        "../scripts/draw_forest.py"


rule draw_missingness:
    "Draw how much is missing of each variable, and which are missing together."
    input:
        extent="results/aggregate/missingness/extent.csv",
        patterns="results/aggregate/missingness/patterns.csv",
    output:
        multiext("results/aggregate/figures/missingness", png=".png", svg=".svg", csv=".csv"),
        multiext(
            "results/aggregate/figures/missing_patterns", patterns_png=".png", patterns_svg=".svg", patterns_csv=".csv"
        ),
    log:
        "results/audit/logs/draw_missingness.log",
    benchmark:
        "results/audit/benchmarks/draw_missingness.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        code=code("draw_missingness"),
        words=canonical(words_of(STUDY.variables)),
        notice=NOTICE,
    script:
        "../scripts/draw_missingness.py"


rule draw_convergence:
    "Draw the chains of the imputation over their iterations."
    input:
        traces="results/aggregate/convergence.csv",
    output:
        multiext("results/aggregate/figures/convergence", png=".png", svg=".svg", csv=".csv"),
    log:
        "results/audit/logs/draw_convergence.log",
    benchmark:
        "results/audit/benchmarks/draw_convergence.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        code=code("draw_convergence"),
        words=canonical(words_of(STUDY.variables)),
        notice=NOTICE,
    script:
        "../scripts/draw_convergence.py"


rule draw_flow:
    "Draw who is included, step by step."
    input:
        flow="results/aggregate/flow.csv",
        checks=expand("results/aggregate/checks/{model}.csv", model=STUDY.models),
    output:
        multiext("results/aggregate/figures/flow", png=".png", svg=".svg", csv=".csv"),
    log:
        "results/audit/logs/draw_flow.log",
    benchmark:
        "results/audit/benchmarks/draw_flow.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        code=code("draw_flow"),
        unit=STUDY.study.unit,
        titles=[model.title for model in STUDY.models.values()],
        notice=NOTICE,
    script:
        "../scripts/draw_flow.py"

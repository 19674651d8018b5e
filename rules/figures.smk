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
        traces="results/aggregate/imputation/{imputation}/convergence.csv",
    output:
        multiext("results/aggregate/figures/convergence_{imputation}", png=".png", svg=".svg", csv=".csv"),
    log:
        "results/audit/logs/draw_convergence/{imputation}.log",
    benchmark:
        "results/audit/benchmarks/draw_convergence/{imputation}.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        code=code("draw_convergence"),
        words=canonical(words_of(STUDY.variables)),
        notice=NOTICE,
    script:
        "../scripts/draw_convergence.py"


rule draw_diagnostics:
    "Draw observed beside imputed values, also within the groups of each outcome, and split R-hat."
    input:
        distributions="results/aggregate/imputation/{imputation}/distributions.csv",
        r_hat="results/aggregate/imputation/{imputation}/r_hat.csv",
    output:
        multiext(
            "results/aggregate/figures/observed_imputed_{imputation}",
            distributions_png=".png",
            distributions_svg=".svg",
            distributions_csv=".csv",
        ),
        multiext("results/aggregate/figures/r_hat_{imputation}", r_hat_png=".png", r_hat_svg=".svg", r_hat_csv=".csv"),
    log:
        "results/audit/logs/draw_diagnostics/{imputation}.log",
    benchmark:
        "results/audit/benchmarks/draw_diagnostics/{imputation}.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        code=code("draw_diagnostics"),
        outcome=next((name for name in STUDY.outcomes if name in STUDY.variables), ""),
        words=canonical(words_of(STUDY.variables)),
        notice=NOTICE,
    script:
        "../scripts/draw_diagnostics.py"


rule draw_tipping:
    "Draw how the odds ratios move when imputed values depart from missing at random."
    input:
        shifts="results/aggregate/sensitivity/shifts_{grid}.csv",
    output:
        multiext("results/aggregate/figures/tipping_{grid}", png=".png", svg=".svg", csv=".csv"),
    log:
        "results/audit/logs/draw_tipping/{grid}.log",
    benchmark:
        "results/audit/benchmarks/draw_tipping/{grid}.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        code=code("draw_tipping"),
        words=grid_words_of,
        level=STUDY.inference.level,
        notice=NOTICE,
    script:
        "../scripts/draw_tipping.py"


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

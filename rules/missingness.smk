"""What is missing."""


rule describe_missingness:
    "Describe how much is missing of each variable, in all and by outcome, and which are missing together."
    input:
        cleaned="results/restricted/cleaned.parquet",
    output:
        extent="results/aggregate/missingness/extent.csv",
        patterns="results/aggregate/missingness/patterns.csv",
    log:
        "results/audit/logs/describe_missingness.log",
    benchmark:
        "results/audit/benchmarks/describe_missingness.tsv"
    conda:
        "../envs/clean.yaml"
    params:
        code=code("describe_missingness"),
        variables=STUDY.variables,
        outcomes=[name for name in STUDY.outcomes if name in STUDY.variables],
    script:
        "../scripts/describe_missingness.py"

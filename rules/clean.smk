"""From files to one row per person."""


rule clean_data:
    "Join the files, score the questionnaires, derive the variables of the analysis, and count who is included."
    input:
        ingested=expand("results/restricted/ingested/{file}.parquet", file=sorted(RAW)),
        # Not ancient(): below a job that runs, Snakemake passes over an ancient input without a look at the parameters,
        # and a codebook changed in both would leave the old cleaned data.
        validation="results/aggregate/validation.csv",
    output:
        cleaned="results/restricted/cleaned.parquet",
        log="results/aggregate/cleaning.csv",
        flow="results/aggregate/flow.csv",
    log:
        "results/audit/logs/clean_data.log",
    benchmark:
        "results/audit/benchmarks/clean_data.tsv"
    conda:
        "../envs/clean.yaml"
    params:
        code=code("clean_data"),
        files=sorted(RAW),
        codebook=canonical(CODEBOOK.without_words()),
        spine=STUDY.extract.spine,
        population=canonical(STUDY.population),
    script:
        "../scripts/clean_data.py"

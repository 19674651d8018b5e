"""Raw files in: a synthetic extract where there is no other, ingestion, and validation against the codebook."""


rule simulate_extract:
    "Make a synthetic extract that looks like the study's, from declared assumptions."
    output:
        files=[str(path) for path in RAW.values() if SYNTHETIC],
        truth="results/restricted/synthetic/truth.json",
        complete="results/restricted/synthetic/complete.parquet",
    log:
        "results/audit/logs/simulate_extract.log",
    benchmark:
        "results/audit/benchmarks/simulate_extract.tsv"
    conda:
        "../envs/extract.yaml"
    params:
        code=code("simulate_extract"),
        files=list(RAW),
        assumptions=ASSUMPTIONS,
        codebook=canonical(CODEBOOK.raw_part()),
        seed=STUDY.study.seed,
    script:
        "../scripts/simulate_extract.py"


rule ingest_file:
    "Read a raw file with its labels, and keep the reason for every missing value beside the value."
    input:
        raw=raw_file,
    output:
        ingested="results/restricted/ingested/{file}.parquet",
    log:
        "results/audit/logs/ingest_file/{file}.log",
    benchmark:
        "results/audit/benchmarks/ingest_file/{file}.tsv"
    conda:
        "../envs/extract.yaml"
    params:
        code=code("ingest_file"),
        columns=columns_of,
        raw_sha256=raw_hash,
    script:
        "../scripts/ingest_file.py"


rule validate_extract:
    "Hold every file against the codebook and report all that does not agree, in counts."
    input:
        ingested=expand("results/restricted/ingested/{file}.parquet", file=sorted(RAW)),
    output:
        validation="results/aggregate/validation.csv",
    log:
        "results/audit/logs/validate_extract.log",
    benchmark:
        "results/audit/benchmarks/validate_extract.tsv"
    conda:
        "../envs/clean.yaml"
    params:
        code=code("validate_extract"),
        files=sorted(RAW),
        names={name: path.name for name, path in sorted(RAW.items())},
        codebook=canonical(CODEBOOK.checked_part()),
        spine=STUDY.extract.spine,
    script:
        "../scripts/validate_extract.py"

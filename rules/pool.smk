"""Rubin's rules."""


rule pool_model:
    "Pool one model's fits over the imputed sets with Rubin's rules."
    input:
        fits=fits_of,
    output:
        pooled="results/aggregate/pooled/{model}.csv",
        tests="results/aggregate/pooled/{model}_tests.csv",
    log:
        "results/audit/logs/pool_model/{model}.log",
    benchmark:
        "results/audit/benchmarks/pool_model/{model}.tsv"
    conda:
        "../envs/pool.yaml"
    params:
        code=code("pool_model"),
        inference=canonical(STUDY.inference.model_dump()),
        terms=terms_of,
    script:
        "../scripts/pool_model.py"

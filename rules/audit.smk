"""What an auditor asks first: the graph of the workflow."""


rule export_graphs:
    "Ask Snakemake itself for the graph of the rules, and of the jobs of this study."
    output:
        rulegraph=temp("results/audit/rulegraph.dot"),
        dag=temp("results/audit/dag.dot"),
    log:
        "results/audit/logs/export_graphs.log",
    benchmark:
        "results/audit/benchmarks/export_graphs.tsv"
    conda:
        "../envs/audit.yaml"
    params:
        rules=[audit.file_hash(path) for path in RULE_FILES],
        jobs=canonical(
            {
                "sources": {name: source.sets.batches for name, source in SOURCES.items()},
                "analyses": list(ANALYSES),
                "models": list(STUDY.models),
                "comparisons": list(STUDY.comparisons),
            }
        ),
    # The order of the rules in the graph goes by the hashes of their names, which differ from run to run.
    shell:
        "export PYTHONHASHSEED=0; ({SNAKEMAKE} --rulegraph dot > {output.rulegraph} && {SNAKEMAKE} --forceall --dag dot > {output.dag}) 2> {log}"


rule draw_graphs:
    "Draw both graphs."
    input:
        rulegraph="results/audit/rulegraph.dot",
        dag="results/audit/dag.dot",
    output:
        rulegraph="results/audit/rulegraph.svg",
        dag="results/audit/dag.svg",
    log:
        "results/audit/logs/draw_graphs.log",
    benchmark:
        "results/audit/benchmarks/draw_graphs.tsv"
    conda:
        "../envs/audit.yaml"
    params:
        code=code("draw_graphs"),
    script:
        "../scripts/draw_graphs.py"

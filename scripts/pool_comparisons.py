"""Compare groups, one variable at a time, in every imputed set, and pool the comparisons."""

from esmi import pooled_comparison
from esmi.canonical import from_canonical
from esmi.job import read_sets, reporting, write_csv

with reporting(snakemake.log[0]):
    chosen, inference = from_canonical(snakemake.params.comparison), from_canonical(snakemake.params.inference)
    tests = pooled_comparison.pool_comparisons(
        read_sets(snakemake.input.imputed, [], ""),
        chosen["variables"],
        chosen["by"],
        inference["df"],
        inference["level"],
    )
    write_csv(tests, snakemake.output.tests)

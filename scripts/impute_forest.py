"""Impute a batch of sets by chained equations; outcomes predict and are never handed on filled.

Reads the variables of the imputation model; writes the sets, one below the other with their number, and the trace of
each chain. A set follows from the study's seed and its own number alone: batches and cores make no difference.
Method: miceforest with sequential updating and a bootstrap per model (see esmi.imputation.forest).
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before LightGBM loads: more threads never helped at any size measured

import pandas as pd

from esmi.canonical import from_canonical
from esmi.imputation import batches, forest
from esmi.job import reporting, write_parquet

with reporting(snakemake.log[0]):
    sets, data = from_canonical(snakemake.params.sets), from_canonical(snakemake.params.data)
    imputed, traces = batches.run(
        pd.read_parquet(snakemake.input.selected),
        snakemake.wildcards.batch,
        data["passive"],
        lambda table, number: forest.impute(
            table,
            never_filled=data["outcomes"],
            preset=sets["preset"],
            iterations=sets["iterations"],
            donors=sets["donors"],
            seed=snakemake.params.seed,
            imputation=number,
            ordinal=data["ordinal"],
            outcomes=sets["outcomes"],
            deltas=batches.deltas(sets["delta"], table),
        ),
    )
    write_parquet(imputed, snakemake.output.imputed)
    write_parquet(traces, snakemake.output.trace)

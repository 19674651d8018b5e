"""Impute a batch of sets by chained equations; outcomes predict and are never filled.

Reads the variables of the imputation model; writes the sets, one below the other with their number, and the trace of
each chain. A set follows from the study's seed and its own number alone: batches and cores make no difference.
Method: miceforest with sequential updating and a bootstrap per model (see esmi.imputation.forest).
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before LightGBM loads: more threads never helped at any size measured

import pandas as pd

from esmi.imputation import forest
from esmi.job import reporting, write_parquet

with reporting(snakemake.log[0]):
    params = snakemake.params
    data = pd.read_parquet(snakemake.input.selected)
    ids = data.pop(data.columns[0])
    first, last = map(int, snakemake.wildcards.batch.split("-"))
    sets, traces = [], []
    for number in range(first, last + 1):
        completed, trace = forest.impute(
            data,
            never_filled=params.outcomes,
            preset=params.preset,
            iterations=params.iterations,
            donors=params.donors,
            seed=params.seed,
            imputation=number,
            ordinal=params.ordinal,
        )
        completed.insert(0, ids.name, ids)
        completed.insert(0, "imputation", number)
        sets.append(completed)
        traces.append(trace)
    write_parquet(pd.concat(sets, ignore_index=True), snakemake.output.imputed)
    write_parquet(pd.concat(traces, ignore_index=True), snakemake.output.trace)

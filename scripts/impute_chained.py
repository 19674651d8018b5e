"""Impute a batch of sets by chained parametric models; outcomes predict and are never handed on filled.

Reads the variables of the imputation model; writes the sets, one below the other with their number, the trace of each
chain, and what the models had to do on the way. A set follows from the study's seed and its own number alone.
Method: chained equations with a draw of the parameters of every model (see esmi.imputation.chained).
"""

import pandas as pd

from esmi.canonical import from_canonical
from esmi.imputation import batches, chained
from esmi.job import reporting, write_parquet

with reporting(snakemake.log[0]):
    sets, data = from_canonical(snakemake.params.sets), from_canonical(snakemake.params.data)
    imputed, traces, events = batches.run(
        pd.read_parquet(snakemake.input.selected),
        snakemake.wildcards.batch,
        data["passive"],
        lambda table, number: chained.impute(
            table,
            never_filled=data["outcomes"],
            iterations=sets["iterations"],
            donors=sets["donors"],
            seed=snakemake.params.seed,
            imputation=number,
            ordinal=data["ordinal"],
            methods=sets["methods"],
            interactions=snakemake.params.interactions,
            outcomes=sets["outcomes"],
            deltas=batches.deltas(sets["delta"], table),
        ),
    )
    write_parquet(imputed, snakemake.output.imputed)
    write_parquet(traces, snakemake.output.trace)
    write_parquet(events, snakemake.output.events)

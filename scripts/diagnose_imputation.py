"""Examine convergence, observed against imputed values, and variables missing together; give a verdict in words."""

import pandas as pd

from esmi.imputation import diagnostics
from esmi.job import read_csv, read_sets, reporting, write_csv

with reporting(snakemake.log[0]):
    read, outcomes = snakemake.input, snakemake.params.outcomes
    data = pd.read_parquet(read.selected).iloc[:, 1:]
    traces, events = read_csv(read.traces), read_csv(read.events)
    chains = diagnostics.convergence(traces)
    found = diagnostics.distributions(data, read_sets(read.imputed, [], ""), outcomes)
    correlations = diagnostics.joint_correlations(data, read_sets(read.imputed, [], ""), outcomes)
    draws = len(traces[["imputation", "iteration", "variable"]].drop_duplicates())
    write_csv(chains, snakemake.output.convergence)
    write_csv(found, snakemake.output.distributions)
    write_csv(correlations, snakemake.output.correlations)
    write_csv(diagnostics.verdict(chains, found, correlations, events, draws), snakemake.output.verdict)

"""Collect the means of the imputed values over the iterations of every chain."""

import pandas as pd

from esmi.job import reporting, write_csv

with reporting(snakemake.log[0]):
    traces = [pd.read_parquet(path) for path in snakemake.input.traces]
    write_csv(pd.concat(traces, ignore_index=True), snakemake.output.traces)

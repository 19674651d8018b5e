"""Collect what was imputed in every iteration of every chain, and what the engine had to do on the way."""

import pandas as pd

from esmi.job import reporting, write_csv

TRACE = ["imputation", "iteration", "variable", "statistic", "level", "value"]
EVENTS = ["imputation", "iteration", "variable", "event", "detail"]

with reporting(snakemake.log[0]):
    for paths, columns, output in [
        (snakemake.input.traces, TRACE, snakemake.output.traces),
        (snakemake.input.events, EVENTS, snakemake.output.events),
    ]:
        tables = [table for table in map(pd.read_parquet, paths) if len(table)]
        write_csv(pd.concat(tables or [pd.DataFrame(columns=columns)], ignore_index=True), output)

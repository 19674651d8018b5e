"""Bias, standard errors and coverage over all replications of the rehearsal, and the verdict on every engine."""

import pandas as pd

from esmi import rehearsal
from esmi.job import reporting, write_csv

with reporting(snakemake.log[0]):
    rows = pd.concat([pd.read_parquet(path) for path in snakemake.input.rows], ignore_index=True)
    summary = rehearsal.summarise(rows)
    write_csv(summary, snakemake.output.summary)
    write_csv(rehearsal.verdict(summary), snakemake.output.verdict)

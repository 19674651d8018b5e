"""Describe how much is missing of each variable, in all and by outcome, and which are missing together."""

import pandas as pd

from esmi import missingness
from esmi.job import reporting, write_csv

with reporting(snakemake.log[0]):
    table = pd.read_parquet(snakemake.input.cleaned)[snakemake.params.variables]
    write_csv(missingness.extent(table, snakemake.params.outcomes), snakemake.output.extent)
    write_csv(missingness.patterns(table), snakemake.output.patterns)

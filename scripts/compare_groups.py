"""Summarise and compare characteristics of those with and without involvement, among those for whom it is known."""

import pandas as pd

from esmi import comparison
from esmi.canonical import from_canonical
from esmi.job import reporting, write_csv

with reporting(snakemake.log[0]):
    chosen = from_canonical(snakemake.params.comparison)
    cleaned = pd.read_parquet(snakemake.input.cleaned, columns=[chosen["by"], *chosen["variables"]])
    summaries, tests = comparison.characteristics(cleaned, chosen["variables"], chosen["by"])
    write_csv(summaries, snakemake.output.summaries)
    write_csv(tests, snakemake.output.tests)

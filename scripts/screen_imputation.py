"""Say what is in the imputation model and why, and warn of what it can hardly support."""

import pandas as pd

from esmi.canonical import from_canonical
from esmi.imputation import screening
from esmi.job import reporting, write_csv

with reporting(snakemake.log[0]):
    plan = from_canonical(snakemake.params.plan)
    cleaned = pd.read_parquet(snakemake.input.cleaned, columns=list(plan["roles"]))
    contents = screening.contents(cleaned, plan)
    write_csv(contents, snakemake.output.contents)
    write_csv(screening.warnings(cleaned, contents), snakemake.output.warnings)

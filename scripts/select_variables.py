"""Take the variables of the imputation model out of the cleaned data, so that no other variable reruns it."""

import pandas as pd

from esmi.derive import ID
from esmi.job import reporting, write_parquet

with reporting(snakemake.log[0]):
    columns = [ID, *snakemake.params.variables]
    write_parquet(pd.read_parquet(snakemake.input.cleaned, columns=columns), snakemake.output.selected)

"""Check that a model has events, that its covariates vary, and count events per parameter."""

import pandas as pd

from esmi import design
from esmi.canonical import from_canonical
from esmi.job import reporting, write_csv

with reporting(snakemake.log[0]):
    model = from_canonical(snakemake.params.model)
    cleaned = pd.read_parquet(snakemake.input.cleaned, columns=[model["outcome"], *model["terms"]])
    check = design.check_model(cleaned, snakemake.wildcards.model, model["outcome"], model["terms"])
    write_csv(check, snakemake.output.check)

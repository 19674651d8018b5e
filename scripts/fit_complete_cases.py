"""Fit a model to those with nothing missing in it, as the comparison that the protocol asks for."""

import pandas as pd

from esmi import logistic
from esmi.canonical import from_canonical
from esmi.job import reporting, write_csv

with reporting(snakemake.log[0]):
    model = from_canonical(snakemake.params.model)
    cleaned = pd.read_parquet(snakemake.input.cleaned, columns=[model["outcome"], *model["terms"]])
    fit = logistic.fit_complete_cases(cleaned, model["outcome"], model["terms"], snakemake.params.level)
    write_csv(fit, snakemake.output.fit)

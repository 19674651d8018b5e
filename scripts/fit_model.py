"""Fit a model, unadjusted and adjusted, to each imputed set of a batch.

Logistic regression by maximum likelihood (statsmodels); those with a missing outcome are left out of the fit.
"""

import pandas as pd

from esmi import logistic
from esmi.canonical import from_canonical
from esmi.job import reporting, write_parquet

with reporting(snakemake.log[0]):
    model = from_canonical(snakemake.params.model)
    columns = ["imputation", model["outcome"], *model["terms"]]
    imputed = pd.read_parquet(snakemake.input.imputed, columns=columns)
    fits = []
    for number, data in imputed.groupby("imputation"):
        fit = logistic.fit_model(data, model["outcome"], model["terms"])
        fit.insert(0, "imputation", number)
        fits.append(fit)
    write_parquet(pd.concat(fits, ignore_index=True), snakemake.output.fits)

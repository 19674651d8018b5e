"""Fit a model, unadjusted and adjusted, to each imputed set of a batch.

Logistic regression by maximum likelihood (statsmodels) or Firth's penalised likelihood; those with a missing outcome
are left out of the fit. Standard errors are robust to clusters where the settings name them.
"""

import json
from pathlib import Path

import pandas as pd

from esmi import logistic
from esmi.job import read_sets, reporting, write_parquet

with reporting(snakemake.log[0]):
    params = snakemake.params
    terms = json.loads(Path(snakemake.input.terms).read_text("utf-8"))["terms"]
    sets = read_sets([snakemake.input.imputed], snakemake.input.clusters, params.cluster)
    fits = []
    for number, data in sets:
        fit = logistic.fit_model(data, params.outcome, terms, method=params.estimator, cluster=params.cluster or None)
        fit.insert(0, "imputation", number)
        fits.append(fit)
    write_parquet(pd.concat(fits, ignore_index=True), snakemake.output.fits)

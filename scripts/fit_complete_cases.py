"""Fit a model to those with nothing missing in it, as the comparison that the protocol asks for."""

import json
from pathlib import Path

import pandas as pd

from esmi import design, logistic
from esmi.canonical import from_canonical
from esmi.job import reporting, write_csv

with reporting(snakemake.log[0]):
    outcome, inference = snakemake.params.outcome, from_canonical(snakemake.params.inference)
    terms = json.loads(Path(snakemake.input.terms).read_text("utf-8"))["terms"]
    columns = [outcome, *design.variables_of(terms), *filter(None, [inference["cluster"]])]
    cleaned = pd.read_parquet(snakemake.input.cleaned, columns=list(dict.fromkeys(columns)))
    fit = logistic.fit_complete_cases(
        cleaned, outcome, terms, inference["level"], method=inference["estimator"], cluster=inference["cluster"]
    )
    write_csv(fit, snakemake.output.fit)

"""Check that a model has events, that its covariates vary, and count events per parameter.

Writes the counts with their warnings, and the terms of the model with their columns. Knots of splines, and the values
at which probabilities are given, are settled here, on the observed values: they mean the same in every imputed set.
"""

import json
from pathlib import Path

import pandas as pd

from esmi import design
from esmi.canonical import from_canonical
from esmi.job import reporting, write_csv

with reporting(snakemake.log[0]):
    model = from_canonical(snakemake.params.model)
    cluster = snakemake.params.cluster
    variables = [model["outcome"], *design.variables_of(model["terms"]), *([cluster] if cluster else [])]
    cleaned = pd.read_parquet(snakemake.input.cleaned, columns=list(dict.fromkeys(variables)))
    check = design.check_model(cleaned, snakemake.wildcards.model, model["outcome"], model["terms"], cluster or None)
    write_csv(check, snakemake.output.check)
    terms = design.resolve_knots(cleaned, model["terms"])
    settled = {"terms": terms, "columns": design.terms_of(cleaned, terms), "grid": design.value_grid(cleaned, terms)}
    Path(snakemake.output.terms).write_text(json.dumps(settled, indent=1) + "\n", encoding="utf-8")

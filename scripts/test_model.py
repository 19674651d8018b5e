"""Test the variables of a model, and the model as a whole, jointly over the imputed sets.

D1 of Li, Raghunathan & Rubin (1991) and D2 of Li, Meng, Raghunathan & Rubin (1991) from the fits; D3 of Meng & Rubin
(1992) and D4 of Chan & Meng (2019) from the likelihoods, where the model is fitted by maximum likelihood.
"""

import json
from pathlib import Path

import pandas as pd

from esmi import joint_tests
from esmi.job import read_sets, reporting, write_csv

with reporting(snakemake.log[0]):
    params = snakemake.params
    settled = json.loads(Path(snakemake.input.terms).read_text("utf-8"))
    fits = pd.concat([pd.read_parquet(path) for path in snakemake.input.fits], ignore_index=True)
    tests = joint_tests.joint_tests(fits, settled["columns"], params.failed == "leave-out")
    if params.estimator == "ml":
        sets = read_sets(snakemake.input.imputed, [], "")
        by_likelihood = joint_tests.likelihood_tests(sets, params.outcome, settled["terms"], settled["columns"])
        tests = pd.concat([tests, by_likelihood], ignore_index=True)
    write_csv(tests, snakemake.output.tests)

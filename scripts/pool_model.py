"""Pool one model's fits over the imputed sets with Rubin's rules.

Rubin (1987) for estimates and variances, Barnard & Rubin (1999) or the large-sample rule for degrees of freedom, D1 of
Li, Raghunathan & Rubin (1991) for variables with several levels. Log-odds are pooled; exponentiation comes last.
"""

import pandas as pd

from esmi import pooling
from esmi.canonical import from_canonical
from esmi.job import reporting, write_csv

with reporting(snakemake.log[0]):
    inference = from_canonical(snakemake.params.inference)
    fits = pd.concat([pd.read_parquet(path) for path in snakemake.input.fits], ignore_index=True)
    write_csv(pooling.pool_fits(fits, inference["df"], inference["level"]), snakemake.output.pooled)
    write_csv(pooling.joint_tests(fits, from_canonical(snakemake.params.terms)), snakemake.output.tests)

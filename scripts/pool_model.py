"""Pool one model's fits over the imputed sets with Rubin's rules, and say whether there are sets enough.

Rubin (1987) for estimates and variances, Barnard & Rubin (1999) or the large-sample rule for degrees of freedom, the
jackknife of White, Royston & Wood (2011) for Monte Carlo errors. Log-odds are pooled; exponentiation comes last.
"""

import pandas as pd

from esmi import pooling, stability
from esmi.canonical import from_canonical
from esmi.job import reporting, write_csv

with reporting(snakemake.log[0]):
    inference = from_canonical(snakemake.params.inference)
    fits = pd.concat([pd.read_parquet(path) for path in snakemake.input.fits], ignore_index=True)
    pooled = pooling.pool_fits(fits, inference["df"], inference["level"], inference["failed"] == "leave-out")
    write_csv(pooled, snakemake.output.pooled)
    write_csv(stability.stability(pooled), snakemake.output.stability)

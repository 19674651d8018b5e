"""Draw who is included step by step, and for how many each outcome is known."""

from pathlib import Path

import pandas as pd

from esmi import figures, report
from esmi.job import read_csv, reporting, write_csv

with reporting(snakemake.log[0]):
    params = snakemake.params
    checks = pd.concat([read_csv(path) for path in snakemake.input.checks], ignore_index=True)
    steps = report.flow_steps(read_csv(snakemake.input.flow), checks, params.titles)
    write_csv(steps, snakemake.output.csv)
    figure = figures.flow(steps, f"Who is in the analysis ({params.unit})", params.notice)
    figures.save(figure, Path(snakemake.output.png), Path(snakemake.output.svg))

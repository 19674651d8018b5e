"""Draw the odds ratios of all models beside each other: unadjusted, adjusted, and of the complete cases."""

from pathlib import Path

import pandas as pd

from esmi import figures
from esmi.job import read_csv, reporting, write_csv

with reporting(snakemake.log[0]):
    titled = zip(snakemake.params.titles, snakemake.input.tables, strict=True)
    odds = pd.concat([read_csv(path).assign(model_label=title) for title, path in titled], ignore_index=True)
    write_csv(odds, snakemake.output.csv)
    title = "What goes with the outcome: odds ratios with intervals"
    figure = figures.forest(odds, title, snakemake.params.notice, snakemake.params.level)
    figures.save(figure, Path(snakemake.output.png), Path(snakemake.output.svg))

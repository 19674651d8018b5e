"""Draw how the odds ratios move when imputed values depart from missing at random."""

from pathlib import Path

from esmi import figures, figures_sensitivity
from esmi.canonical import from_canonical
from esmi.job import read_csv, reporting, write_csv

with reporting(snakemake.log[0]):
    params = snakemake.params
    shifts = read_csv(snakemake.input.shifts)
    write_csv(shifts, snakemake.output.csv)
    figure = figures_sensitivity.tipping(shifts, from_canonical(params.words), params.notice, params.level)
    figures.save(figure, Path(snakemake.output.png), Path(snakemake.output.svg))

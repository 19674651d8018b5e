"""Draw the chains of the imputation over their iterations: flat and mingled is well."""

from pathlib import Path

from esmi import figures
from esmi.canonical import from_canonical
from esmi.job import read_csv, reporting, write_csv

with reporting(snakemake.log[0]):
    traces = read_csv(snakemake.input.traces)
    write_csv(traces, snakemake.output.csv)
    words = from_canonical(snakemake.params.words)
    figure = figures.convergence(traces, words, "Imputed values over the iterations", snakemake.params.notice)
    figures.save(figure, Path(snakemake.output.png), Path(snakemake.output.svg))

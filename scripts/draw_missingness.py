"""Draw how much is missing of each variable, in all and by outcome, and which variables are missing together."""

from pathlib import Path

from esmi import figures
from esmi.canonical import from_canonical
from esmi.job import read_csv, reporting, write_csv

with reporting(snakemake.log[0]):
    words, notice, output = from_canonical(snakemake.params.words), snakemake.params.notice, snakemake.output
    extent, patterns = read_csv(snakemake.input.extent), read_csv(snakemake.input.patterns)
    write_csv(extent, output.csv)
    figure = figures.missingness(extent, words, "How much is missing", notice)
    figures.save(figure, Path(output.png), Path(output.svg))
    write_csv(patterns, output.patterns_csv)
    figure = figures.missing_patterns(patterns, words, "What is missing together", notice)
    figures.save(figure, Path(output.patterns_png), Path(output.patterns_svg))

"""Lay out the characteristics by group as a table: tidy numbers, and the page made from them."""

from pathlib import Path

from esmi import pages, tables
from esmi.canonical import from_canonical
from esmi.job import read_csv, reporting, write_csv

with reporting(snakemake.log[0]):
    layout = from_canonical(snakemake.params.words)
    tidy = tables.characteristics(
        read_csv(snakemake.input.summaries),
        read_csv(snakemake.input.tests),
        layout["words"],
        {heading: names for heading, names in layout["sections"]},
    )
    write_csv(tidy, snakemake.output.csv)
    groups = {"all": "All", **layout["words"][layout["by"]]["levels"]}
    body = tables.characteristics_html(tidy, layout["title"], groups, snakemake.params.notice)
    Path(snakemake.output.html).write_text(pages.page(layout["title"], body, snakemake.params.notice), "utf-8")

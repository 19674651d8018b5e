"""Lay out unadjusted, adjusted and complete-case odds ratios side by side: tidy numbers, and a page made from them."""

from pathlib import Path

from esmi import pages, tables
from esmi.canonical import from_canonical
from esmi.job import read_csv, reporting, write_csv

with reporting(snakemake.log[0]):
    model = from_canonical(snakemake.params.words)
    tidy = tables.odds_ratios(
        read_csv(snakemake.input.pooled),
        read_csv(snakemake.input.tests),
        read_csv(snakemake.input.complete_case),
        model["words"],
        model["terms"],
    )
    write_csv(tidy, snakemake.output.csv)
    body = tables.odds_ratios_html(tidy, model["title"], snakemake.params.notice, snakemake.params.level)
    Path(snakemake.output.html).write_text(pages.page(model["title"], body, snakemake.params.notice), "utf-8")

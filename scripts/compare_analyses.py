"""Set the odds ratios of every engine, of Firth's likelihood and of the complete cases side by side."""

from pathlib import Path

from esmi import analyses, pages, sensitivity
from esmi.canonical import from_canonical
from esmi.job import read_csv, reporting, write_csv

with reporting(snakemake.log[0]):
    params = snakemake.params
    model = from_canonical(params.words)
    pooled = {name: read_csv(path) for name, path in zip(params.analyses, snakemake.input.pooled, strict=True)}
    compared = sensitivity.compare_sources(pooled, {"complete_case": read_csv(snakemake.input.complete_case)})
    titles = dict(zip(params.analyses, params.titles, strict=True)) | {"complete_case": "Complete cases"}
    tidy = analyses.side_by_side(compared, titles, model["words"])
    write_csv(tidy, snakemake.output.csv)
    title = f"{model['title']}: other ways to the same odds ratios"
    body = analyses.side_by_side_html(tidy, title, params.notice, params.level)
    Path(snakemake.output.html).write_text(pages.page(title, body, params.notice), "utf-8")

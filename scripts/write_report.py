"""Gather flow, missingness, tables, figures and checks into one self-contained page."""

from pathlib import Path

from esmi import report
from esmi.canonical import from_canonical
from esmi.job import read_csv, reporting

with reporting(snakemake.log[0]):
    params, read = snakemake.params, snakemake.input
    named = {
        "models": {name: dict(zip(params.models, map(read_csv, read[name]), strict=True)) for name in report.PER_MODEL},
        "comparisons": dict(zip(params.comparisons, map(read_csv, read.characteristics), strict=True)),
    }
    page = report.page(
        from_canonical(params.settings),
        report.Numbers(
            validation=read_csv(read.validation),
            cleaning=read_csv(read.cleaning),
            **named["models"],
            characteristics=named["comparisons"],
            contents=read_csv(read.contents),
            warnings=read_csv(read.warnings),
            verdicts=dict(zip(params.imputations, map(read_csv, read.verdicts), strict=True)),
            tipping=dict(zip(params.grids, map(read_csv, read.tipping), strict=True)),
        ),
        {Path(path).stem: Path(path) for path in [*read.figures, read.rulegraph]},
        from_canonical(params.words),
        params.notice,
    )
    Path(snakemake.output.report).write_text(page, "utf-8")

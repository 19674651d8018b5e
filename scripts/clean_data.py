"""Join the files, score the questionnaires, derive the variables of the analysis, and count who is included.

Writes the cleaned table (one row per person), the count of every recode, prorated score and composite part that
decided, and the inclusion flow.
"""

from pathlib import Path

from esmi import derive, extract
from esmi.canonical import from_canonical
from esmi.codebook import Codebook
from esmi.job import reporting, write_csv, write_parquet
from esmi.settings import Step

with reporting(snakemake.log[0]):
    params = snakemake.params
    ingested = {
        name: extract.read_ingested(Path(path))[0]
        for name, path in zip(params.files, snakemake.input.ingested, strict=True)
    }
    cleaned = derive.clean(
        ingested,
        Codebook.model_validate(from_canonical(params.codebook)),
        params.spine,
        [Step.model_validate(step) for step in from_canonical(params.population)],
    )
    write_parquet(cleaned.table, snakemake.output.cleaned)
    write_csv(cleaned.log, snakemake.output.log)
    write_csv(cleaned.flow, snakemake.output.flow)

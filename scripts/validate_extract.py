"""Hold every file against the codebook and report all that does not agree, in counts.

Errors stop the workflow with one message that lists them all; notices are written and the workflow goes on.
"""

from pathlib import Path

from esmi import extract, validation
from esmi.canonical import from_canonical
from esmi.codebook import Codebook
from esmi.job import reporting, write_csv

with reporting(snakemake.log[0]):
    params = snakemake.params
    read = {
        name: extract.read_ingested(Path(path))
        for name, path in zip(params.files, snakemake.input.ingested, strict=True)
    }
    found = validation.validate(
        {name: table for name, (table, _) in read.items()},
        {name: metadata.value_labels for name, (_, metadata) in read.items()},
        Codebook.model_validate(from_canonical(params.codebook)),
        params.spine,
    )
    validation.stop_on_errors(found, params.names)
    write_csv(found, snakemake.output.validation)

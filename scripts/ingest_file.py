"""Read a raw file with its labels, and keep the reason for every missing value beside the value.

Reads a .sav, .dta or .csv file; writes raw codes, typed, with `{name}__why` columns and the labels as metadata.
"""

from pathlib import Path

from esmi import extract
from esmi.canonical import from_canonical
from esmi.job import reporting

with reporting(snakemake.log[0]):
    columns = from_canonical(snakemake.params.columns)
    raw = extract.read_raw(Path(snakemake.input.raw))
    missing = {name: dict(codes) for name, codes in columns["missing"].items()}
    extract.write_ingested(extract.ingest(raw, columns["id"], missing), raw, Path(snakemake.output.ingested))

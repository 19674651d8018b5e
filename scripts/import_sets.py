"""Take in a batch of sets that were imputed elsewhere, and hold them against the cleaned data."""

from pathlib import Path

import pandas as pd

from esmi.canonical import from_canonical
from esmi.documents import parse
from esmi.forms import passive
from esmi.imputation import imported
from esmi.job import reporting, write_parquet
from esmi.variables import Variable

with reporting(snakemake.log[0]):
    params = snakemake.params
    given, data = from_canonical(params.sets)["imported"], from_canonical(params.data)
    long = imported.read(Path(snakemake.input.sets), given["number"], given["id"])
    sets = imported.sets(
        long,
        pd.read_parquet(snakemake.input.selected),
        columns=given["columns"],
        levels=given["levels"],
        never_filled=data["outcomes"],
        m=params.m,
        file=given["file"],
    )
    sets = passive(sets, {name: parse(Variable, form, name) for name, form in data["passive"].items()})
    first, last = map(int, snakemake.wildcards.batch.split("-"))
    write_parquet(sets[sets["imputation"].between(first, last)].reset_index(drop=True), snakemake.output.imputed)

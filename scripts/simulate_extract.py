"""Make a synthetic extract that looks like the study's, from declared assumptions.

Writes the raw files, and beside them the planted truth: effects and totals as JSON, the complete values per person.
"""

import json
from pathlib import Path

from esmi.canonical import from_canonical
from esmi.codebook import Codebook
from esmi.job import reporting, write_parquet
from esmi.synthetic import simulation, writing

with reporting(snakemake.log[0]):
    params = snakemake.params
    simulated = simulation.simulate(from_canonical(params.assumptions), params.seed)
    paths = dict(zip(params.files, map(Path, snakemake.output.files), strict=True))
    writing.write(simulated, paths, Codebook.model_validate(from_canonical(params.codebook)))
    Path(snakemake.output.truth).write_text(json.dumps(simulated.truth, indent=1) + "\n", encoding="utf-8")
    write_parquet(simulated.complete, snakemake.output.complete)

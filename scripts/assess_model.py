"""Average marginal effects, predicted probabilities, discrimination and calibration, pooled over the imputed sets."""

import json
from pathlib import Path

from esmi import assessment
from esmi.canonical import from_canonical
from esmi.job import read_sets, reporting, write_csv

with reporting(snakemake.log[0]):
    params, inference = snakemake.params, from_canonical(snakemake.params.inference)
    settled = json.loads(Path(snakemake.input.terms).read_text("utf-8"))
    plan = assessment.Plan(
        outcome=params.outcome,
        terms=settled["terms"],
        grid=settled["grid"],
        method=params.estimator,
        cluster=inference["cluster"],
        df_method=inference["df"],
        level=inference["level"],
    )
    sets = read_sets(snakemake.input.imputed, snakemake.input.clusters, inference["cluster"] or "")
    pooled_effects, pooled_performance = assessment.assess(sets, plan)
    write_csv(pooled_effects, snakemake.output.effects)
    write_csv(pooled_performance, snakemake.output.performance)

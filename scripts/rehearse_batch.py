"""Rehearse the inference on data drawn from the study's own: a batch of replications by one engine.

Reads the variables of the imputation model and the settled terms of the model; writes the estimates of every
replication by the engine, in the complete data and in the complete cases. A replication follows from the study's seed
and its own number alone, so that more replications add to those there are; its data are the same for every engine.
Method: esmi.rehearsal.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before LightGBM loads: more threads never helped at any size measured

import json
from functools import partial
from pathlib import Path

import pandas as pd

from esmi import logistic, rehearsal
from esmi.canonical import from_canonical
from esmi.documents import parse
from esmi.forms import passive
from esmi.imputation import chained, forest
from esmi.job import reporting, write_parquet
from esmi.variables import Variable


def engine_of(sets: dict, interactions: list) -> rehearsal.Engine:
    """The engine with its settings, but for the data, the seed and the number of the set."""
    common = {name: sets[name] for name in ("iterations", "donors", "outcomes")}
    if sets["engine"] == "forest":
        return partial(forest.impute, preset=sets["preset"], **common)
    return partial(chained.impute, methods=sets["methods"], interactions=interactions, **common)


with reporting(snakemake.log[0]):
    params, wildcards = snakemake.params, snakemake.wildcards
    data, inference = from_canonical(params.data), from_canonical(params.inference)
    forms = {name: parse(Variable, form, name) for name, form in data["passive"].items()}
    plan = rehearsal.Plan(
        outcome=params.outcome,
        terms=json.loads(Path(snakemake.input.terms).read_text("utf-8"))["terms"],
        never_filled=data["outcomes"],
        ordinal=data["ordinal"],
        m=params.m,
        df_method=inference["df"],
        level=inference["level"],
        fit_model=partial(logistic.fit_model, method=inference["estimator"]),
        derive=partial(passive, forms=forms),
    )
    # The population is the same for every engine.
    population = engine_of(from_canonical(params.population), params.interactions)
    prepared = rehearsal.prepare(pd.read_parquet(snakemake.input.selected).iloc[:, 1:], plan, population, params.seed)
    engine = engine_of(from_canonical(params.sets), params.interactions)
    first, last = map(int, wildcards.batch.split("-"))
    rows = rehearsal.rehearse(prepared, wildcards.engine, engine, params.seed, range(first, last + 1))
    write_parquet(rows, snakemake.output.rows)

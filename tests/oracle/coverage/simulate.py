"""Simulate studies of 279 people, impute, fit and pool them: is the truth found, how often, and at what width?

    python tests/oracle/coverage/simulate.py --design main --engines complete complete-case forest chained mice \
        --replications 300 --folder OUT

The results of each engine are added to OUT/DESIGN/ENGINE.csv, so that a run that was stopped goes on where it was, and
more replications add to those there are. `summarise.py` makes results.csv of them.
"""

# The path and the number of threads come before the imports that need them.
# ruff: noqa: E402

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path

# One thread in each process, set before anything is imported that starts threads.
os.environ |= dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], "1")
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "scripts")]

import numpy as np
import pandas as pd
from designs import DESIGNS, ORDINAL, SCORES, Design, drawn, in_units
from scipy.stats import norm

from esmi import logistic, pooling
from esmi.design import events_of, model_matrix
from esmi.errors import ResearchError
from esmi.imputation import chained, forest

SEED = 20261124
DONORS = 5
ROWS = ["replication", "term", "estimate", "std_error", "conf_low", "conf_high", "b_share", "reason"]
# The correlation of the two scores among those in whom both are missing, mean over imputations.
CORRELATION = "r of scores missing together"

Impute = Callable[[Design, pd.DataFrame, int, int, int], pd.DataFrame]


def by_forest(
    design: Design, data: pd.DataFrame, seed: int, number: int, iterations: int, preset: str, outcomes: str | None
) -> pd.DataFrame:
    """One set by boosted trees; `outcomes` as in the engine, None for its default."""
    options = {} if outcomes is None else {"outcomes": outcomes}
    return forest.impute(data, [design.analysed], preset, iterations, DONORS, seed, number, ordinal=ORDINAL, **options)[
        0
    ]


def by_chained(
    design: Design, data: pd.DataFrame, seed: int, number: int, iterations: int, products: bool
) -> pd.DataFrame:
    """One set by chained equations; `products`: whether the imputation models know of the analysis model's product."""
    interactions = [term["interaction"] for term in design.terms if isinstance(term, dict)] if products else []
    return chained.impute(
        data, [design.analysed], iterations, DONORS, seed, number, ordinal=ORDINAL, interactions=interactions
    )[0]


ENGINES: dict[str, Impute] = {
    "forest": partial(by_forest, preset="stumps", outcomes=None),
    "forest-trees": partial(by_forest, preset="trees", outcomes=None),
    "forest-filled": partial(by_forest, preset="stumps", outcomes="filled-then-deleted"),
    "forest-trees-filled": partial(by_forest, preset="trees", outcomes="filled-then-deleted"),
    "chained": partial(by_chained, products=True),
    "chained-main-effects": partial(by_chained, products=False),
}
# complete: all values known; outcome-known: the same in the people whose outcome was not deleted.
SINGLE = ["complete", "outcome-known", "complete-case"]


def simulated(
    engine: str, design: Design, numbers: list[int], m: int, iterations: int, presets: dict[str, dict]
) -> pd.DataFrame:
    """The results of some replications with one engine: a row per (replication, term)."""
    forest.PRESETS |= presets
    studies = {number: drawn(design, SEED, number) for number in numbers}
    if engine in SINGLE:
        results = [_single(engine, design, *study) for study in studies.values()]
    elif engine == "mice":
        sets = _by_mice(design, {number: study[1] for number, study in studies.items()}, m, iterations)
        results = [_pooled(design, studies[number][1], sets[number]) for number in numbers]
    else:
        impute = ENGINES.get(engine) or partial(by_forest, preset=engine, outcomes=None)
        results = []
        for number, (_, data) in studies.items():
            seed = int(np.random.SeedSequence(SEED, spawn_key=(design.number, number)).generate_state(1)[0])
            try:
                sets = [impute(design, data, seed, i, iterations) for i in range(1, m + 1)]
            except ResearchError as error:
                results.append(_without(design, str(error)))
            else:
                results.append(_pooled(design, data, sets))
    tables = [table.assign(replication=number) for number, table in zip(numbers, results, strict=True)]
    return pd.concat(tables, ignore_index=True)[ROWS]


def _single(engine: str, design: Design, complete: pd.DataFrame, incomplete: pd.DataFrame) -> pd.DataFrame:
    data = incomplete if engine == "complete-case" else complete
    if engine == "outcome-known":
        data = data.assign(**{design.analysed: incomplete[design.analysed]})
    fitted = _fit(design, data)
    if not fitted.converged:
        return _without(design, fitted.reason)
    errors = np.sqrt(np.diag(fitted.covariance))
    together = complete[incomplete[SCORES].isna().all(axis=1)] if engine == "complete" else complete.iloc[:0]
    return _table(fitted, fitted.estimates, errors, norm.ppf(0.975) * errors, 0.0, [together])


def _pooled(design: Design, incomplete: pd.DataFrame, sets: list[pd.DataFrame]) -> pd.DataFrame:
    known = incomplete[design.analysed]
    fits = [_fit(design, data.assign(**{design.analysed: known})) for data in sets]
    reasons = [fitted.reason for fitted in fits if not fitted.converged]
    if reasons:
        return _without(design, reasons[0])
    pooled = pooling.rubin(
        np.array([fitted.estimates for fitted in fits]),
        np.array([fitted.covariance for fitted in fits]),
        fits[0].df_resid,
    )
    together = incomplete[SCORES].isna().all(axis=1)
    half_width = (pooled.conf_high - pooled.conf_low) / 2
    return _table(
        fits[0], pooled.estimate, pooled.std_error, half_width, pooled.lambda_, [data[together] for data in sets]
    )


def _fit(design: Design, data: pd.DataFrame):
    y = events_of(data, design.analysed)
    matrix = model_matrix(in_units(data), design.terms)
    known = y.notna() & matrix.notna().all(axis=1)
    return logistic.fit(y[known], matrix[known])


def _table(fitted, estimates, errors, half_width, b_share, together: list[pd.DataFrame]) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "term": fitted.terms,
            "estimate": estimates,
            "std_error": errors,
            "conf_low": estimates - half_width,
            "conf_high": estimates + half_width,
            "b_share": b_share,
            "reason": "",
        }
    )
    correlations = [data[SCORES[0]].corr(data[SCORES[1]]) for data in together if len(data) > 2]
    table.loc[len(table), ["term", "estimate", "reason"]] = [
        CORRELATION,
        np.mean(correlations) if correlations else np.nan,
        "",
    ]
    return table


def _without(design: Design, reason: str) -> pd.DataFrame:
    return pd.DataFrame({"term": [*design.truth, CORRELATION], "reason": reason}).reindex(columns=ROWS)


def _by_mice(design: Design, studies: dict[int, pd.DataFrame], m: int, iterations: int) -> dict[int, list]:
    """The sets of R mice by replication, with the types of the studies; outcomes filled too."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "incomplete.csv", Path(folder) / "completed.csv"
        data = pd.concat([study.assign(replication=number) for number, study in studies.items()])
        data[["replication", *data.columns[:-1]]].to_csv(before, index=False)
        command = ["Rscript", HERE / "mice.R", before, after, m, iterations, SEED % 10**6 + 10**6 * design.number]
        run = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(run.stderr)
        print(run.stdout.strip(), flush=True)
        completed = pd.read_csv(after)
    first = next(iter(studies.values()))
    for name in first:
        completed[name] = completed[name].astype(first[name].dtype)
    return {
        number: [
            rows.drop(columns=["replication", "imputation"]).reset_index(drop=True)
            for _, rows in sets.groupby("imputation")
        ]
        for number, sets in completed.groupby("replication")
    }


def done(path: Path, design: Design) -> set[int]:
    """The replications in the file; what a stopped run left half written is taken out."""
    if not path.exists():
        return set()
    rows = pd.read_csv(path, keep_default_na=False)
    sizes = rows["replication"].value_counts()
    whole = set(sizes.index[sizes == len(design.truth) + 1])
    if len(whole) < len(sizes):
        rows[rows["replication"].isin(whole)].to_csv(path, index=False)
    return {int(number) for number in whole}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--design", choices=DESIGNS, required=True)
    parser.add_argument("--engines", nargs="+", required=True, help=f"{', '.join([*SINGLE, 'mice', *ENGINES])}")
    parser.add_argument("--replications", type=int, default=300)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--m", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--processes", type=int, choices=(1, 2), default=1)
    parser.add_argument("--chunk", type=int, default=20, help="replications between two additions to a file")
    parser.add_argument("--presets", type=json.loads, default={}, help="further presets of forest: {name: changes}")
    given = parser.parse_args()

    design, folder = DESIGNS[given.design], given.folder / given.design
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"m": given.m, "iterations": given.iterations, "seed": SEED}
    record = given.folder / "settings.json"
    if record.exists() and json.loads(record.read_text()) != settings:
        parser.error(f"{given.folder} holds replications with other settings: {record.read_text()}")
    record.write_text(json.dumps(settings))
    presets = {
        name: {**forest.PRESETS[changes.pop("base", "stumps")], **changes} for name, changes in given.presets.items()
    }
    unknown = set(given.engines) - {*SINGLE, "mice", *ENGINES, *presets}
    if unknown:
        parser.error(f"unknown engines: {', '.join(sorted(unknown))}")

    with get_context("spawn").Pool(given.processes) as pool:
        for engine in given.engines:
            path = folder / f"{engine}.csv"
            left = sorted(set(range(1, given.replications + 1)) - done(path, design))
            chunks = [left[start : start + given.chunk] for start in range(0, len(left), given.chunk)]
            work = partial(
                _numbered, engine=engine, design=design, m=given.m, iterations=given.iterations, presets=presets
            )
            for rows in pool.imap_unordered(work, chunks):
                rows.to_csv(path, mode="a", header=not path.exists(), index=False)
                print(given.design, engine, len(done(path, design)), "replications", flush=True)


def _numbered(numbers: list[int], **arguments) -> pd.DataFrame:
    return simulated(numbers=numbers, **arguments)


if __name__ == "__main__":
    main()

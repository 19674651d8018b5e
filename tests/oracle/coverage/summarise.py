"""Bias, standard errors, coverage and width of every engine, from the replications that simulate.py has stored.

    python tests/oracle/coverage/summarise.py --folders M5 M20 --results tests/oracle/coverage/results.csv

Measures and their Monte Carlo standard errors are those of Morris, White & Crowther (2019, Statistics in Medicine 38,
2074-2102, table 6); the paired difference and the ratio of widths are taken over the replications that both have.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from designs import DESIGNS, Design
from simulate import CORRELATION, ENGINES, SINGLE

OVERALL = "all coefficients of incomplete variables"
REFERENCE, RIVAL = "complete", "mice"
COLUMNS = [
    "design",
    "m",
    "iterations",
    "engine",
    "term",
    "replications",
    "failed",
    "bias",
    "bias_mcse",
    "difference",
    "difference_mcse",
    "se_ratio",
    "se_ratio_mcse",
    "coverage",
    "coverage_mcse",
    "width",
    "width_to_mice",
    "width_to_mice_mcse",
]


def summarised(design: Design, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """A row per engine and term; tables: the stored rows of each engine.

    bias: mean estimate minus truth; difference: from the estimate in the complete data of the same replication;
    se_ratio: mean standard error over the standard deviation of the estimates; width: mean width of the 95% interval.
    The correlation has its difference alone. The row of all coefficients of incomplete variables has the mean coverage
    and the mean width over these; its Monte Carlo error takes replications, not intervals, as independent.
    """
    wide = {
        engine: {
            quantity: _by_term(values, quantity) for quantity in ("estimate", "std_error", "conf_low", "conf_high")
        }
        | {"failed": values.loc[values["reason"] != "", "replication"].nunique()}
        for engine, values in tables.items()
    }
    rows = []
    for engine in tables:
        for term in [*design.truth, OVERALL, CORRELATION]:
            rows.append({"engine": engine, "term": term} | _row(design, wide, engine, term))
    return pd.DataFrame(rows)


def _by_term(rows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """A row per replication that has estimates, a column per term."""
    table = {term: own.set_index("replication")[quantity] for term, own in rows.groupby("term")}
    return pd.DataFrame(table).dropna(how="all")


def _row(design: Design, wide: dict[str, dict], engine: str, term: str) -> dict[str, float]:
    own = wide[engine]
    count = len(own["conf_low"])
    row = {"replications": count, "failed": own["failed"]}
    if term == CORRELATION:
        return row | _paired(wide, engine, term)
    terms = design.of_incomplete if term == OVERALL else [term]
    truth = pd.Series(design.truth)[terms]
    held = ((own["conf_low"][terms] <= truth) & (truth <= own["conf_high"][terms])).mean(axis=1)
    width = _width(own, terms)
    row |= {"coverage": held.mean(), "width": width.mean()}
    if term == OVERALL:
        row["coverage_mcse"] = held.std() / np.sqrt(count)
    else:
        estimates, errors = own["estimate"][term], own["std_error"][term]
        ratio = errors.mean() / estimates.std()
        # That of coverage at (held + 2)/(count + 4), or coverage of 100% would be thought known without error.
        adjusted = (held.sum() + 2) / (count + 4)
        row |= {
            "bias": estimates.mean() - truth[term],
            "bias_mcse": estimates.std() / np.sqrt(count),
            "se_ratio": ratio,
            "se_ratio_mcse": ratio * np.sqrt(errors.var() / errors.mean() ** 2 / count + 1 / (2 * (count - 1))),
            "coverage_mcse": np.sqrt(adjusted * (1 - adjusted) / (count + 4)),
        } | _paired(wide, engine, term)
    if RIVAL in wide:
        row |= _ratio(width, _width(wide[RIVAL], terms))
    return row


def _paired(wide: dict[str, dict], engine: str, term: str) -> dict[str, float]:
    estimates = wide[engine]["estimate"]
    if REFERENCE not in wide or term not in estimates:
        return {}
    difference = (estimates[term] - wide[REFERENCE]["estimate"][term]).dropna()
    return {"difference": difference.mean(), "difference_mcse": difference.std() / np.sqrt(len(difference))}


def _width(of: dict[str, pd.DataFrame], terms: list[str]) -> pd.Series:
    return (of["conf_high"][terms] - of["conf_low"][terms]).mean(axis=1)


def _ratio(width: pd.Series, of_rival: pd.Series) -> dict[str, float]:
    both = pd.concat([width, of_rival], axis=1, join="inner")
    if len(both) < 2:
        return {}
    ratio = both[0].mean() / both[1].mean()
    residual = both[0] - ratio * both[1]
    return {
        "width_to_mice": ratio,
        "width_to_mice_mcse": residual.std() / both[1].mean() / np.sqrt(len(both)),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folders", type=Path, nargs="+", required=True)
    parser.add_argument("--results", type=Path, required=True)
    given = parser.parse_args()
    tables = []
    for folder in given.folders:
        settings = json.loads((folder / "settings.json").read_text())
        for name, design in DESIGNS.items():
            order = [*SINGLE, RIVAL, *ENGINES]
            files = {path.stem: path for path in sorted((folder / name).glob("*.csv"))}
            engines = [e for e in order if e in files] + [e for e in files if e not in order]
            stored = {engine: pd.read_csv(files[engine], keep_default_na=False) for engine in engines}
            numbers = ["estimate", "std_error", "conf_low", "conf_high"]
            for rows in stored.values():
                rows[numbers] = rows[numbers].apply(pd.to_numeric)
            if stored:
                tables.append(
                    summarised(design, stored).assign(design=name, m=settings["m"], iterations=settings["iterations"])
                )
    pd.concat(tables).reindex(columns=COLUMNS).round(4).to_csv(given.results, index=False)


if __name__ == "__main__":
    main()

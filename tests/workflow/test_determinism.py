"""The same bytes whatever the number of cores, the hash seed of Python, the time zone, the language and the batches."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.xdist_group("tiny study")

# Times and machine use differ between runs, and are not results.
NOT_RESULTS = ("audit/logs/", "audit/benchmarks/")


def contents(results: Path) -> dict[str, bytes]:
    files = {path.relative_to(results).as_posix(): path.read_bytes() for path in results.rglob("*") if path.is_file()}
    return {name: content for name, content in files.items() if not name.startswith(NOT_RESULTS)}


def differing(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def imputed_sets(results: Path) -> pd.DataFrame:
    paths = sorted((results / "restricted" / "imputed" / "main").iterdir())
    return pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)


def test_one_core_and_two_give_the_same_bytes(finished, new_study, tmp_path):
    study = new_study(tmp_path / "a folder with another name")
    study.finish(cores=2, PYTHONHASHSEED="2", TZ="Asia/Kathmandu", LANG="de_DE.UTF-8", LC_ALL="C")
    one, two = contents(finished.results), contents(study.results)
    expected = {
        "aggregate/report.html",
        "aggregate/figures/forest.png",
        "restricted/imputed/main/003-004.parquet",
        "restricted/imputed/chained/001-002.parquet",
        "restricted/imputed/weight_plus_10/001-002.parquet",
    }
    assert expected <= set(one), "files that must be compared are not there"
    assert differing(one, two) == []


def test_batches_make_no_difference(finished, tmp_path):
    in_ones = finished.copied_to(tmp_path / "study")
    for folder in ("restricted/imputed/main", "aggregate/pooled/main"):
        shutil.rmtree(in_ones.results / folder)
    in_ones.edit(lambda config: config["imputation"].update(batch=1))
    in_ones.finish(*[f"results/aggregate/pooled/main/{model}.csv" for model in ("t1", "t2")])
    assert len(list((in_ones.results / "restricted" / "imputed" / "main").iterdir())) == 4
    pd.testing.assert_frame_equal(imputed_sets(in_ones.results), imputed_sets(finished.results), check_exact=True)
    pooled = {f"aggregate/pooled/main/{name}.csv" for name in ("t1", "t1_stability", "t2", "t2_stability")}
    assert pooled <= set(contents(in_ones.results))
    assert pooled.isdisjoint(differing(contents(in_ones.results), contents(finished.results)))


def test_the_synthetic_extract_is_cleaned_to_the_same_bytes(study_of_the_repository, tmp_path):
    runs = []
    for hash_seed in ("1", "2"):
        study = study_of_the_repository("config.yaml", tmp_path / hash_seed)
        study.finish("--until", "clean_data", PYTHONHASHSEED=hash_seed)
        runs.append(contents(study.results))
    assert {"restricted/synthetic/index.sav", "restricted/cleaned.parquet"} <= set(runs[0])
    assert differing(*runs) == []

"""Bad input ends in one clear message: no traceback, no identifier of a person, no tables and no report.

The study has two files, a questionnaire with three items, and identifiers that occur nowhere else.
"""

import csv
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.xdist_group("bad input")

IDENTIFIER = "q7-{:03d}-kz"
INSTRUMENT = {
    "name": "mood",
    "title": "Three items on mood",
    "administrations": {"t1": {"file": "moods", "items": "mood_{}"}},
    "items": "1-3",
    "range": [0, 3],
    "reversed": [],
    "proration": {"max_missing_share": 0.34},
    "scales": {"total": {"label": "Total", "method": "sum", "items": "1-3"}},
    "source": "Made up for this test.",
}
HOW_MANY = 120


def write_rows(path: Path, rows: list[dict]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def edit_rows(path: Path, change: Callable[[list[dict]], object]) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    change(rows)
    write_rows(path, rows)


def set_all(column: str, value: object) -> Callable[[list[dict]], None]:
    def change(rows: list[dict]) -> None:
        for row in rows:
            row[column] = value

    return change


@pytest.fixture
def study(new_study, tmp_path):
    """A study without a fault."""
    study = new_study(tmp_path / "study")
    (study.folder / "births.dta").unlink()
    births = [
        {"id": IDENTIFIER.format(n), "low": n % 3 // 2, "age": 18 + n % 23, "lwt": 90 + n % 71, "race": n % 3 + 1}
        | {"smoke": n % 2, "ptl": n % 5 // 4, "ht": n % 11 // 10, "ui": n % 7 // 6, "ftv": n % 4}
        for n in range(HOW_MANY)
    ]
    moods = [{"id": row["id"], **{f"mood_{i}": (n * i) % 4 for i in (1, 2, 3)}} for n, row in enumerate(births)]
    write_rows(study.folder / "births.csv", births)
    write_rows(study.folder / "moods.csv", moods)

    def describe(book: dict) -> None:
        book["files"]["moods"] = {"id": "id", "columns": {}}
        book["variables"]["mood"] = {"label": "Mood", "score": {"instrument": "mood", "scale": "total"}}

    study.edit(describe, "codebook/variables.yaml")
    (study.folder / "codebook" / "instruments").mkdir()
    (study.folder / "codebook" / "instruments" / "mood.yaml").write_text(yaml.safe_dump(INSTRUMENT), "utf-8")
    study.edit(lambda config: config["extract"].update(files={"births": "births.csv", "moods": "moods.csv"}))
    study.edit(lambda config: config["models"]["t1"]["terms"].append("mood"))
    study.edit(lambda config: config["imputation"]["variables"].append("mood"))
    return study


def assert_stopped_well(study, *sentences: str, most_lines: int | None = None) -> None:
    """That a run fails with these sentences, and without a traceback, an identifier, a table or a report."""
    done = study.run(cores=1)  # so that what runs before the fault is found does not depend on the clock
    said = re.sub(r"\s+", " ", done.stdout)
    assert done.returncode != 0, done.stdout
    for sentence in sentences:
        assert sentence in said, done.stdout
    assert "Traceback" not in done.stdout
    assert "a defect of the workflow" not in done.stdout
    identifier = re.compile(IDENTIFIER.replace("{:03d}", r"\d+"))
    written = [path for place in (study.results, study.folder / ".snakemake") for path in place.rglob("*")]
    outside = [path for path in written if path.is_file() and study.results / "restricted" not in path.parents]
    assert not identifier.search(done.stdout)
    assert [path for path in outside if identifier.search(path.read_text("utf-8", errors="replace"))] == []
    assert not list(study.results.glob("aggregate/tables/*"))
    assert not list(study.results.glob("**/report*"))
    if most_lines is not None:
        assert len(done.stdout.splitlines()) <= most_lines, done.stdout


def test_the_study_without_a_fault_passes_all_checks(study):
    study.finish("--until", "check_model")
    assert len(list((study.results / "aggregate" / "checks").glob("*.csv"))) == 2


# Faults of the config and the codebook: said before any job runs, in a few lines.


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(
            lambda config: config["extract"]["files"].update(births="brths.csv"),
            "extract.files.births: there is no file 'brths.csv'. Paths are relative to the folder of the config file",
            id="missing file",
        ),
        pytest.param(
            lambda config: config["models"]["t1"]["terms"].append("smoking"),
            "models.t1.terms: 'smoking' is not a variable of the codebook; did you mean 'smoke'?",
            id="term not in the codebook",
        ),
        pytest.param(
            lambda config: config["imputation"].update(m=0),
            "imputation.m: found 0; allowed: 2 or more",
            id="no imputations",
        ),
        pytest.param(
            lambda config: config["imputation"].update(iteration=5),
            "imputation.iteration: unknown key; did you mean 'iterations'?",
            id="unknown key",
        ),
        pytest.param(
            lambda config: config.update(comparison=config.pop("comparisons")),
            "comparison: unknown key; did you mean 'comparisons'?",
            id="unknown key at the top",
        ),
    ],
)
def test_faults_of_the_config(study, change, sentence):
    study.edit(change)
    assert_stopped_well(study, sentence, most_lines=20)
    assert not study.results.exists()


def test_all_faults_of_a_config_are_said_at_once(study):
    study.edit(lambda config: config["imputation"].update(m=0, iteration=5))
    assert_stopped_well(study, "2 faults", "imputation.m: found 0", "imputation.iteration: unknown key", most_lines=20)


@pytest.mark.parametrize("file", ["config.yaml", "codebook/variables.yaml"])
def test_a_key_that_stands_twice(study, file):
    path = study.folder / file
    last = list(yaml.safe_load(path.read_text("utf-8")))[-1]
    with path.open("a", encoding="utf-8") as document:
        document.write(f"{last}: {{}}\n")
    assert_stopped_well(study, f"is not valid YAML: the key '{last}' stands twice", most_lines=20)
    assert not study.results.exists()


# Faults of the files.


def test_a_sav_that_is_not_one(study):
    shutil.copy(study.folder / "births.csv", study.folder / "births.sav")
    study.edit(lambda config: config["extract"]["files"].update(births="births.sav"))
    assert_stopped_well(study, "births.sav: not a complete SPSS .sav file")


def test_a_wrong_name_of_the_id(study):
    study.edit(lambda book: book["files"]["births"].update(id="ids"), "codebook/variables.yaml")
    assert_stopped_well(
        study, "births.csv: no id column 'ids'; nearest column names: 'id'", "Correct the `id` of this file"
    )


@pytest.mark.parametrize(
    ("file", "change", "sentence"),
    [
        pytest.param(
            "births.csv",
            lambda rows: rows.extend([rows[3], rows[3], rows[8]]),
            "births.csv, id: 5 rows with the id of another row",
            id="duplicate ids",
        ),
        pytest.param(
            "births.csv",
            lambda rows: [row.update(race=7) for row in rows[:4]],
            "births.csv, race: 4 rows with a code that the codebook does not have (7)",
            id="unknown code",
        ),
        pytest.param(
            "moods.csv",
            lambda rows: [row.update(mood_2=4) for row in rows[5:8]],
            "moods.csv, mood_2: 3 rows outside 0 to 3",
            id="item out of range",
        ),
        pytest.param(
            "moods.csv",
            lambda rows: [row.update(id=row["id"].replace("q7", "q8")) for row in rows[:6]],
            "moods.csv: 6 ids not in births",
            id="ids that do not match",
        ),
    ],
)
def test_files_that_do_not_agree_with_the_codebook(study, file, change, sentence):
    edit_rows(study.folder / file, change)
    assert_stopped_well(study, "The extract does not agree with the codebook: 1 fault", sentence)
    assert not (study.results / "restricted" / "cleaned.parquet").exists()


def test_all_faults_of_the_files_are_said_at_once(study):
    edit_rows(study.folder / "births.csv", lambda rows: rows[0].update(race=7, lwt=4000))
    edit_rows(study.folder / "moods.csv", lambda rows: rows[0].update(mood_1=9))
    assert_stopped_well(study, "3 faults", "births.csv, race: 1", "births.csv, lwt: 1", "moods.csv, mood_1: 1")


# Faults of a model.


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        pytest.param(
            "smoke",
            1,
            "the covariate smoke is constant: its 120 known values, in 120 rows with a known outcome, are all the same",
            id="constant covariate",
        ),
        pytest.param(
            "ui", 0, "the outcome ui has no events in the 120 rows where it is known", id="outcome without events"
        ),
    ],
)
def test_models_that_cannot_be_fitted(study, column, value, sentence):
    edit_rows(study.folder / "births.csv", set_all(column, value))
    # Both models may have the fault; whichever check comes first stops the run.
    assert_stopped_well(study, ": 1 fault", sentence)

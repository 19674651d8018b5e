"""The decisions of an analysis: their shape, and how they are held against the codebook."""

import copy
from pathlib import Path

import pytest
import yaml

from esmi import codebook, consistency, settings
from esmi.errors import ResearchError

ROOT = Path(__file__).parents[2]

VARIABLES = """
files:
  record: {id: person, columns: {age: {range: [14, 55]}, nation: {codes: {1: England, 2: Wales}}, icd: {text: true}}}
  later: {id: person, columns: {back: {codes: {0: "No", 1: "Yes"}}}}
variables:
  age: {label: Age, copy: record.age}
  nation: {label: N, recode: {of: record.nation, to: {england: [1], wales: [2]}}, levels: {england: E, wales: W}}
  group: {label: G, bands: {of: age, start: {a: 14, b: 25, c: 35}}, levels: {a: A, b: B, c: C}}
  disorder: {label: D, icd10: {columns: [record.icd], ranges: [F60]}}
  back: {label: B, recode: {of: later.back, to: {no: [0], yes: [1]}}}
"""

CONFIG = """
study: {name: S, title: A study, seed: 1}
extract: {spine: record, files: {record: data/record.sav, later: data/later.dta}}
codebook: codebook
population: [{label: In England, variable: nation, is: [england]}, {label: Age known, variable: age, known: true}]
outcomes: [disorder, back]
comparisons: {one: {title: By disorder, by: disorder, variables: {First: [age, group], Second: [nation]}}}
models: {one: {title: Disorder, outcome: disorder, role: primary, terms: [age, nation]}}
imputation: {variables: [nation, disorder, age]}
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = tmp_path_factory.mktemp("codebook")
    (folder / "variables.yaml").write_text(VARIABLES, encoding="utf-8")
    return codebook.load(folder)


def config(**changes):
    """The sound config with other values at dotted paths (`__` for the dot)."""
    document = yaml.safe_load(CONFIG)
    for path, value in changes.items():
        *parents, last = path.split("__")
        here = document
        for part in parents:
            here = here.setdefault(part, {})
        here[last] = copy.deepcopy(value)
    return document


def load(folder, document):
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return settings.load(path)


def faults_of(folder, book, **changes):
    with pytest.raises(ResearchError) as raised:
        consistency.check(load(folder, config(**changes)), book, folder / "config.yaml")
    title, *lines = str(raised.value).splitlines()
    assert title == f"{folder / 'config.yaml'}: {len(lines)} fault{'s' * (len(lines) > 1)}"
    return [line.removeprefix("  - ") for line in lines]


@pytest.mark.parametrize(
    "path", ["config.yaml", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("studies/*/config*.yaml"))]
)
def test_the_shipped_studies_are_sound(path):
    study = settings.load(ROOT / path)
    consistency.check(study, codebook.load((ROOT / path).parent / study.codebook), ROOT / path)


def test_both_configs_of_the_second_study_are_there():
    assert {p.name for p in (ROOT / "studies" / "birthwt").glob("config*.yaml")} == {
        "config.yaml",
        "config_missing.yaml",
    }


def test_a_sound_config_and_its_defaults(tmp_path, book):
    study = load(tmp_path, config())
    consistency.check(study, book, tmp_path / "config.yaml")
    assert study.variables == ["age", "disorder", "nation"]
    assert study.comparisons["one"].names == ["age", "group", "nation"]
    assert study.population[0].levels == ["england"]
    assert (study.imputation.m, study.imputation.batch, study.inference.level) == (50, 10, 0.95)


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("studdy", {}, "studdy: unknown key; did you mean 'study'?"),
        ("imputation__engin", "forest", "imputation.engin: unknown key; did you mean 'engine'?"),
        ("models__one__term", ["age"], "models.one.term: unknown key; did you mean 'terms'?"),
        ("study__seed", -1, "study.seed: found -1; allowed: 0 or more"),
        ("study__seed", "x", "study.seed: found 'x'; allowed: a whole number"),
        ("study__seed", 2**32, "study.seed: found 4294967296; allowed: less than 4294967296"),
        ("study__name", 5, "study.name: found 5; allowed: a text, in quotation marks"),
        ("extract__files", {}, "extract.files: found a mapping; allowed: 1 or more entries"),
        ("outcomes", [], "outcomes: found an empty list; allowed: 1 or more entries"),
        ("outcomes", "back", "outcomes: found 'back'; allowed: a list, written [a, b]"),
        ("models", {}, "models: found a mapping; allowed: 1 or more entries"),
        ("models__one__terms", [], "models.one.terms: found an empty list; allowed: 1 or more entries"),
        (
            "models__one__role",
            "main",
            "models.one.role: found 'main'; allowed: 'primary', 'secondary', 'exploratory' or 'sensitivity'",
        ),
        ("imputation__m", 0, "imputation.m: found 0; allowed: 2 or more"),
        ("imputation__m", "fifty", "imputation.m: found 'fifty'; allowed: a whole number"),
        ("imputation__batch", 0, "imputation.batch: found 0; allowed: 1 or more"),
        ("imputation__engine", "mice", "imputation.engine: found 'mice'; allowed: 'forest'"),
        ("inference__level", 95, "inference.level: found 95; allowed: less than 1"),
        ("inference__level", 0.5, "inference.level: found 0.5; allowed: more than 0.5"),
        ("inference__df", "br", "inference.df: found 'br'; allowed: 'barnard-rubin' or 'large-sample'"),
        (
            "population",
            [{"label": "x", "variable": "age"}],
            "population.entry 1: say exactly one of is (a list of levels)",
        ),
        (
            "population",
            [{"label": "x", "variable": "nation", "is": ["wales"], "known": True}],
            "population.entry 1: say exactly one of is (a list of levels) or known: true",
        ),
        (
            "population",
            [{"label": "x", "variable": "age", "iss": []}],
            "population.entry 1.iss: unknown key; did you mean",
        ),
    ],
)
def test_a_fault_of_shape(tmp_path, path, value, fault):
    with pytest.raises(ResearchError) as raised:
        load(tmp_path, config(**{path: value}))
    assert f"  - {fault}" in str(raised.value)
    assert str(raised.value).startswith(f"{tmp_path / 'config.yaml'}: 1 fault\n")


KNOWN = "known here: age, back, disorder, group, nation"


@pytest.mark.parametrize(
    ("path", "value", "faults"),
    [
        ("extract__spine", "recrd", ["extract.spine: 'recrd' is not one of the files; did you mean 'record'?"]),
        (
            "extract__files",
            {"record": "a.sav", "latre": "b.sav"},
            [
                "extract.files.latre: the codebook describes no file 'latre'; did you mean 'later'?",
                "extract.files: the codebook describes the file 'later', and no path is given for it",
            ],
        ),
        (
            "population",
            [{"label": "x", "variable": "natoin", "is": ["england"]}],
            ["population.entry 1: 'natoin' is not a variable of the codebook; did you mean 'nation'?"],
        ),
        (
            "population",
            [{"label": "x", "variable": "age", "known": True}, {"label": "y", "variable": "nation", "is": ["walse"]}],
            ["population.entry 2: 'walse' is not a level of nation; did you mean 'wales'?"],
        ),
        (
            "population",
            [{"label": "x", "variable": "age", "is": ["a", "b"]}],
            ["population.entry 1: 'age' is a number and has no levels; only known: true can be said of it"],
        ),
        (
            "outcomes",
            ["disorder", "disorder", "group", "bakc"],
            [
                "outcomes: 'bakc' is not a variable of the codebook; did you mean 'back'?",
                "outcomes: 'disorder' stands there more than once",
                "outcomes: 'group' is not a yes/no variable",
            ],
        ),
        ("comparisons__one__by", "zzz", [f"comparisons.one.by: 'zzz' is not a variable of the codebook; {KNOWN}"]),
        (
            "comparisons__one__by",
            "group",
            [
                "comparisons.one.by: 'group' does not have two levels",
                "comparisons.one.variables: 'group' is what the groups are made by",
            ],
        ),
        (
            "comparisons__one__variables",
            {"A": ["age", "zzz"], "B": ["age"]},
            [
                f"comparisons.one.variables: 'zzz' is not a variable of the codebook; {KNOWN}",
                "comparisons.one.variables: 'age' stands there more than once",
            ],
        ),
        (
            "models__one__terms",
            ["age", "age", "aeg", "disorder", "back", "group"],
            [
                "models.one.terms: 'aeg' is not a variable of the codebook; did you mean 'age'?",
                "models.one.terms: 'age' stands there more than once",
                "models.one.terms: 'disorder' is the outcome of this model",
                "models.one.terms: 'back' is among the outcomes, which are never imputed, and a term must be: take it "
                "out of the one or the other",
                "models.one: 'back' is not in imputation.variables. An imputation model that leaves out a variable of "
                "the analysis biases its effect towards nothing: add it there",
                "models.one: 'group' is not in imputation.variables. An imputation model that leaves out a variable of "
                "the analysis biases its effect towards nothing: add it there",
            ],
        ),
        (
            "models__one__outcome",
            "nation",
            [
                "models.one.outcome: 'nation' is not among the outcomes; known here: back, disorder",
                "models.one.terms: 'nation' is the outcome of this model",
            ],
        ),
        (
            "imputation__variables",
            ["nation", "disorder", "age", "age", "zzz"],
            [
                f"imputation.variables: 'zzz' is not a variable of the codebook; {KNOWN}",
                "imputation.variables: 'age' stands there more than once",
            ],
        ),
    ],
)
def test_a_fault_against_the_codebook(tmp_path, book, path, value, faults):
    assert faults_of(tmp_path, book, **{path: value}) == faults


def test_faults_of_all_parts_come_at_once(tmp_path, book):
    found = faults_of(tmp_path, book, extract__spine="x", outcomes=["disorder", "age"], models__one__terms=["age", "x"])
    assert [fault.split(":")[0] for fault in found] == [
        "extract.spine",
        "outcomes",
        "models.one.terms",
        "models.one.terms",
    ]


def test_a_raw_file_is_found_by_the_config_file_and_never_by_where_one_stands(tmp_path, monkeypatch):
    study = load(tmp_path, config())
    with pytest.raises(
        ResearchError, match=r"extract.files.record: there is no file 'data/record.sav'. Paths are relative"
    ):
        settings.raw_path(study, tmp_path / "config.yaml", "record")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "record.sav").touch()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = settings.raw_path(study, tmp_path / "config.yaml", "record")
    assert found.resolve() == (tmp_path / "data" / "record.sav").resolve()


def test_an_absolute_path_stands_as_it_is_and_a_synthetic_file_is_made_under_results(tmp_path):
    (tmp_path / "far.sav").touch()
    study = load(tmp_path, config(extract__files__record=str(tmp_path / "far.sav")))
    assert settings.raw_path(study, Path("/nowhere/config.yaml"), "record") == tmp_path / "far.sav"
    study = load(tmp_path, config(extract__synthetic="synthetic.yaml"))
    assert settings.raw_path(study, tmp_path / "config.yaml", "later") == Path("results/restricted/synthetic/later.dta")

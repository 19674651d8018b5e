"""A codebook's forms, their cross-checks and messages, and what of it decides values."""

import copy
import re
from pathlib import Path

import pytest
import yaml

from esmi import codebook
from esmi.canonical import canonical, from_canonical
from esmi.codebook import Codebook
from esmi.errors import ResearchError
from esmi.variables import Variable

ROOT = Path(__file__).parents[2]

VARIABLES = """
files:
  record:
    id: person
    columns:
      age: {label: Age, range: [14, 55], missing: {-9: Not recorded}}
      nation: {label: Nation, codes: {1: England, 2: Wales}, missing: {9: Unknown}}
      imd: {range: [1, 10]}
      wimd: {range: [1, 10]}
      icd: {text: true}
      grade: {codes: {a: A, b: B}}
variables:
  age: {label: Age, unit: years, copy: record.age}
  nation:
    label: Nation
    recode: {of: record.nation, to: {england: [1], wales: [2]}}
    levels: {england: England, wales: Wales}
  decile: {label: Decile, choose: {by: record.nation, columns: {1: record.imd, 2: record.wimd}}}
  deprivation:
    label: Deprivation
    bands: {of: decile, start: {most: 1, middle: 3, least: 6}}
    levels: {most: Most, middle: Middle, least: Least}
    ordered: true
    reference: least
  older: {label: Older, at_least: {of: age, value: 40}}
  twenties: {label: Twenties, in_range: {of: age, low: 20, high: 29}}
  disorder: {label: Disorder, icd10: {columns: [record.icd], ranges: [F60-F61, F20]}}
  either: {label: Either, any_of: [older, disorder]}
  both: {label: Both, all_of: [older, disorder]}
  total: {label: Total, score: {instrument: small, scale: total}}
  high: {label: High, score: {instrument: small, scale: total, cut_off: high}}
"""

SMALL = """
name: small
title: Small
administrations: {t1: {file: record, items: "small_{}"}, t2: {file: record, items: "later_{}"}}
items: "1-4"
range: [0, 3]
missing: {9: Unknown, 8: Refused}
reversed: [2]
proration: {max_missing_share: 0.5}
scales: {total: {label: Total, items: "1-4"}, first: {label: First, items: [1, 2]}}
default_cut_off_set: print
cut_off_sets: {print: {source: print, below: low, scales: {total: {high: 3}}}}
source: made for the test
"""


def declared():
    return yaml.safe_load(VARIABLES)


def small():
    return yaml.safe_load(SMALL)


def changed(document, path, value):
    """The document with the value at a dotted path, which may be new; without that key where the value is None."""
    document = copy.deepcopy(document)
    *parents, last = path.split(".")
    here = document
    for part in parents:
        here = here[part]
    if value is None:
        del here[last]
    else:
        here[last] = value
    return document


def load(folder, variables=None, instrument=None, name="small"):
    (folder / "instruments").mkdir(exist_ok=True)
    for path, document in (
        (folder / "variables.yaml", variables or declared()),
        (folder / "instruments" / f"{name}.yaml", instrument or small()),
    ):
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return codebook.load(folder)


def faults_of(folder, **files):
    with pytest.raises(ResearchError) as raised:
        load(folder, **files)
    return str(raised.value)


@pytest.fixture
def book(tmp_path):
    return load(tmp_path)


# --- the shipped codebooks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["codebook", "studies/birthwt/codebook"])
def test_the_shipped_codebooks_are_sound(folder):
    book = codebook.load(ROOT / folder)
    assert book.order()
    assert all(book.words(name).label for name in book.variables)


# --- faults ----------------------------------------------------------------------------------------------------------

FORMS = "copy, recode, bands, choose, score, at_least, in_range, icd10, any_of, all_of"


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        # columns
        ("files.record.id", None, "files.record.id: this key is needed and is not there"),
        ("files.record.columns.age.lable", "x", "files.record.columns.age.lable: unknown key; did you mean 'label'?"),
        (
            "files.record.columns.age.range",
            None,
            "columns.age: say exactly one of codes (a category), range (a number)",
        ),
        ("files.record.columns.age.codes", {1: "One"}, "columns.age: say exactly one of codes"),
        ("files.record.columns.icd.text", False, "columns.icd: say exactly one of codes"),
        ("files.record.columns.age.range", [55, 14], "columns.age: range runs from 55 to 14: lowest first"),
        ("files.record.columns.age.range", [14], "columns.age.range: found a list; allowed: a list with more entries"),
        ("files.record.columns.nation.missing", {2: "x"}, "columns.nation: code 2 is both a code and a missing code"),
        ("files.record.columns.nation.codes", {1: 2}, "columns.nation.codes.1: found 2; allowed: a text, in quotation"),
        ("files.record.columns.person", {"text": True}, "files.record: the column 'person' is the id"),
        ("files.record.columns.small_1", {"text": True}, "files.record: the column 'small_1' is described twice"),
        # a variable's form and levels
        ("variables.Age", {"label": "A", "copy": "record.age"}, "variables.Age: found 'Age'; allowed: up to 32 lower"),
        ("variables.n", {"label": "N", "copy": "record.age"}, "variables.n: choose another name; id, imputation"),
        ("variables.age.copy", None, f"variables.age: say exactly one of {FORMS}; found none"),
        ("variables.age.any_of", ["older"], f"variables.age: say exactly one of {FORMS}; found copy and any_of"),
        ("variables.age.copi", "x", "variables.age.copi: unknown key; did you mean 'copy'?"),
        ("variables.age.levels", {"a": "A"}, "variables.age: levels are for categories; 'copy' gives a number"),
        (
            "variables.nation.levels",
            {"england": "E", "wale": "W"},
            "variables.nation: levels are england, wale; 'recode' gives england, wales",
        ),
        ("variables.nation.levels", None, "variables.nation: levels is needed: a label for each of england, wales"),
        (
            "variables.nation.reference",
            "walse",
            "variables.nation: reference 'walse' is not a level; did you mean 'wales'?",
        ),
        ("variables.age.reference", "young", "variables.age: reference 'young' is not a level"),
        ("variables.nation.ordered", True, "variables.nation: ordered is for categories with three levels or more"),
        ("variables.age.ordered", True, "variables.age: ordered is for categories with three levels or more"),
        (
            "variables.deprivation.reference",
            "middle",
            "variables.deprivation: reference 'middle' must be the first or the last level of an ordered variable",
        ),
        (
            "variables.deprivation.levels",
            {"middle": "M", "most": "M", "least": "L"},
            "variables.deprivation: levels of an ordered variable are in the order of its bands, most, middle, least",
        ),
        # copy
        ("variables.age.copy", "record.aeg", "variables.age.copy: 'record.aeg' is not a column of the codebook"),
        ("variables.age.copy", "record.aeg", "did you mean 'record.age'?"),
        (
            "variables.age.copy",
            "oldr",
            "variables.age.copy: 'oldr' is not a variable of the codebook; did you mean 'older'?",
        ),
        ("variables.age.copy", "record.icd", "variables.age.copy: 'record.icd' is not a column of numbers"),
        ("variables.age.copy", "record.grade", "variables.age.copy: 'record.grade' is not a column of numbers"),
        ("variables.age.copy", "nation", "variables.age.copy: 'nation' is not a number"),
        # recode
        ("variables.nation.recode.of", "record.age", "nation.recode: 'record.age' has no codes in the codebook"),
        ("variables.nation.recode.of", "age", "nation.recode: 'age' is not a column of the codebook (file.column)"),
        (
            "variables.nation.recode.to",
            {"england": [1], "wales": []},
            "variables.nation.recode: code 2 of record.nation goes nowhere: add it to a level or to missing",
        ),
        (
            "variables.nation.recode.to",
            {"england": [1], "wales": [2, 3, "2"]},
            "variables.nation.recode: code 3, '2' is not a code of record.nation; its codes are 1, 2",
        ),
        ("variables.nation.recode.missing", [1], "variables.nation.recode: code 1 goes to two places"),
        ("variables.nation.recode.to", {"england": [1, 2]}, "nation.recode.to: found a mapping; allowed: 2 or more"),
        ("variables.nation.recode.to", {"england": 1, "wales": 2}, "recode.to.wales: found 2; allowed: a list"),
        ("variables.nation.recode.to", {"england": [True], "wales": [2]}, "to.england.entry 1: found true; allowed: a"),
        # bands
        ("variables.deprivation.bands.of", "nation", "variables.deprivation.bands: 'nation' is not a number"),
        (
            "variables.deprivation.bands.start",
            {"most": 3, "middle": 1, "least": 6},
            "variables.deprivation.bands: the values at which the bands start must rise from one level to the next",
        ),
        (
            "variables.deprivation.bands.start",
            {"most": 1, "middle": 1, "least": 6},
            "variables.deprivation.bands: the values at which the bands start must rise",
        ),
        # choose
        ("variables.decile.choose.by", "nation", "decile.choose: 'nation' is not a column of the codebook"),
        ("variables.decile.choose.by", "record.age", "decile.choose: 'record.age' has no codes in the codebook"),
        ("variables.decile.choose.columns", {1: "record.imd"}, "code 2 of record.nation has no column here"),
        (
            "variables.decile.choose.columns",
            {1: "record.imd", 2: "record.wimd", 3: "record.imd"},
            "variables.decile.choose: code 3 is not a code of record.nation; its codes are 1, 2",
        ),
        (
            "variables.decile.choose.columns",
            {1: "record.imd", 2: "record.icd"},
            "variables.decile.choose: 'record.icd' is not a column of numbers",
        ),
        # at_least, in_range
        ("variables.older.at_least.of", "disorder", "variables.older.at_least: 'disorder' is not a number"),
        ("variables.older.at_least.value", "forty", "variables.older.at_least.value: found 'forty'; allowed: a number"),
        ("variables.twenties.in_range.low", 30, "in_range: low is 30 and high is 29: no number lies between"),
        # icd10
        ("variables.disorder.icd10.columns", ["record.age"], "icd10: 'record.age' is not a column of text"),
        ("variables.disorder.icd10.columns", ["record.icd", "record.icd"], "'record.icd' stands there more than once"),
        ("variables.disorder.icd10.columns", [], "icd10.columns: found an empty list; allowed: 1 or more entries"),
        ("variables.disorder.icd10.ranges", ["F60-61"], "variables.disorder.icd10: 'F60-61' is not an ICD-10 category"),
        ("variables.disorder.icd10.ranges", ["F61-F60"], "'F61-F60' is not an ICD-10 category"),
        ("variables.disorder.icd10.ranges", ["F20-F29-F30"], "'F20-F29-F30' is not an ICD-10 category"),
        ("variables.disorder.icd10.ranges", ["f60"], "'f60' is not an ICD-10 category"),
        ("variables.disorder.icd10.ranges", ["F60.3"], "'F60.3' is not an ICD-10 category"),
        # any_of, all_of
        ("variables.either.any_of", ["older", "age"], "variables.either.any_of: 'age' is not a yes/no variable"),
        ("variables.both.all_of", ["older", "nation"], "variables.both.all_of: 'nation' is not a yes/no variable"),
        (
            "variables.both.all_of",
            ["older", "disordr"],
            "'disordr' is not a variable of the codebook; did you mean 'disorder'",
        ),
        ("variables.both.all_of", ["older", "older"], "variables.both.all_of: 'older' stands there more than once"),
        # score
        ("variables.total.score.instrument", "smal", "there is no instruments/smal.yaml; did you mean 'small'?"),
        (
            "variables.total.score.scale",
            "totl",
            "variables.total.score: small has no scale 'totl'; did you mean 'total'?",
        ),
        ("variables.total.score.administration", "t3", "small has no administration 't3'; known here: t1, t2"),
        ("variables.high.score.cut_off", "hgih", "small.total has no cut-off 'hgih'; did you mean 'high'?"),
        ("variables.high.score.scale", "first", "variables.high.score: small.first has no cut-off 'high'"),
        # circles
        ("variables.both.all_of", ["both"], "variables: both -> both are made from one another in a circle"),
    ],
)
def test_a_fault_names_its_key_what_is_there_and_what_is_allowed(tmp_path, path, value, fault):
    message = faults_of(tmp_path, variables=changed(declared(), path, value))
    assert fault in message
    assert str(tmp_path) in message.splitlines()[0]


def test_a_longer_circle_is_named_in_full(tmp_path):
    variables = changed(declared(), "variables.either.any_of", ["both"])
    variables = changed(variables, "variables.both.all_of", ["either"])
    message = faults_of(tmp_path, variables=variables)
    assert re.search(r"variables: (both -> either -> both|either -> both -> either) are made from one another", message)


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("name", "other", "instruments/small.yaml: name is 'other', it must be the file's name, 'small'"),
        (
            "administrations.t1.file",
            "recrod",
            "administrations.t1.file is 'recrod', which is not among files; did you mean 'record'?",
        ),
        (
            "administrations.t1.items",
            "small",
            "administrations.t1.items: found 'small'; allowed: a column name with a place",
        ),
        ("title", None, "small.yaml: 1 fault\n  - title: this key is needed and is not there"),
    ],
)
def test_faults_of_an_instrument_name_its_file(tmp_path, path, value, fault):
    assert fault in faults_of(tmp_path, instrument=changed(small(), path, value))


def test_two_instruments_in_the_same_columns_are_a_fault(tmp_path):
    load(tmp_path)
    assert "the column 'small_4' is described twice" in faults_of(
        tmp_path, instrument=changed(small(), "name", "twin"), name="twin"
    )


def test_all_faults_within_all_files_come_at_once_and_then_all_between_them(tmp_path):
    variables = changed(changed(declared(), "variables.age.lable", "x"), "variables.older.at_least.value", "forty")
    message = faults_of(tmp_path, variables=variables, instrument=changed(small(), "range", [3, 0]))
    for part in (
        "variables.yaml: 2 faults",
        "age.lable",
        "older.at_least.value",
        "small.yaml: ",
        "range: 3 to 0 is empty",
    ):
        assert part in message
    variables = changed(changed(declared(), "variables.age.copy", "record.aeg"), "variables.total.score.scale", "x")
    message = faults_of(tmp_path, variables=variables, instrument=changed(small(), "name", "other"))
    assert ": 3 faults" in message


def test_a_folder_without_a_codebook(tmp_path):
    with pytest.raises(ResearchError, match=r"variables\.yaml: there is no such file"):
        codebook.load(tmp_path)


# --- levels ----------------------------------------------------------------------------------------------------------


def levels_of(**changes):
    made = {
        "label": "Size",
        "bands": {"of": "age", "start": {"small": 1, "middle": 2, "large": 3}},
        "levels": {"small": "S", "middle": "M", "large": "L"},
    }
    return Variable.model_validate(made | changes)


@pytest.mark.parametrize(
    ("changes", "order", "kind"),
    [
        ({}, ["small", "middle", "large"], "nominal"),
        ({"reference": "large"}, ["large", "small", "middle"], "nominal"),
        ({"reference": "middle"}, ["middle", "small", "large"], "nominal"),
        ({"levels": {"middle": "M", "large": "L", "small": "S"}}, ["middle", "large", "small"], "nominal"),
        ({"ordered": True}, ["small", "middle", "large"], "ordinal"),
        ({"ordered": True, "reference": "small"}, ["small", "middle", "large"], "ordinal"),
        ({"ordered": True, "reference": "large"}, ["large", "middle", "small"], "ordinal"),
        (
            {"ordered": True, "levels": {"large": "L", "middle": "M", "small": "S"}},
            ["large", "middle", "small"],
            "ordinal",
        ),
    ],
)
def test_the_reference_comes_first_and_an_ordered_variable_keeps_its_order(changes, order, kind):
    variable = levels_of(**changes)
    assert list(variable.level_labels) == order
    assert variable.level_labels["middle"] == "M"
    assert variable.kind == kind


def test_yes_and_no_need_no_levels_and_may_be_turned(book):
    assert book.variables["older"].level_labels == {"no": "No", "yes": "Yes"}
    assert book.variables["older"].kind == "binary"
    turned = Variable.model_validate({"label": "x", "at_least": {"of": "age", "value": 1}, "reference": "yes"})
    assert list(turned.level_labels) == ["yes", "no"]
    # The levels of a recode to yes and no come in that order however they are written.
    recoded = {"label": "x", "recode": {"of": "f.c", "to": {"yes": [1], "no": [0]}}}
    assert list(Variable.model_validate(recoded).level_labels) == ["no", "yes"]


def test_terms_words_and_kinds(book):
    assert book.terms("age") == ["age"]
    assert book.terms("older") == ["older[yes]"]
    assert book.terms("deprivation") == ["deprivation[middle]", "deprivation[most]"]
    assert book.words("age").model_dump() == {"label": "Age", "unit": "years", "kind": "continuous", "levels": {}}
    assert list(book.words("deprivation").levels.items()) == [
        ("least", "Least"),
        ("middle", "Middle"),
        ("most", "Most"),
    ]
    assert {name: v.kind for name, v in book.variables.items() if v.kind == "continuous"}.keys() == {
        "age",
        "decile",
        "total",
    }


# --- order and sources -----------------------------------------------------------------------------------------------


def test_every_variable_comes_after_those_it_is_made_from_whatever_the_order_of_the_file(tmp_path, book):
    order = book.order()
    assert sorted(order) == sorted(book.variables)
    for before, after in (("age", "older"), ("older", "either"), ("disorder", "both"), ("decile", "deprivation")):
        assert order.index(before) < order.index(after)
    backwards = declared()
    backwards["variables"] = dict(reversed(backwards["variables"].items()))
    assert load(tmp_path, backwards).order() == order


def test_sources_are_the_raw_columns_behind_a_variable(book):
    assert set(book.sources("deprivation")) == {"record.nation", "record.imd", "record.wimd"}
    assert book.sources("either") == ["record.age", "record.icd"]
    assert book.sources("total") == [f"record.small_{item}" for item in (1, 2, 3, 4)]


def test_columns_hold_the_items_of_instruments_with_their_range_and_missing_codes(book):
    columns = book.columns("record")
    assert columns["later_3"].range == (0, 3)
    assert columns["later_3"].missing == {9: "Unknown", 8: "Refused"}
    assert book.column("record.age").range == (14, 55)
    assert "small_5" not in columns


# --- what decides values ---------------------------------------------------------------------------------------------


def reordered(value):
    """The same document with the keys of every mapping the other way round, but where their order has a meaning."""
    if isinstance(value, dict):
        keys = list(value) if set(value) & {"most", "england"} else list(reversed(value))
        return {key: reordered(value[key]) for key in keys}
    return [reordered(item) for item in value] if isinstance(value, list) else value


def test_the_order_of_the_files_changes_neither_part(tmp_path, book):
    variables = reordered(declared())
    variables["variables"]["nation"]["recode"]["to"] = {"wales": [2], "england": [1]}
    turned = load(tmp_path, variables, reordered(small()))
    assert list(turned.variables) != list(book.variables)
    assert canonical(turned.without_words()) == canonical(book.without_words())
    assert canonical(turned.raw_part().files) == canonical(book.raw_part().files)


WORDS = [
    ("variables.age.label", "Years lived"),
    ("variables.age.unit", "y"),
    ("variables.nation.levels", {"england": "ENG", "wales": "CYM"}),
    ("variables.older.levels", {"no": "Younger", "yes": "Older"}),
    ("variables.nation.reference", "england"),
    ("files.record.columns.age.label", "Alter"),
    ("files.record.columns.age.missing", {-9: "Other words"}),
    ("files.record.columns.nation.codes", {1: "ENG", 2: "CYM"}),
]
MEANINGS = [
    ("variables.nation.levels", {"wales": "Wales", "england": "England"}),
    ("variables.nation.reference", "wales"),
    ("variables.deprivation.reference", "most"),
    ("variables.deprivation.ordered", False),
    ("variables.older.at_least.value", 41),
    ("variables.age.copy", "record.imd"),
    ("variables.disorder.icd10.ranges", ["F60"]),
    ("variables.nation.recode.to", {"england": [2], "wales": [1]}),
    ("files.record.columns.age.missing", {-8: "Not recorded"}),
]


@pytest.mark.parametrize(("path", "value"), WORDS)
def test_a_changed_word_changes_nothing_that_decides_values(tmp_path, book, path, value):
    other = load(tmp_path, changed(declared(), path, value))
    assert other != book
    assert canonical(other.without_words()) == canonical(book.without_words())


@pytest.mark.parametrize(("path", "value"), MEANINGS)
def test_a_changed_meaning_changes_what_decides_values(tmp_path, book, path, value):
    other = load(tmp_path, changed(declared(), path, value))
    assert canonical(other.without_words()) != canonical(book.without_words())


def test_a_changed_word_or_meaning_of_an_instrument(tmp_path, book):
    text = canonical(book.without_words())
    for path, value in (
        ("title", "Other"),
        ("source", "Other"),
        ("confirm", ["Other"]),
        ("missing", {9: "Other", 8: "Words"}),
        ("scales.total.label", "Other"),
        ("scales.total.printed_range", [0, 12]),
        ("cut_off_sets.print.source", "Other"),
        ("published_items", "1-4"),
    ):
        assert canonical(load(tmp_path, instrument=changed(small(), path, value)).without_words()) == text, path
    for path, value in (
        ("reversed", [3]),
        ("proration.max_missing_share", 0),
        ("scales.total.items", [1, 2, 3]),
        ("missing", {9: "Unknown"}),
        ("cut_off_sets.print.scales.total.high", 4),
    ):
        assert canonical(load(tmp_path, instrument=changed(small(), path, value)).without_words()) != text, path


def strings(value):
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("folder", ["codebook", "studies/birthwt/codebook"])
def test_without_words_goes_to_a_job_and_comes_back_the_same(folder):
    book = codebook.load(ROOT / folder)
    sent = book.without_words()
    back = Codebook.model_validate(from_canonical(canonical(sent)))
    assert back == sent
    assert canonical(back) == canonical(sent)
    assert list(back.variables) == sorted(book.variables)
    for name, variable in book.variables.items():
        received = back.variables[name]
        assert list(received.level_labels) == list(variable.level_labels)
        assert (received.form, received.kind, received.operands) == (variable.form, variable.kind, variable.operands)
        assert back.terms(name) == book.terms(name)
        assert back.sources(name) == book.sources(name)
    assert back.order() == book.order()
    # No word of a label, a title, a source or a unit is left.
    assert not [text for text in strings(sent.model_dump()) if " " in text]
    assert [text for text in strings(book.model_dump()) if " " in text]


def test_the_raw_part_keeps_labels_and_drops_the_variables(book):
    raw = Codebook.model_validate(from_canonical(canonical(book.raw_part())))
    assert raw.variables == {}
    assert raw.column("record.nation").codes == {1: "England", 2: "Wales"}
    assert raw.columns("record").keys() == book.columns("record").keys()

"""Files held against the codebook: one row per fault, with counts and never an identifier."""

from pathlib import Path

import pandas as pd
import pytest

from esmi import codebook
from esmi.codebook import Codebook
from esmi.errors import ResearchError
from esmi.validation import COLUMNS, stop_on_errors, validate

# Identifiers that nothing else looks like.
PEOPLE = [f"QQ77{i}ZZ" for i in range(8)]

BOOK = Codebook.model_validate(
    {
        "files": {
            "record": {
                "id": "person",
                "columns": {
                    "age": {"label": "Age", "range": [14, 55]},
                    "sex": {"label": "Sex", "codes": {1: "Woman", 2: "Man"}},
                    "icd": {"text": True},
                    "grade": {"codes": {"a": "Grade A", "b": "Grade B"}},
                },
            },
            "later": {"id": "person", "columns": {"back": {"codes": {0: "No", 1: "Yes"}}}},
        },
        "instruments": {},
        "variables": {},
    }
)


def tables(**changes):
    """Two files that agree with the codebook, with columns of the first changed, added or (None) taken out."""
    record = pd.DataFrame(
        {
            "person": PEOPLE,
            "age": [14.0, 55.0, 20, 21, 22, 23, 24, None],
            "sex": [1.0, 2.0] * 4,
            "icd": ["F20", *[None] * 7],
            "grade": pd.Series(["a", "b"] * 4, dtype=object),
        }
    )
    for name, values in changes.items():
        record = record.drop(columns=name) if values is None else record.assign(**{name: values})
    return {"record": record, "later": pd.DataFrame({"person": PEOPLE[::-1], "back": [0.0, 1.0] * 4})}


def found_in(given, labels=None):
    found = validate(given, labels or {}, BOOK, "record")
    assert found.columns.tolist() == COLUMNS
    # What no message may ever hold.
    assert not found["message"].str.contains("QQ77|ZZ|canary", regex=True).any()
    return [tuple(row) for row in found.drop(columns="message").itertuples(index=False)]


def message_in(given, labels=None):
    (message,) = validate(given, labels or {}, BOOK, "record")["message"]
    return message


def test_files_that_agree_have_no_rows():
    assert found_in(tables()) == []
    stop_on_errors(validate(tables(), {}, BOOK, "record"), {})


def test_missing_and_duplicate_ids():
    given = tables(person=[None, *PEOPLE[1:4], PEOPLE[3], PEOPLE[3], *PEOPLE[6:]])
    given["later"] = given["later"][~given["later"]["person"].isin([PEOPLE[0], PEOPLE[4], PEOPLE[5]])]
    assert found_in(given) == [
        ("error", "record", "person", "duplicate id", 3),
        ("error", "record", "person", "missing id", 1),
    ]
    assert validate(given, {}, BOOK, "record")["message"].tolist() == [
        "3 rows with the person of another row; each may stand once",
        "1 row without person; every row needs one",
    ]


def test_ids_in_one_file_only():
    given = tables()
    given["later"]["person"] = [*PEOPLE[:5], "QQ77xZZ", "QQ77yZZ", PEOPLE[5]]
    assert found_in(given) == [("error", "later", "", "unknown id", 2), ("notice", "later", "", "absent id", 2)]
    assert validate(given, {}, BOOK, "record")["message"].tolist() == [
        "2 ids not in record; correct or take out the rows",
        "2 of the 8 in record are not in this file",
    ]


def test_absent_and_undescribed_columns():
    given = tables(age=None, aeg=[1.0] * 8)
    given["record"]["aeg__why"] = "canary"
    assert found_in(given) == [
        ("error", "record", "age", "absent column", 8),
        ("notice", "record", "aeg", "undescribed column", 8),
    ]
    assert "did you mean 'aeg'?" in validate(given, {}, BOOK, "record")["message"][0]


@pytest.mark.parametrize(
    ("values", "n", "message"),
    [
        (
            [13.0, 55, 14, 20, 20, 20, 20, None],
            1,
            "1 row outside 14 to 55; correct them, or range or missing in the codebook",
        ),
        ([13.9, 55.1, 99, 20, 20, 20, 20, None], 3, "3 rows outside 14 to 55"),
    ],
)
def test_out_of_range(values, n, message):
    assert found_in(tables(age=values)) == [("error", "record", "age", "out of range", n)]
    assert message_in(tables(age=values)).startswith(message)


def test_a_column_without_values_is_a_notice():
    assert found_in(tables(age=[None] * 8)) == [("notice", "record", "age", "no values", 8)]
    assert found_in(tables(icd=[None] * 8, sex=[float("nan")] * 8)) == [
        ("notice", "record", "icd", "no values", 8),
        ("notice", "record", "sex", "no values", 8),
    ]


@pytest.mark.parametrize("column", ["age", "sex"])
def test_text_in_a_column_of_numbers(column):
    mixed = ["20", "21", "canary", "canary two", "22", "23", None, None]
    assert found_in(tables(**{column: mixed})) == [("error", "record", column, "wrong type", 2)]
    assert message_in(tables(**{column: mixed})) == "text in 2 rows where the codebook says numbers"
    # A column that is text by its type, although every value reads as a number.
    digits = ["20", "21", "22", "23", "24", "25", None, None]
    assert found_in(tables(**{column: digits})) == [("error", "record", column, "wrong type", 6)]


def test_numbers_in_a_column_of_text():
    assert found_in(tables(icd=[1.0, 2.0, *[None] * 6])) == [("error", "record", "icd", "wrong type", 2)]


def test_an_unknown_code_is_shown_where_it_is_a_few_short_numbers():
    assert found_in(tables(sex=[1.0, 2, 3, 3, 9999, 1, 1, None])) == [("error", "record", "sex", "unknown code", 3)]
    assert message_in(tables(sex=[1.0, 2, 3, 3, 9999, 1, 1, None])).startswith(
        "3 rows with a code that the codebook does not have (3, 9999); add it to codes or to missing"
    )
    assert "(-9.5)" in message_in(tables(sex=[1.0, 2, -9.5, 1, 1, 1, 1, 1]))


@pytest.mark.parametrize(
    "strange",
    [
        [3.0, 4, 5, 6, 7, 8, 1, 1],  # many different ones: perhaps another column's values
        [7712345.0, 1, 1, 1, 1, 1, 1, 1],  # a long number: perhaps an identifier
    ],
)
def test_other_unknown_codes_are_counted_and_not_shown(strange):
    message = message_in(tables(sex=strange))
    assert "(" not in message
    assert "77" not in message


def test_unknown_text_is_counted_and_not_shown():
    given = tables(grade=["a", "b", "canary", "a", "A", PEOPLE[6], "b", None])
    assert found_in(given) == [("error", "record", "grade", "unknown code", 3)]
    assert message_in(given).startswith("3 rows with a code that the codebook does not have; add")


@pytest.mark.parametrize("label", ["Woman", "WOMAN", " woman ", "wo-man", "Woman."])
def test_a_label_in_other_case_or_punctuation_is_the_same_label(label):
    assert found_in(tables(), {"record": {"sex": {1.0: label}}}) == []


def test_a_different_label_is_an_error_with_both_labels_and_its_count():
    labels = {
        "record": {"sex": {1.0: "Man", 2.0: "Woman", 3.0: "Other"}, "grade": {"a": "Grade B"}, "other": {1.0: "x"}}
    }
    assert found_in(tables(), labels) == [
        ("error", "record", "grade", "different label", 4),
        ("error", "record", "sex", "different label", 4),
        ("error", "record", "sex", "different label", 4),
    ]
    assert validate(tables(), labels, BOOK, "record")["message"].tolist() == [
        "code a is 'Grade B' in the file and 'Grade A' in the codebook (4 rows)",
        "code 1 is 'Man' in the file and 'Woman' in the codebook (4 rows)",
        "code 2 is 'Woman' in the file and 'Man' in the codebook (4 rows)",
    ]


def test_a_label_that_differs_for_a_code_that_nobody_has():
    labels = {"record": {"sex": {2.0: "Woman"}}}
    assert found_in(tables(sex=[1.0] * 8), labels) == [("error", "record", "sex", "different label", 0)]


def test_errors_come_before_notices_and_all_errors_stop_at_once():
    given = tables(age=[1.0] * 8, sex=[3.0] + [1.0] * 7, extra=[1.0] * 8)
    given["later"] = given["later"][:4]
    found = validate(given, {}, BOOK, "record")
    assert found["severity"].tolist() == ["error", "error", "notice", "notice"]
    with pytest.raises(ResearchError) as raised:
        stop_on_errors(found, {"record": "record.sav", "later": "later.dta"})
    assert str(raised.value).splitlines() == [
        "The extract does not agree with the codebook: 2 faults",
        "  - record.sav, age: 8 rows outside 14 to 55; correct them, or range or missing in the codebook",
        "  - record.sav, sex: 1 row with a code that the codebook does not have (3); add it to codes or to missing, or "
        "correct the rows",
    ]


def test_notices_alone_do_not_stop():
    stop_on_errors(validate(tables(extra=[1.0] * 8), {}, BOOK, "record"), {"record": "record.sav"})


def test_a_fault_of_a_whole_file_names_the_file():
    given = tables()
    given["later"].loc[0, "person"] = "QQ77xZZ"
    with pytest.raises(ResearchError, match=r"  - later\.dta: 1 id not in record; correct or take out the rows"):
        stop_on_errors(validate(given, {}, BOOK, "record"), {"record": "record.sav", "later": "later.dta"})


def test_what_does_not_agree_within_an_instrument_is_a_notice():
    root = Path(__file__).parents[2]
    book = codebook.load(root / "codebook")
    tables = {file: pd.DataFrame({"dyad_id": ["a", "b"]}) for file in book.files}
    found = validate(tables, {}, book, "index")
    notices = found[found["check"] == "instrument"]
    assert list(notices["severity"]) == ["notice"]
    assert list(notices["file"]) == ["index"]
    assert notices["message"].item() == (
        "tag, scale total: the printed range is 0 to 28, but its 8 items of 0 to 4 give 0 to 32."
    )

"""Derived variables of hand-made studies of two files: each form, the log's counts, the join and the inclusion flow."""

import numpy as np
import pandas as pd
import pytest

from esmi import derive
from esmi.codebook import Codebook
from esmi.errors import ResearchError
from esmi.settings import Step

ABC = {"levels": {"a": "A", "b": "B", "c": "C"}}


def book(variables, instruments=None):
    return Codebook.model_validate(
        {
            "files": {
                "record": {
                    "id": "person",
                    "columns": {
                        "age": {"range": [0, 99]},
                        "nation": {"codes": {1: "England", 2: "Wales"}},
                        "imd": {"range": [1, 10]},
                        "wimd": {"range": [1, 10]},
                        "icd1": {"text": True},
                        "icd2": {"text": True},
                        "grade": {"codes": {"x": "X", "y": "Y"}},
                    },
                },
                "later": {
                    "id": "pid",
                    "columns": {"back": {"codes": {0: "No", 1: "Yes", 7: "Perhaps"}, "missing": {9: "Unknown"}}},
                },
            },
            "instruments": instruments or {},
            "variables": variables,
        }
    )


def cleaned(variables, record, later=None, population=(), instruments=None):
    """The analysis table, log and flow of people p1, p2, ... with these columns."""
    n = len(next(iter(record.values()))) if record else 0
    files = {
        "record": pd.DataFrame({"person": [f"p{i}" for i in range(1, n + 1)]} | record),
        "later": pd.DataFrame({"pid": pd.Series(dtype=object)} if later is None else later),
    }
    return derive.clean(files, book(variables, instruments), "record", [Step.model_validate(s) for s in population])


def derived(variable, record, **others):
    """The values of one variable `x` as a list, None for missing, and its log as {(form, detail): n}."""
    made = cleaned({"x": {"label": "X"} | variable, **others}, record)
    values = [None if pd.isna(value) else value for value in made.table["x"]]
    log = made.log[made.log["variable"] == "x"]
    return values, {(row.form, row.detail): row.n for row in log.itertuples()}


# --- numbers ---------------------------------------------------------------------------------------------------------


def test_copy():
    values, log = derived({"copy": "record.age"}, {"age": [20.0, np.nan, 30.0]})
    assert values == [20, None, 30]
    assert log == {("copy", "known"): 2, ("copy", "missing"): 1}


def test_copy_of_a_column_without_any_value():
    made = cleaned({"x": {"label": "X", "copy": "record.age"}}, {"age": [None, None]})
    assert made.table["x"].dtype == "float64"
    assert made.table["x"].isna().all()


def test_choose_takes_the_own_nations_number():
    record = {
        "nation": [1.0, 2.0, 1.0, np.nan, 2.0],
        "imd": [3.0, 3.0, np.nan, 5.0, 7.0],
        "wimd": [9.0, 9.0, 9.0, 9.0, np.nan],
    }
    choose = {"choose": {"by": "record.nation", "columns": {1: "record.imd", 2: "record.wimd"}}}
    values, log = derived(choose, record)
    assert values == [3, 9, None, None, None]
    assert log == {
        ("choose", "from record.imd"): 1,
        ("choose", "from record.wimd"): 1,
        ("choose", "missing"): 3,
    }


# --- levels ----------------------------------------------------------------------------------------------------------


def test_recode_with_the_count_of_every_code_and_reason():
    later = {
        "pid": ["p4", "p1", "p3", "p2", "p5"],
        "back": [np.nan, 0.0, 7.0, 1.0, np.nan],
        "back__why": ["Refused", None, None, None, None],
    }
    made = cleaned(
        {"x": {"label": "X", "recode": {"of": "later.back", "to": {"yes": [1], "no": [0]}, "missing": [7]}}},
        {"age": [1.0] * 6},
        later,
    )
    assert made.table["x"].astype(object).where(made.table["x"].notna(), None).tolist() == [
        "no", "yes", None, None, None, None,
    ]  # fmt: skip
    # Every row of the spine is in one of the lines from a code or a reason, and again in one of the levels.
    assert made.log.to_dict("split")["data"] == [
        ["x", "recode", "0 -> no", 1],
        ["x", "recode", "1 -> yes", 1],
        ["x", "recode", "7 -> missing", 1],
        ["x", "recode", "missing: Refused", 1],
        ["x", "recode", "missing: no reason given", 2],
        ["x", "recode", "= no", 1],
        ["x", "recode", "= yes", 1],
        ["x", "recode", "missing", 4],
    ]


def test_recode_of_text_codes_and_of_several_codes_to_one_level():
    to = {"recode": {"of": "record.grade", "to": {"a": ["x", "y"], "b": [], "c": []}}} | ABC
    values, log = derived(to, {"grade": pd.Series(["x", "y", None], dtype=object)})
    assert values == ["a", "a", None]
    assert log["recode", "x -> a"] == log["recode", "y -> a"] == log["recode", "missing: no reason given"] == 1


def test_bands_begin_at_their_value_and_end_before_the_next():
    bands = {"bands": {"of": "record.age", "start": {"a": 1, "b": 3, "c": 6}}} | ABC
    below = np.nextafter(3.0, 0)
    values, log = derived(bands, {"age": [0.5, 1.0, below, 3.0, 5.999, 6.0, 99.0, np.nan]})
    assert values == [None, "a", "a", "b", "b", "c", "c", None]
    assert log == {
        ("bands", "missing: below the first band"): 1,
        ("bands", "= a"): 2,
        ("bands", "= b"): 2,
        ("bands", "= c"): 2,
        ("bands", "missing"): 2,
    }


def test_at_least_and_in_range_include_their_ends():
    age = {"age": [19.0, 20.0, 29.0, 29.5, np.nan]}
    assert derived({"at_least": {"of": "record.age", "value": 20}}, age)[0] == ["no", "yes", "yes", "yes", None]
    assert derived({"in_range": {"of": "record.age", "low": 20, "high": 29}}, age)[0] == [
        "no",
        "yes",
        "yes",
        "no",
        None,
    ]


def test_a_column_without_any_value_makes_only_missing_values():
    nobody = {"age": [None, None]}
    assert derived({"bands": {"of": "record.age", "start": {"a": 1, "b": 3, "c": 6}}} | ABC, nobody)[0] == [None, None]
    assert derived({"at_least": {"of": "record.age", "value": 20}}, nobody)[0] == [None, None]
    assert derived({"in_range": {"of": "record.age", "low": 1, "high": 2}}, nobody)[0] == [None, None]


# --- ICD-10 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("F60", None, "yes"),
        ("F60.3", None, "yes"),
        ("F603", None, "yes"),
        (" f61.0 ", None, "yes"),
        ("F59.9", "F62", "no"),
        ("F59", "F60.31", "yes"),
        (None, "F60", "yes"),
        ("F20.0", None, "yes"),
        ("F21", None, "no"),
        ("G60", None, "no"),
        (None, None, None),
        ("", "  ", None),
        ("F6", None, None),
        ("depression", None, None),
        ("depression", "F60", "yes"),
        ("6A20", None, None),
    ],
)
def test_icd10(first, second, expected):
    icd10 = {"icd10": {"columns": ["record.icd1", "record.icd2"], "ranges": ["F60-F61", "F20"]}}
    record = {"icd1": pd.Series([first], dtype=object), "icd2": pd.Series([second], dtype=object)}
    values, log = derived(icd10, record)
    assert values == [expected]
    assert log["icd10", "text that is no ICD-10 code"] == (first in ("F6", "depression", "6A20"))


def test_text_that_is_no_code_lies_in_no_range_whatever_its_place_in_the_alphabet():
    icd10 = {"icd10": {"columns": ["record.icd1", "record.icd2"], "ranges": ["F10-F31"]}}
    record = {"icd1": pd.Series(["F2X", "F2X"], dtype=object), "icd2": pd.Series([None, "G10"], dtype=object)}
    assert derived(icd10, record)[0] == [None, "no"]


def test_icd10_counts_add_up_over_people():
    icd10 = {"icd10": {"columns": ["record.icd1", "record.icd2"], "ranges": ["F60-F61"]}}
    record = {
        "icd1": pd.Series(["F60", "F20", None, "none"], dtype=object),
        "icd2": pd.Series([None, "f61.1", None, "none"], dtype=object),
    }
    values, log = derived(icd10, record)
    assert values == ["yes", "yes", None, None]
    assert log == {
        ("icd10", "text that is no ICD-10 code"): 1,
        ("icd10", "= no"): 0,
        ("icd10", "= yes"): 2,
        ("icd10", "missing"): 2,
    }


# --- composites ------------------------------------------------------------------------------------------------------

PAIRS = [(p, q) for p in ("yes", "no", None) for q in ("yes", "no", None)]
PARTS = {
    "p": {"label": "P", "at_least": {"of": "record.age", "value": 1}},
    "q": {"label": "Q", "at_least": {"of": "record.imd", "value": 1}},
}
NUMBER = {"yes": 1.0, "no": 0.0, None: np.nan}
PARTS_OF = {"age": [NUMBER[p] for p, _ in PAIRS], "imd": [NUMBER[q] for _, q in PAIRS]}


def test_any_of_in_all_nine_combinations():
    values, log = derived({"any_of": ["p", "q"]}, PARTS_OF, **PARTS)
    assert dict(zip(PAIRS, values, strict=True)) == {
        ("yes", "yes"): "yes",
        ("yes", "no"): "yes",
        ("yes", None): "yes",
        ("no", "yes"): "yes",
        ("no", "no"): "no",
        ("no", None): None,
        (None, "yes"): "yes",
        (None, "no"): None,
        (None, None): None,
    }
    assert log == {
        ("any_of", "yes, and p says so"): 3,
        ("any_of", "yes by p alone"): 2,
        ("any_of", "yes, and q says so"): 3,
        ("any_of", "yes by q alone"): 2,
        ("any_of", "yes though a part is missing"): 2,
        ("any_of", "missing: no part says yes and a part is missing"): 3,
        ("any_of", "= no"): 1,
        ("any_of", "= yes"): 5,
        ("any_of", "missing"): 3,
    }


def test_all_of_in_all_nine_combinations():
    values, log = derived({"all_of": ["p", "q"]}, PARTS_OF, **PARTS)
    assert dict(zip(PAIRS, values, strict=True)) == {
        ("yes", "yes"): "yes",
        ("yes", "no"): "no",
        ("yes", None): None,
        ("no", "yes"): "no",
        ("no", "no"): "no",
        ("no", None): "no",
        (None, "yes"): None,
        (None, "no"): "no",
        (None, None): None,
    }
    assert log == {
        ("all_of", "no, and p says so"): 3,
        ("all_of", "no, and q says so"): 3,
        ("all_of", "missing: no part says no and a part is missing"): 3,
        ("all_of", "= no"): 5,
        ("all_of", "= yes"): 1,
        ("all_of", "missing"): 3,
    }


def test_a_composite_of_parts_whose_reference_is_yes():
    turned = {name: part | {"reference": "yes"} for name, part in PARTS.items()}
    assert (
        derived({"any_of": ["p", "q"]}, PARTS_OF, **turned)[0] == derived({"any_of": ["p", "q"]}, PARTS_OF, **PARTS)[0]
    )
    assert (
        derived({"all_of": ["p", "q"]}, PARTS_OF, **turned)[0] == derived({"all_of": ["p", "q"]}, PARTS_OF, **PARTS)[0]
    )


def test_a_composite_of_a_composite():
    inner = {"inner": {"label": "I", "any_of": ["p", "q"]}}
    values, _ = derived({"all_of": ["inner", "p"]}, PARTS_OF, **PARTS, **inner)
    assert values == ["yes", "yes", "yes", "no", "no", "no", None, None, None]


# --- scores ----------------------------------------------------------------------------------------------------------

SMALL = {
    "small": {
        "name": "small",
        "title": "Small",
        "administrations": {"t1": {"file": "record", "items": "s_{}"}, "t2": {"file": "later", "items": "s_{}"}},
        "items": [1, 2, 3, 4],
        "range": [0, 3],
        "missing": {9: "Unknown"},
        "reversed": [4],
        "proration": {"max_missing_share": 0.25},
        "scales": {"total": {"label": "Total", "items": [1, 2, 3, 4]}},
        "default_cut_off_set": "print",
        "cut_off_sets": {"print": {"source": "p", "below": "low", "scales": {"total": {"middle": 4, "high": 8}}}},
        "source": "made",
    }
}


def test_scores_their_cut_offs_and_how_many_were_prorated():
    # Item 4 is reversed: 3 - 3 = 0.
    record = {
        "s_1": [1.0, 3, 0, 3, 9],
        "s_2": [1.0, 2, 0, 3, 9],
        "s_3": [2.0, 9, 3, 2, 1],
        "s_4": [3.0, 3, 3, 3, 3],
    }
    later = {"pid": ["p2"]} | {f"s_{item}": [1.0] for item in (1, 2, 3, 4)}
    variables = {
        "total": {"label": "T", "score": {"instrument": "small", "scale": "total"}},
        "high": {"label": "H", "score": {"instrument": "small", "scale": "total", "cut_off": "high"}},
        "middle": {"label": "M", "score": {"instrument": "small", "scale": "total", "cut_off": "middle"}},
        "later": {"label": "L", "score": {"instrument": "small", "scale": "total", "administration": "t2"}},
    }
    made = cleaned(variables, record, later, instruments=SMALL)
    table = made.table.astype(object).where(made.table.notna(), None)
    # 1+1+2+0; (3+2+0)/3 x 4, one of four missing; 0+0+3+0; 3+3+2+0; two of four missing.
    assert table["total"].tolist() == [4, 20 / 3, 3, 8, None]
    assert table["high"].tolist() == ["no", "no", "no", "yes", None]
    assert table["middle"].tolist() == ["yes", "yes", "no", "yes", None]
    # 1+1+1 and 3 - 1.
    assert table["later"].tolist() == [None, 5, None, None, None]
    log = made.log.set_index(["variable", "detail"])["n"]
    assert log["small.total at t1"].to_dict() == {"complete": 3, "prorated": 1, "decided": 0, "missing": 1}
    assert log["small.total at t2"].to_dict() == {"complete": 1, "prorated": 0, "decided": 0, "missing": 4}
    assert log["high"].to_dict() == {"= no": 3, "= yes": 1, "missing": 1}


def test_an_item_out_of_range_stops_with_its_column_and_count():
    record = {f"s_{item}": [7.0, 1.0] for item in (1, 2, 3, 4)}
    variables = {"total": {"label": "T", "score": {"instrument": "small", "scale": "total"}}}
    later = {"pid": []} | {f"s_{item}": [] for item in (1, 2, 3, 4)}
    with pytest.raises(ResearchError, match=r"s_3: 1 row holds neither a whole number from 0 to 3"):
        cleaned(variables, record, later, instruments=SMALL)


# --- the join, the types, the flow -----------------------------------------------------------------------------------

WHOLE = {
    "age": {"label": "Age", "copy": "record.age"},
    "back": {"label": "Back", "recode": {"of": "later.back", "to": {"no": [0], "yes": [1]}, "missing": [7]}},
    "band": {"label": "Band", "bands": {"of": "age", "start": {"a": 0, "b": 10, "c": 20}}, "reference": "b"} | ABC,
    "rank": {"label": "Rank", "bands": {"of": "age", "start": {"a": 0, "b": 10, "c": 20}}, "reference": "c"}
    | {"ordered": True}
    | ABC,
}
FILES = {
    "record": pd.DataFrame({"person": ["k9", "b1", "k10", "a5"], "age": [5.0, 15.0, 25.0, np.nan]}, index=[7, 3, 5, 1]),
    "later": pd.DataFrame({"pid": ["a5", "zz", "k10"], "back": [1.0, 1.0, 0.0]}),
}


def test_the_join_is_by_id_and_the_table_sorted_by_it():
    made = derive.clean(FILES, book(WHOLE), "record", [])
    assert made.table["id"].tolist() == ["a5", "b1", "k10", "k9"]
    assert made.table.index.equals(pd.RangeIndex(4))
    np.testing.assert_equal(made.table["age"].to_numpy(), [np.nan, 15, 25, 5])
    # Nobody in the second file alone comes in; those of the spine who are not in it have missing values.
    assert made.table["back"].astype(object).where(made.table["back"].notna(), None).tolist() == [
        "yes",
        None,
        "no",
        None,
    ]


def test_the_order_of_rows_and_files_is_no_matter():
    turned = {name: FILES[name].iloc[::-1] for name in ("later", "record")}
    first, second = (derive.clean(files, book(WHOLE), "record", []) for files in (FILES, turned))
    pd.testing.assert_frame_equal(first.table, second.table)
    pd.testing.assert_frame_equal(first.log, second.log)


def test_types_are_those_of_the_contract():
    table = derive.clean(FILES, book(WHOLE), "record", []).table
    assert table.columns.tolist() == ["id", "age", "back", "band", "rank"]
    assert table["age"].dtype == "float64"
    assert table["back"].dtype == pd.CategoricalDtype(["no", "yes"], ordered=True)
    assert table["band"].dtype == pd.CategoricalDtype(["b", "a", "c"], ordered=True)
    assert table["rank"].dtype == pd.CategoricalDtype(["c", "b", "a"], ordered=True)
    assert table["rank"].tolist()[1:] == ["b", "c", "a"]


def test_the_flow_counts_each_step_by_level_and_by_a_known_value():
    population = [
        {"label": "Age known", "variable": "age", "known": True},
        {"label": "In bands", "variable": "band", "is": ["a", "c"]},
        {"label": "Came back", "variable": "back", "is": ["yes"]},
    ]
    made = derive.clean(FILES, book(WHOLE), "record", [Step.model_validate(step) for step in population])
    assert made.flow.to_dict("split")["data"] == [
        [0, "in the extract", 4, 0],
        [1, "Age known", 3, 1],
        [2, "In bands", 2, 1],
        [3, "Came back", 0, 2],
    ]
    assert made.flow.columns.tolist() == ["step", "label", "n", "excluded"]
    assert made.table.empty
    two = derive.clean(FILES, book(WHOLE), "record", [Step.model_validate(step) for step in population[:2]])
    assert two.table["id"].tolist() == ["k10", "k9"]
    assert two.table.index.equals(pd.RangeIndex(2))
    # The log is of all joined rows, whoever is included.
    pd.testing.assert_frame_equal(two.log, derive.clean(FILES, book(WHOLE), "record", []).log)


def test_nothing_of_the_input_is_changed():
    before = {name: table.copy() for name, table in FILES.items()}
    derive.clean(FILES, book(WHOLE), "record", [])
    for name in FILES:
        pd.testing.assert_frame_equal(FILES[name], before[name])


def test_a_codebook_without_words_derives_the_same():
    with_words, without = book(WHOLE), book(WHOLE).without_words()
    first, second = (derive.clean(FILES, one, "record", []) for one in (with_words, without))
    pd.testing.assert_frame_equal(first.table, second.table)
    pd.testing.assert_frame_equal(first.log, second.log)

"""Reading raw extracts: codes, labels and reasons survive; every fault is said in words; no person shows in a draft."""

import datetime as dt
import hashlib
import re
import stat

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from esmi import drafting, extract
from esmi.documents import read_yaml
from esmi.errors import ResearchError

SMALL = pd.DataFrame({"dyad_id": [2.0, 1.0], "age": [30.0, 25.0]})


def values_of(series: pd.Series) -> list:
    return [None if pd.isna(value) else value for value in series]


def fails_with(message: str):
    return pytest.raises(ResearchError, match=f"^{re.escape(message)}$")


@pytest.fixture
def sav(tmp_path):
    table = pd.DataFrame(
        {
            "dyad_id": ["D3 ", "D1", "D2", "D4"],
            "age": [31.0, -9.0, np.nan, -95.0],
            "ward": ["MBU", "NK", "", "CRT"],
            "seen": [dt.date(2016, 2, 29), None, dt.date(1582, 10, 14), dt.date(2015, 1, 1)],
            "score": [1.5, 2.5, 3.5, 4.5],
        }
    )
    path = tmp_path / "index.sav"
    pyreadstat.write_sav(
        table,
        path,
        column_labels={"age": "Age at admission (years)"},
        missing_ranges={"age": [-9, {"lo": -99, "hi": -90}], "ward": ["NK"], "seen": [0]},
        variable_value_labels={
            "age": {-9: "Not recorded"},
            "ward": {"MBU": "Mother and baby unit", "NK": "Not known"},
        },
    )
    return path


@pytest.fixture
def dta(tmp_path):
    table = pd.DataFrame(
        {
            "dyad_id": [12, 3, 7],
            "smoke": pd.Series([1.0, "a", "b"], dtype=object),
            "seen": pd.Series([20000.0, "a", np.nan], dtype=object),
            "quarter": [220.0, 221.0, 222.0],
            "note": ["b", "", "a"],
        }
    )
    path = tmp_path / "index.dta"
    pyreadstat.write_dta(
        table,
        path,
        column_labels={"smoke": "Smoked"},
        missing_user_values={"smoke": ["a", "b"], "seen": ["a"]},
        variable_value_labels={"smoke": {0: "No", 1: "Yes"}},
        variable_format={"seen": "%td", "quarter": "%tq"},
    )
    return path


@pytest.fixture
def csv_of(tmp_path):
    def write(text: str | bytes, name: str = "index.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


# Reading


def test_sav_keeps_codes_labels_and_declared_missing(sav):
    raw = extract.read_raw(sav)
    assert (raw.name, raw.source_format) == ("index.sav", "sav")
    assert raw.sha256 == hashlib.sha256(sav.read_bytes()).hexdigest()
    assert raw.labels == {"age": "Age at admission (years)"}
    assert raw.value_labels == {
        "age": {-9.0: "Not recorded"},
        "ward": {"MBU": "Mother and baby unit", "NK": "Not known"},
    }
    assert sorted(raw.user_missing["age"]) == [(-99.0, -90.0), (-9.0, -9.0)]
    assert raw.user_missing["ward"] == [("NK", "NK")]
    assert raw.data["age"].dtype == float
    assert values_of(raw.data["age"]) == [31.0, -9.0, None, -95.0]
    assert raw.data["ward"].tolist() == ["MBU", "NK", None, "CRT"]
    assert raw.extended_missing["ward"].tolist() == [None, "NK", None, None]


def test_sav_date_is_iso_text_and_its_missing_code_is_no_date(sav):
    raw = extract.read_raw(sav)
    assert raw.data["seen"].tolist() == ["2016-02-29", None, None, "2015-01-01"]
    assert raw.extended_missing["seen"].tolist() == [None, None, "0", None]


def test_sav_datetime_and_time_formats(tmp_path):
    table = pd.DataFrame(
        {"at": [13676169600.0, 13676169600.25], "took": [108000.0, np.nan], "month": [13676169600.0] * 2}
    )
    path = tmp_path / "times.sav"
    formats = {"at": "DATETIME23.2", "took": "TIME8", "month": "MOYR8"}
    pyreadstat.write_sav(table, path, variable_format=formats)
    data = extract.read_raw(path).data
    # 13 676 169 600 s = 158 289 days of 86 400 s; date(1582, 10, 14) + 158 289 days.
    day = str(dt.date(1582, 10, 14) + dt.timedelta(days=158289))
    assert data["at"].tolist() == [f"{day}T00:00:00", f"{day}T00:00:00.250"]
    assert data["month"].tolist() == [day, day]
    assert data["took"].tolist() == ["30:00:00", None]


def test_dta_keeps_letters_beside_float_values(dta):
    raw = extract.read_raw(dta)
    assert raw.labels == {"smoke": "Smoked"}
    assert raw.data["dyad_id"].dtype == raw.data["smoke"].dtype == float
    assert values_of(raw.data["smoke"]) == [1.0, None, None]
    assert raw.extended_missing["smoke"].tolist() == [None, ".a", ".b"]
    assert raw.value_labels == {"smoke": {0.0: "No", 1.0: "Yes"}}
    assert raw.data["note"].tolist() == ["b", None, "a"]
    assert "note" not in raw.extended_missing
    assert raw.data["quarter"].tolist() == [220.0, 221.0, 222.0]


def test_dta_date_with_letter_is_iso_text(dta):
    raw = extract.read_raw(dta)
    # Stata counts days since 1 January 1960.
    assert raw.data["seen"].tolist() == [str(dt.date(1960, 1, 1) + dt.timedelta(days=20000)), None, None]
    assert raw.extended_missing["seen"].tolist() == [None, ".a", None]


def test_dta_datetime_and_time(tmp_path):
    path = tmp_path / "times.dta"
    table = pd.DataFrame({"at": [dt.datetime(2016, 2, 29, 23, 59, 58)], "took": [dt.time(3, 4, 5)]})
    pyreadstat.write_dta(table, path)
    data = extract.read_raw(path).data
    assert data.iloc[0].tolist() == ["2016-02-29T23:59:58", "03:04:05"]


def test_dta_label_of_a_letter_is_the_reason(tmp_path):
    path = tmp_path / "index.dta"
    table = pd.DataFrame({"id": [1.0, 2.0], "smoke": pd.Series([1.0, "a"], dtype=object)})
    pyreadstat.write_dta(
        table, path, missing_user_values={"smoke": ["a"]}, variable_value_labels={"smoke": {1: "Yes", "a": "Refused"}}
    )
    raw = extract.read_raw(path)
    assert raw.value_labels == {"smoke": {1.0: "Yes", ".a": "Refused"}}
    assert extract.ingest(raw, "id", {})["smoke__why"].tolist() == [None, "Refused"]


def test_sav_range_without_a_lowest_value(tmp_path):
    path = tmp_path / "index.sav"
    table = pd.DataFrame({"id": [1.0, 2.0, 3.0], "age": [-1.5, -1.0, 30.0]})
    pyreadstat.write_sav(table, path, missing_ranges={"age": [{"lo": -np.inf, "hi": -1}]})
    raw = extract.read_raw(path)
    assert extract.ingest(raw, "id", {})["age__why"].tolist() == ["-1.5", "-1", None]
    assert "declared missing from lowest to -1" in drafting.draft_codebook({"index": raw})


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_csv_numbers_text_and_empty(csv_of, mark):
    raw = extract.read_raw(
        csv_of(mark + b'dyad_id, age ,code,place,none\r\nD1,-9,007,"a, b",\r\nD2,1.5e1,8,,\r\nD3,,NA,nan,\r\n')
    )
    assert list(raw.data) == ["dyad_id", "age", "code", "place", "none"]
    assert values_of(raw.data["age"]) == [-9.0, 15.0, None]
    assert raw.data["code"].tolist() == ["007", "8", "NA"]
    assert raw.data["place"].tolist() == ["a, b", None, "nan"]
    assert raw.data["none"].dtype == float
    assert raw.data["none"].isna().all()
    assert raw.labels == raw.value_labels == raw.user_missing == raw.extended_missing == {}


def test_csv_identifiers_that_a_float_would_change_stay_text(csv_of):
    raw = extract.read_raw(csv_of("short,long,number\n001,1234567890123456,0.5\n002,1234567890123457,10\n"))
    assert raw.data["short"].tolist() == ["001", "002"]
    assert raw.data["long"].tolist() == ["1234567890123456", "1234567890123457"]
    assert raw.data["number"].tolist() == [0.5, 10.0]


# Faults


def test_no_such_file(tmp_path):
    path = tmp_path / "gone.sav"
    with fails_with(
        f"{path}: no such file. Correct its path under extract.files in the config; paths there are relative to the "
        "folder of the config file."
    ):
        extract.read_raw(path)


def test_unknown_suffix(csv_of):
    with fails_with(
        "index.xlsx: a file of kind '.xlsx' cannot be read; allowed are .sav (SPSS), .dta (Stata) and .csv. Save the "
        "file as one of these."
    ):
        extract.read_raw(csv_of("", "index.xlsx"))


def test_suffix_in_capitals_is_known(csv_of):
    assert extract.read_raw(csv_of("a\n1\n", "INDEX.CSV")).source_format == "csv"


SPSS_DAMAGED = (
    "x.sav: not a complete SPSS .sav file (cut short, damaged, or a file of another kind under this suffix). Copy or "
    "export it again."
)
STATA_DAMAGED = SPSS_DAMAGED.replace("SPSS .sav", "Stata .dta").replace("x.sav", "x.dta")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_sav_cut_short_or_of_another_kind(sav, csv_of, share):
    content = sav.read_bytes()
    with fails_with(SPSS_DAMAGED):
        extract.read_raw(csv_of(content[: int(share * len(content))], "x.sav"))
    with fails_with(STATA_DAMAGED):
        extract.read_raw(csv_of(content, "x.dta"))


@pytest.mark.parametrize("missing_bytes", [1, 12, 200, 5000])
def test_dta_cut_short(dta, csv_of, missing_bytes):
    with fails_with(STATA_DAMAGED):
        extract.read_raw(csv_of(dta.read_bytes()[:-missing_bytes], "x.dta"))


@pytest.mark.parametrize(
    ("suffix", "write", "program"), [("sav", pyreadstat.write_sav, "SPSS"), ("dta", pyreadstat.write_dta, "Stata")]
)
def test_unreadable_encoding(tmp_path, suffix, write, program):
    path = tmp_path / f"x.{suffix}"
    write(pd.DataFrame({"a": ["éé", "b"]}), path)
    path.write_bytes(path.read_bytes().replace("éé".encode(), b"\xff\xfeab"))
    with fails_with(
        f"x.{suffix}: text in an encoding that could not be read. Save the file again from {program} as Unicode "
        "(UTF-8)."
    ):
        extract.read_raw(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n\xa3,3\n", "index.csv: line 3 is not UTF-8 text. Save it as 'CSV UTF-8'."),
        ("a,b\n1,2\n".encode("utf-16"), "index.csv: the text is UTF-16. Save it as 'CSV UTF-8'."),
        (b"PK\3\4\0\0", "index.csv: not a .csv file (it holds no plain text). Check the suffix, or export it again."),
        (
            b'a,b\n"1,2\n',
            "index.csv: not a well-formed .csv file (a quotation mark is not closed or stands inside a value). "
            "Export it again.",
        ),
        (b"a;b\n1;2\n", "index.csv: the values are not separated by commas. Save it as comma-separated .csv."),
        (b"a\tb\n1\t2\n", "index.csv: the values are not separated by commas. Save it as comma-separated .csv."),
        (b"", "index.csv: the file has no columns. Export it again."),
        (b"a,b\n", "index.csv: the file has no rows. Export it again."),
        (b"a,,c,\n1,2,3,4\n", "index.csv: no name in the header for column 2, 4. Name or delete it."),
        (
            b"a,b,a\n1,2,3\n",
            "index.csv: columns with the same name, upper and lower case not counted: 'a' (column 1) and "
            "'a' (column 3). Rename all but one of them.",
        ),
        (
            b"a,b\n1,2\n1,2,3\n4\n",
            "index.csv: 2 of 3 rows do not have the 2 values that the header has names for. Put "
            "values that hold a comma in quotation marks, and export the file again.",
        ),
    ],
)
def test_csv_faults(csv_of, content, message):
    with fails_with(message):
        extract.read_raw(csv_of(content))


@pytest.mark.parametrize(("suffix", "write"), [("sav", pyreadstat.write_sav), ("dta", pyreadstat.write_dta)])
def test_names_that_differ_only_by_case_and_no_rows(tmp_path, suffix, write):
    path = tmp_path / f"x.{suffix}"
    write(pd.DataFrame({"Age": [1.0], "b": [1.0], "age": [2.0]}), path)
    with fails_with(
        f"x.{suffix}: columns with the same name, upper and lower case not counted: 'Age' (column 1) and 'age' "
        "(column 3). Rename all but one of them."
    ):
        extract.read_raw(path)
    write(SMALL.iloc[:0], path)
    with fails_with(f"x.{suffix}: the file has no rows. Export it again."):
        extract.read_raw(path)


def test_dta_without_columns(tmp_path):
    path = tmp_path / "x.dta"
    pyreadstat.write_dta(pd.DataFrame(), path)
    with fails_with("x.dta: the file has no columns. Export it again."):
        extract.read_raw(path)


# Ingesting


def test_ingest_sav_sets_codes_to_missing_with_their_reasons(sav):
    table = extract.ingest(extract.read_raw(sav), "dyad_id", {})
    assert list(table) == ["dyad_id", "age", "age__why", "ward", "ward__why", "seen", "seen__why", "score"]
    assert table["dyad_id"].tolist() == ["D1", "D2", "D3", "D4"]
    assert isinstance(table.index, pd.RangeIndex)
    assert values_of(table["age"]) == [None, None, 31.0, None]
    assert table["age__why"].tolist() == ["Not recorded", None, None, "-95"]
    assert table["ward"].tolist() == [None, None, "MBU", "CRT"]
    assert table["ward__why"].tolist() == ["Not known", None, None, None]
    assert table["seen"].tolist() == [None, None, "2016-02-29", "2015-01-01"]
    assert table["seen__why"].tolist() == [None, "0", None, None]
    assert table["score"].dtype == table["age"].dtype == float


def test_ingest_dta_letters_and_whole_number_ids(dta):
    table = extract.ingest(extract.read_raw(dta), "dyad_id", {"smoke": {".b": "Not asked"}})
    assert table["dyad_id"].tolist() == ["12", "3", "7"]
    assert values_of(table["smoke"]) == [1.0, None, None]
    assert table["smoke__why"].tolist() == [None, ".a", "Not asked"]
    assert "note__why" not in table


@pytest.mark.parametrize("code", [-9, -9.0, "-9", "-9.0"], ids=repr)
def test_codes_of_the_codebook_are_compared_as_numbers(csv_of, code):
    raw = extract.read_raw(csv_of("id,age,drug\n1,-9,-9.0\n2,30,F10\n3,,F11\n"))
    table = extract.ingest(raw, "id", {"age": {code: "Not recorded"}, "drug": {code: None}, "elsewhere": {code: "x"}})
    assert values_of(table["age"]) == [None, 30.0, None]
    assert table["age__why"].tolist() == ["Not recorded", None, None]
    assert table["drug"].tolist() == [None, "F10", "F11"]
    assert table["drug__why"].tolist() == ["-9", None, None]


def test_codebook_label_goes_before_the_label_in_the_file(sav):
    table = extract.ingest(extract.read_raw(sav), "dyad_id", {"age": {-9: "Form lost"}, "score": {4.5: "Refused"}})
    assert table["age__why"].tolist() == ["Form lost", None, None, "-95"]
    assert table["score__why"].tolist() == [None, None, None, "Refused"]
    unlabelled = extract.ingest(extract.read_raw(sav), "dyad_id", {"age": {-9: None}})
    assert unlabelled["age__why"].tolist() == ["Not recorded", None, None, "-95"]


def test_csv_text_becomes_numbers_once_its_text_codes_are_missing(csv_of):
    raw = extract.read_raw(csv_of("id,age,kept\n1,NA,NA\n2,30,x\n3,.a,1\n"))
    table = extract.ingest(raw, "id", {"age": {"NA": None, ".a": "Refused"}, "kept": {"NA": None}})
    assert table["age"].dtype == float
    assert values_of(table["age"]) == [None, 30.0, None]
    assert table["age__why"].tolist() == ["NA", None, "Refused"]
    assert table["kept"].tolist() == [None, "x", "1"]


def test_rows_are_sorted_by_id_stably_with_missing_ids_last(csv_of):
    raw = extract.read_raw(csv_of("id,row\n b ,1\n,2\na,3\nb,4\n"))
    table = extract.ingest(raw, "id", {})
    assert table["id"].tolist() == ["a", "b", "b", None]
    assert table["row"].tolist() == [3.0, 1.0, 4.0, 2.0]


def test_rows_of_one_id_keep_their_order_in_a_long_file(csv_of):
    # Sorts that are not stable keep the order of a few rows all the same.
    raw = extract.read_raw(csv_of("id,row\n" + "".join(f"{'ba'[row % 2]},{row}\n" for row in range(400))))
    table = extract.ingest(raw, "id", {})
    assert table["row"].tolist() == [*range(1, 400, 2), *range(0, 400, 2)]


def test_all_ids_missing_are_left_to_validation(tmp_path):
    path = tmp_path / "x.sav"
    pyreadstat.write_sav(pd.DataFrame({"id": ["", " "], "a": [1.0, 2.0]}), path)
    assert extract.ingest(extract.read_raw(path), "id", {})["id"].tolist() == [None, None]


def test_missing_id_column_names_the_nearest(csv_of):
    raw = extract.read_raw(csv_of("Dyad_Id,dyad,age\n1,2,3\n"))
    with fails_with(
        "index.csv: no id column 'dyad_id'; nearest column names: 'Dyad_Id', 'dyad'. Correct the `id` of this file in "
        "the codebook."
    ):
        extract.ingest(raw, "dyad_id", {})
    with fails_with(
        "index.csv: no id column 'qqqq'; no column has a similar name. Correct the `id` of this file in the codebook."
    ):
        extract.ingest(raw, "qqqq", {})


def test_names_kept_for_reasons(csv_of):
    raw = extract.read_raw(csv_of("id,age,age__why\n1,2,3\n"))
    with fails_with(
        "index.csv: names that end in '__why' are kept for the reasons of missing values: 'age__why'. Rename these "
        "columns in the file."
    ):
        extract.ingest(raw, "id", {})


def test_ingest_leaves_the_raw_file_as_it_was(sav):
    raw = extract.read_raw(sav)
    before = raw.data.copy(deep=True)
    extract.ingest(raw, "dyad_id", {"score": {4.5: "Refused"}})
    pd.testing.assert_frame_equal(raw.data, before)


def test_no_row_shows_where_a_raw_file_is_printed(sav):
    shown = repr(extract.read_raw(sav))
    assert "index.sav" in shown
    assert not re.search("D1|2016|31", shown.replace(hashlib.sha256(sav.read_bytes()).hexdigest(), ""))


# Ingested files


def test_ingested_file_gives_back_table_and_metadata(sav, tmp_path):
    raw = extract.read_raw(sav)
    table = extract.ingest(raw, "dyad_id", {})
    extract.write_ingested(table, raw, tmp_path / "index.parquet")
    again, metadata = extract.read_ingested(tmp_path / "index.parquet")
    pd.testing.assert_frame_equal(again, table)
    assert all(
        again[column].isna().sum() == sum(value is None for value in again[column]) for column in ("ward", "seen")
    )
    for field in ("name", "source_format", "sha256", "labels", "value_labels", "user_missing"):
        assert getattr(metadata, field) == getattr(raw, field)


def test_ingested_file_is_the_same_bytes_and_private(sav, tmp_path):
    raw = extract.read_raw(sav)
    table = extract.ingest(raw, "dyad_id", {})
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    second.touch(mode=0o644)
    for path in (first, second):
        extract.write_ingested(table, raw, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first.read_bytes() == second.read_bytes()


# Starter codebook


@pytest.fixture
def as_codebook(tmp_path):
    def read(text: str) -> dict:
        path = tmp_path / "variables.yaml"
        path.write_text(text, encoding="utf-8")
        return read_yaml(path)

    return read


@pytest.fixture
def cohort(tmp_path):
    """Forty dyads with one very young and one very old mother, whom a draft must not show."""
    count = 40
    table = pd.DataFrame(
        {
            "visit": np.arange(count) + 0.5,
            "dyad_id": np.arange(5001, 5001 + count).astype(float),
            "hospital_number": [f"HX{number}" for number in range(count)],
            "age": [13.0, 51.0, -9.0, -95.0] + [20.0 + number % 18 for number in range(count - 4)],
            "weight": [1461.0, 3000.0] + [3000.0 + 10 * number for number in range(count - 2)],
            "ethnicity": [1.0, 2.0, 3.0, 99.0] * 10,
            "few": [7.0, 8.0] * 20,
            "ward": ["Riverside"] * 39 + ["NK"],
            "seen": [dt.date(2015, 3, 4)] * count,
        }
    )
    path = tmp_path / "cohort.sav"
    pyreadstat.write_sav(
        table,
        path,
        column_labels={"age": "Age: at\nadmission", "ethnicity": "Ethnic group"},
        missing_ranges={"age": [-9, {"lo": -99, "hi": -90}], "ethnicity": [99], "ward": ["NK"]},
        variable_value_labels={
            "age": {-9: "Not recorded"},
            "ethnicity": {1: "White British", 2: "White other", 99: "Not stated"},
            "ward": {"NK": "Not known"},
            "dyad_id": {5001: "First dyad"},
        },
    )
    return extract.read_raw(path)


def test_draft_is_yaml_of_the_codebook_schema(cohort, as_codebook):
    drafted = as_codebook(drafting.draft_codebook({"index": cohort}))
    assert drafted == {
        "files": {
            "index": {
                "id": "dyad_id",
                "columns": {
                    "visit": {"label": "visit", "range": [0, 40]},
                    "hospital_number": {"label": "hospital_number", "text": True},
                    "age": {
                        "label": "Age: at admission",
                        "range": [10, 60],
                        "missing": {-9: "Not recorded"},
                    },
                    "weight": {"label": "weight", "range": [1400, 3400]},
                    "ethnicity": {
                        "label": "Ethnic group",
                        "codes": {1: "White British", 2: "White other"},
                        "missing": {99: "Not stated"},
                    },
                    "few": {"label": "few"},
                    "ward": {"label": "ward", "text": True, "missing": {"NK": "Not known"}},
                    "seen": {"label": "seen", "text": True},
                },
            }
        }
    }


def test_draft_counts_are_comments(cohort):
    lines = drafting.draft_codebook({"index": cohort}).splitlines()
    note = {line.split(":")[0].strip(): line.split("  # ")[-1] for line in lines[5:]}
    assert lines[:4] == [
        "# Drafted from the labels in the files: check every line against the study's documents.",
        "files:",
        "  index:",
        "    # cohort.sav: 40 rows",
    ]
    assert lines[4] == "    id: dyad_id  # a guess: unique and complete"
    assert lines[5] == "    # unique and complete as well: hospital_number"
    assert note["age"] == "20 distinct, 2 missing; declared missing from -99 to -90"
    assert note["ethnicity"] == "3 distinct, 10 missing; 1 of them without a label"
    assert note["hospital_number"] == "40 distinct, 0 missing; identifies rows"


def test_draft_shows_no_person(cohort):
    text = drafting.draft_codebook({"index": cohort})
    identifiers = [str(number) for number in range(5001, 5041)] + [f"HX{number}" for number in range(40)]
    for shown in [*identifiers, "First dyad", "Riverside", "2015", "1461", "-95"]:
        assert not re.search(rf"(?<![\w.]){re.escape(shown)}(?![\w.])", text), shown
    assert not re.search(r"\b(13|51)\b", text)


def test_draft_hides_the_id_of_one_file_in_the_others(csv_of, as_codebook):
    index = extract.read_raw(csv_of("dyad\n" + "".join(f"{number}\n" for number in range(301, 330))))
    visits = extract.read_raw(
        csv_of(
            "dyad,visit_id\n" + "".join(f"{301 + number // 2},{number // 2}\n" for number in range(58)), "visits.csv"
        )
    )
    drafted = as_codebook(drafting.draft_codebook({"index": index, "visits": visits}))["files"]
    assert drafted["index"] == {"id": "dyad", "columns": {}}
    assert drafted["visits"] == {"id": None, "columns": {"dyad": {"label": "dyad"}, "visit_id": {"label": "visit_id"}}}


def test_draft_of_stata_letters_and_of_awkward_names(tmp_path, as_codebook):
    path = tmp_path / "index.dta"
    table = pd.DataFrame({"id": [1.0, 2.0], "no": pd.Series([1.0, "a"], dtype=object), "note": ["", "x"]})
    pyreadstat.write_dta(
        table,
        path,
        column_labels={"no": "yes # {no}", "note": "1e5"},
        missing_user_values={"no": ["a"]},
        variable_value_labels={"no": {1: "No"}},
    )
    drafted = as_codebook(drafting.draft_codebook({"null": extract.read_raw(path)}))
    expected = {
        "no": {"label": "yes # {no}", "codes": {1: "No"}, "missing": {".a": ".a"}},
        "note": {"label": "1e5", "text": True},
    }
    assert drafted == {"files": {"null": {"id": "id", "columns": expected}}}


@pytest.mark.parametrize(
    ("lowest", "highest", "expected"),
    [
        (14, 45, [10, 50]),
        (14.2, 44.7, [14, 45]),
        (709, 4990, [700, 5000]),
        (-461, 1239, [-500, 1300]),
        (0.0123, 0.987, [0.01, 0.99]),
        (10, 110, [0, 200]),
    ],
)
def test_range_is_rounded_outward(csv_of, lowest, highest, expected, as_codebook):
    whole = all(float(end).is_integer() for end in (lowest, highest))
    between = np.linspace(lowest, highest, 11)
    values = np.round(between) if whole else between
    rows = "".join(f"{value:.6g},1\n" for value in [*values, values[5]])
    drafted = as_codebook(drafting.draft_codebook({"x": extract.read_raw(csv_of("a,b\n" + rows))}))
    assert drafted["files"]["x"]["columns"]["a"]["range"] == expected


@pytest.mark.parametrize(("distinct", "shown"), [(9, False), (10, True)])
def test_range_needs_ten_distinct_values(csv_of, distinct, shown, as_codebook):
    rows = "".join(f"{100 + number % distinct}\n" for number in range(40))
    drafted = as_codebook(drafting.draft_codebook({"x": extract.read_raw(csv_of("a\n" + rows))}))
    assert ("range" in drafted["files"]["x"]["columns"]["a"]) is shown

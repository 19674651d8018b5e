"""What every script does around its one call."""

import sys

import numpy as np
import pandas as pd
import pytest

from esmi.errors import ResearchError, listed
from esmi.job import read_csv, reporting, write_csv, write_parquet

CANARY = "QQ7731ZZ"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def files_with(text, folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and text in p.read_text())


# --- reporting -------------------------------------------------------------------------------------------------------


def test_a_fault_is_said_as_it_is_on_the_screen_and_in_the_log(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended, reporting("job.log"):
        raise listed("index.sav", ["age: 3 rows outside 14 to 55", "sex: 1 row"])
    assert ended.value.code == 1
    said = "index.sav: 2 faults\n  - age: 3 rows outside 14 to 55\n  - sex: 1 row\n"
    assert (tmp_path / "job.log").read_text() == said
    assert capsys.readouterr() == ("", said)
    assert files_with("index.sav", tmp_path) == ["job.log"]


def fails(value):
    return {}[value]


def test_what_a_defect_says_stands_in_the_restricted_folder_only(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended, reporting("job.log"):
        fails(CANARY)
    assert ended.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert (tmp_path / "job.log").read_text() == err
    assert files_with(CANARY, tmp_path) == ["results/restricted/errors.txt"]
    assert CANARY not in err
    assert "a defect of the workflow: KeyError, at\n" in err
    assert f"{__file__.rsplit('/', 1)[-1]}, line {fails.__code__.co_firstlineno + 1}, in fails" in err
    assert "results/restricted/errors.txt only" in err
    assert "Traceback" not in err
    kept = (tmp_path / "results/restricted/errors.txt").read_text()
    assert kept.startswith("job.log\nTraceback")


def fails_twice(value):
    try:
        fails(value)
    except KeyError as error:
        raise ValueError(f"could not convert string to float: '{value}'") from error


def test_an_error_and_its_cause_are_kept_back_alike(tmp_path, capsys):
    with pytest.raises(SystemExit), reporting("job.log"):
        fails_twice(CANARY)
    assert CANARY not in capsys.readouterr().err
    assert files_with(CANARY, tmp_path) == ["results/restricted/errors.txt"]


def test_the_defects_of_two_jobs_are_both_kept(tmp_path):
    for log, value in (("one.log", "first"), ("two.log", "second")):
        with pytest.raises(SystemExit), reporting(log):
            fails(value)
    kept = (tmp_path / "results/restricted/errors.txt").read_text()
    assert kept.index("one.log") < kept.index("first") < kept.index("two.log") < kept.index("second")


def test_no_fault_leaves_an_empty_log_and_nothing_else(tmp_path, capsys):
    (tmp_path / "job.log").write_text("of the run before")
    with reporting("job.log"):
        value = 1
    assert value == 1
    assert (tmp_path / "job.log").read_text() == ""
    assert capsys.readouterr() == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["job.log"]


def test_an_interruption_is_passed_on(tmp_path):
    with pytest.raises(KeyboardInterrupt), reporting("job.log"):
        raise KeyboardInterrupt
    with pytest.raises(SystemExit) as ended, reporting("job.log"):
        sys.exit(3)
    assert ended.value.code == 3


def test_errors_are_listed_with_their_number():
    assert str(listed("File", ["one"])) == "File: 1 fault\n  - one"
    assert isinstance(listed("File", []), ResearchError)


# --- tables ----------------------------------------------------------------------------------------------------------


def round_trip(table):
    write_csv(table, "table.csv")
    return read_csv("table.csv")


def test_floats_come_back_to_the_last_bit_also_beside_missing_ones():
    rng = np.random.default_rng(20211118)
    values = rng.normal(size=5000) * 10.0 ** rng.integers(-300, 300, 5000)
    values[:4] = [0.1 + 0.2, 1 / 3, 5e-324, 1.7976931348623157e308]
    table = pd.DataFrame({"full": values, "some": np.where(np.arange(5000) % 3, values, np.nan)})
    pd.testing.assert_frame_equal(round_trip(table), table, check_exact=True)


def test_empty_text_stays_empty_text():
    table = pd.DataFrame({"reason": ["", "separation", ""], "nothing": ["", "", ""], "n": [1, 2, 3]})
    pd.testing.assert_frame_equal(round_trip(table), table, check_dtype=False)
    assert round_trip(table)["reason"].tolist() == ["", "separation", ""]
    assert round_trip(table)["nothing"].tolist() == ["", "", ""]


def test_words_that_pandas_takes_for_missing_stay_words():
    words = ["None", "NA", "null", "n/a", "No", "-"]
    assert round_trip(pd.DataFrame({"level": words}))["level"].tolist() == words


def test_whole_numbers_with_missing_ones_are_numbers():
    table = pd.DataFrame({"n": pd.Series([1, None, 3], dtype="Int64"), "full": [1, 2, 3]})
    back = round_trip(table)
    np.testing.assert_equal(back["n"].to_numpy(), [1, np.nan, 3])
    assert back["full"].dtype == "int64"


def test_infinite_numbers_and_truth():
    table = pd.DataFrame({"high": [np.inf, -np.inf, np.nan], "converged": [True, False, True]})
    pd.testing.assert_frame_equal(round_trip(table), table)


def test_a_column_of_numbers_and_words_is_text():
    assert round_trip(pd.DataFrame({"found": ["1", "two", ""]}))["found"].tolist() == ["1", "two", ""]


def test_a_table_without_rows():
    back = round_trip(pd.DataFrame({"a": [], "b": []}))
    assert back.columns.tolist() == ["a", "b"]
    assert back.empty


def test_the_same_table_gives_the_same_bytes(tmp_path):
    table = pd.DataFrame({"a": [1.5, np.nan], "b": ["é", "x,y"]}, index=[5, 9])
    write_csv(table, "one.csv")
    assert (tmp_path / "one.csv").read_bytes() == 'a,b\n1.5,é\n,"x,y"\n'.encode()


def test_parquet_keeps_types():
    table = pd.DataFrame({"x": pd.Categorical(["a", None], ["b", "a"], ordered=True), "y": [1.0, np.nan]})
    write_parquet(table, "table.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet("table.parquet"), table)

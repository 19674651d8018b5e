"""Imputed sets made elsewhere: every format gives the same sets, and nothing wrong in them goes unsaid."""

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from esmi.errors import ResearchError
from esmi.imputation import imported

IDS = ["a1", "a2", "b1", "b2", "c1"]
NO_YES = {0: "no", 1: "yes"}
RACES = {1: "white", 2: "black", 3: "other"}
LEVELS = {"smoke": NO_YES, "race": RACES, "low": NO_YES}


def ordered(values, levels):
    return pd.Categorical(values, categories=levels, ordered=True)


@pytest.fixture
def cleaned():
    """Five people; weight missing for a2 and c1, race for b1, smoking for nobody, the outcome for c1."""
    return pd.DataFrame(
        {
            "id": IDS,
            "low": ordered(["no", "yes", "no", "yes", None], ["no", "yes"]),
            "race": ordered(["white", "other", None, "black", "white"], ["white", "black", "other"]),
            "smoke": ordered(["yes", "no", "no", "yes", "no"], ["no", "yes"]),
            # Numbers that single precision does not hold.
            "weight": [50.1, np.nan, 61.7, 70.3, np.nan],
        }
    )


def coded(cleaned):
    """The same as codes, as a file has them."""
    return pd.DataFrame(
        {"id": cleaned["id"]}
        | {n: cleaned[n].map({v: k for k, v in LEVELS[n].items()}).astype(float) for n in ("low", "race", "smoke")}
        | {"weight": cleaned["weight"]}
    )


@pytest.fixture
def flong(cleaned):
    """Before imputation and three sets, rows not in order; the outcome is filled."""
    original = coded(cleaned)
    tables = [original.assign(imp=0.0)]
    for number in (1, 2, 3):
        filled = original.assign(imp=float(number))
        filled.loc[[1, 4], "weight"] = [55.0 + number, 65.0 - number]
        filled.loc[2, "race"] = float(number)
        filled.loc[4, "low"] = 1.0
        tables.append(filled)
    return pd.concat(tables, ignore_index=True).sample(frac=1, random_state=1, ignore_index=True)


def mlong(flong):
    """Stata's style mlong: ids 1 to 5, those with a value imputed in the sets, _mi_miss in m = 0."""
    rows = flong.rename(columns={"imp": "_mi_m"}).sort_values(["_mi_m", "id"])
    rows["_mi_id"] = rows["id"].map({name: float(place) for place, name in enumerate(IDS, 1)})
    incomplete = rows["id"].isin(["a2", "b1", "c1"])
    rows["_mi_miss"] = incomplete.astype(float).where(rows["_mi_m"] == 0)
    return rows[(rows["_mi_m"] == 0) | incomplete].reset_index(drop=True)


def write_stata(table, path):
    # pyreadstat writes no name that begins with an underscore, as Stata's own names do.
    table.to_stata(path, write_index=False, version=118)


def long_of(flong):
    long = flong.rename(columns={"imp": "imputation"})
    return long.astype({"imputation": "int64"})


def sets(long, cleaned, **changes):
    arguments = {"columns": {}, "levels": LEVELS, "never_filled": ["low"], "m": 3, "file": "sets.dta"}
    return imported.sets(long, cleaned, **arguments | changes)


def faults(long, cleaned, **changes):
    with pytest.raises(ResearchError) as error:
        sets(long, cleaned, **changes)
    message = str(error.value)
    assert message.startswith("sets.dta: these imputed sets cannot be used")
    assert not any(name in message for name in IDS), "an id is in the message"
    return [line.removeprefix("  - ") for line in message.splitlines()[1:]]


def cell(long, number, name, column, value):
    """The table with one value changed."""
    changed = long.copy()
    changed.loc[(long["imputation"] == number) & (long["id"] == name), column] = value
    return changed


# What comes out


def test_sets_are_the_cleaned_data_with_the_imputed_values(flong, cleaned):
    result = sets(long_of(flong), cleaned)
    assert list(result.columns) == ["imputation", *cleaned.columns]
    assert result["imputation"].tolist() == [1] * 5 + [2] * 5 + [3] * 5
    assert result.dtypes.drop("imputation").equals(cleaned.dtypes)
    for number, data in result.groupby("imputation"):
        expected = cleaned.copy()
        expected.loc[[1, 4], "weight"] = [55.0 + number, 65.0 - number]
        expected.loc[2, "race"] = RACES[number]
        pd.testing.assert_frame_equal(data.drop(columns="imputation").reset_index(drop=True), expected)


def test_an_outcome_that_was_filled_is_missing_again_and_no_other_variable(flong, cleaned):
    assert sets(long_of(flong), cleaned).groupby("imputation")["low"].count().tolist() == [4, 4, 4]
    as_predictor = sets(long_of(flong), cleaned, never_filled=[])
    assert as_predictor.loc[as_predictor["id"] == "c1", "low"].tolist() == ["yes"] * 3


def test_an_outcome_that_was_not_filled_is_fine(flong, cleaned):
    long = long_of(flong).assign(low=lambda table: table["low"].where(table["id"] != "c1"))
    pd.testing.assert_frame_equal(sets(long, cleaned), sets(long_of(flong), cleaned))


def test_columns_and_levels_may_have_other_names(flong, cleaned):
    long = long_of(flong).rename(columns={"weight": "LWT"})
    long["race"] = long["race"].map({1: "W", 2: "B", 3: "O"})
    levels = LEVELS | {"race": {"W": "white", "B": "black", "O": "other"}}
    expected = sets(long_of(flong), cleaned)
    pd.testing.assert_frame_equal(sets(long, cleaned, columns={"weight": "LWT"}, levels=levels), expected)
    # Codes that are the level names need no word.
    long["race"] = long["race"].map(levels["race"])
    named = {name: codes for name, codes in LEVELS.items() if name != "race"}
    pd.testing.assert_frame_equal(sets(long, cleaned, columns={"weight": "LWT"}, levels=named), expected)


def test_a_file_in_single_precision_loses_nothing_of_the_observed_values(flong, cleaned):
    single = long_of(flong).assign(weight=lambda table: table["weight"].astype("float32").astype("float64"))
    pd.testing.assert_frame_equal(sets(single, cleaned), sets(long_of(flong), cleaned), check_exact=True)


# What is refused, all of it at once


@pytest.mark.parametrize(
    ("kept", "m", "said"),
    [
        (lambda k: k > 0, 3, "there is no set 0, the data before imputation"),
        (lambda k: k == 0, 3, "there is set 0 alone: nothing is imputed"),
        (lambda k: k < 2, 2, "there is one imputed set: pooling needs two or more"),
        (lambda k: k != 2, 3, "of the sets 1 to 3 there is no 2"),
        (lambda k: k < 4, 20, "there are 3 imputed sets, and imputation.m is 20: it must be 3"),
    ],
)
def test_numbers_of_the_sets(flong, cleaned, kept, m, said):
    long = long_of(flong)
    (fault,) = faults(long[kept(long["imputation"])], cleaned, m=m)
    assert fault.startswith(said)


def test_people_who_are_not_in_every_set(flong, cleaned):
    long = long_of(flong)
    absent = long[~((long["id"] == "b2") & long["imputation"].isin([1, 3]))]
    assert faults(absent, cleaned) == ["2 rows of people who are in other sets not in set 1, 3"]
    assert faults(long[long["id"] != "b2"], cleaned) == ["1 id is in the cleaned data (5) and not in the file"]
    assert faults(long, cleaned.iloc[:3]) == ["2 ids are in the file and not among the 3 of the cleaned data"]


def test_a_person_twice_in_a_set(flong, cleaned):
    long = long_of(flong)
    assert faults(pd.concat([long, long.iloc[:2]]), cleaned) == ["2 rows of a person who is already in the same set"]


def test_observed_values_that_were_changed(flong, cleaned):
    long = cell(cell(long_of(flong), 2, "a1", "weight", 50.1001), 3, "b2", "race", 3.0)
    assert set(faults(long, cleaned)) == {
        "weight: 1 row where an observed value was changed, in set 2",
        "race: 1 row where an observed value was changed, in set 3",
    }
    # Said once, not for every set.
    everywhere = long_of(flong).assign(weight=lambda t: t["weight"].where(t["id"] != "a1", 80.0))
    assert faults(everywhere, cleaned) == ["weight: 1 row of set 0 where the value is not that of the cleaned data"]


def test_observed_values_are_held_against_the_cleaned_data_where_there_is_no_set_0(flong, cleaned):
    long = cell(long_of(flong), 2, "a1", "weight", 80.0)
    found = faults(long[long["imputation"] > 0], cleaned)
    assert found[0].startswith("there is no set 0")
    assert found[1:] == ["weight: 1 row where an observed value was changed, in set 2"]


def test_an_outcome_that_was_changed_is_a_fault_too(flong, cleaned):
    found = faults(cell(long_of(flong), 1, "a1", "low", 1.0), cleaned)
    assert found == ["low: 1 row where an observed value was changed, in set 1"]


@pytest.mark.parametrize(("name", "value"), [("a1", np.nan), ("a2", 58.0)])
def test_values_missing_in_set_0_or_in_the_cleaned_data_alone(flong, cleaned, name, value):
    long = long_of(flong).assign(weight=lambda table: table["weight"].where(table["id"] != name, value))
    if np.isnan(value):
        long.loc[(long["id"] == name) & (long["imputation"] > 0), "weight"] = 52.0
    said = "weight: 1 row of set 0 missing where the cleaned data have a value, or the other way about"
    assert faults(long, cleaned) == [said]


def test_values_missing_after_imputation(flong, cleaned):
    long = cell(cell(long_of(flong), 1, "a2", "weight", np.nan), 3, "b1", "race", np.nan)
    said = [fault.split(" (")[0] for fault in faults(long, cleaned)]
    assert set(said) == {
        "weight: 1 row still missing after imputation, in set 1",
        "race: 1 row still missing after imputation, in set 3",
    }
    assert faults(cell(long_of(flong), 1, "a1", "weight", np.nan), cleaned) == [
        "weight: 1 row where an observed value was changed, in set 1"
    ]


def test_codes_that_no_level_has(flong, cleaned):
    (fault,) = faults(cell(long_of(flong), 1, "b1", "race", 9.0), cleaned)
    assert fault.startswith("race: 1 row with a code that no level has (9): its levels are white, black, other")
    (fault,) = faults(long_of(flong), cleaned, levels=LEVELS | {"race": RACES | {2: "blck"}})
    assert fault == "race: levels name 'blck', which is not one of its levels; did you mean 'black'?"
    # Text may be anyone's words.
    words = long_of(flong).assign(race=lambda table: table["race"].map({1: "white", 2: "black", 3: "private"}))
    (fault,) = faults(words, cleaned)
    assert "code that no level has: its levels" in fault
    assert "private" not in fault


def test_columns_that_are_not_there_or_hold_text(flong, cleaned):
    long = long_of(flong).rename(columns={"race": "rase"})
    long["weight"] = long["weight"].map(lambda value: None if np.isnan(value) else f"{value} kg").astype(object)
    assert set(faults(long, cleaned)) == {
        "race: there is no column 'race'; did you mean 'rase'?",
        "weight: text in 18 rows of column 'weight', and this is a number",
    }


def test_all_faults_are_said_at_once(flong, cleaned):
    long = cell(cell(long_of(flong), 1, "b1", "race", 9.0), 2, "a2", "weight", np.nan)
    long = long[(long["imputation"] != 0) & ~((long["imputation"] == 1) & (long["id"] == "b2"))]
    found = faults(pd.concat([long, long.iloc[:1]]), cleaned, m=5)
    assert len(found) == 6, found


# Formats


def test_stata_mlong_is_completed_and_is_the_same_as_flong(flong, cleaned, tmp_path):
    path, full = tmp_path / "mlong.dta", tmp_path / "flong.dta"
    write_stata(mlong(flong), path)
    whole = flong.rename(columns={"imp": "_mi_m"}).assign(_mi_id=lambda t: t["id"].map(IDS.index) + 1.0)
    whole["_mi_miss"] = whole["id"].isin(["a2", "b1", "c1"]).astype(float).where(whole["_mi_m"] == 0)
    write_stata(whole, full)
    expected = sets(long_of(flong), cleaned)
    for file in (path, full):
        long = imported.read(file, identifier="id")
        assert len(long) == 20
        pd.testing.assert_frame_equal(sets(long, cleaned), expected)


def test_stata_names_its_own_id(flong, cleaned, tmp_path):
    path = tmp_path / "mlong.dta"
    write_stata(mlong(flong).drop(columns="id"), path)
    by_number = cleaned.assign(id=["1", "2", "3", "4", "5"])
    assert sets(imported.read(path), by_number)["weight"].equals(sets(long_of(flong), cleaned)["weight"])


def test_a_row_left_out_of_mlong_is_not_taken_for_a_complete_one(flong, cleaned, tmp_path):
    path, rows = tmp_path / "mlong.dta", mlong(flong)
    write_stata(rows[~((rows["_mi_m"] == 2) & (rows["id"] == "b1"))], path)
    found = faults(imported.read(path, identifier="id"), cleaned)
    assert found == ["1 row of people who are in other sets not in set 2"]


def test_a_row_left_out_of_flong_is_not_taken_for_mlong(flong, cleaned, tmp_path):
    whole = flong.rename(columns={"imp": "_mi_m"}).assign(_mi_id=1.0)
    whole["_mi_miss"] = whole["id"].isin(["a2", "b1", "c1"]).astype(float).where(whole["_mi_m"] == 0)
    path = tmp_path / "flong.dta"
    write_stata(whole[~((whole["_mi_m"] == 2) & (whole["id"] == "a1"))], path)
    found = faults(imported.read(path, identifier="id"), cleaned)
    assert found == ["1 row of people who are in other sets not in set 2"]


def test_extended_missing_values_of_stata_are_missing(flong, cleaned, tmp_path):
    path = tmp_path / "sets.dta"
    weights = flong["weight"].astype(object).where(flong["weight"].notna(), "a")
    weights[(flong["imp"] == 1) & (flong["id"] == "a2")] = "a"
    pyreadstat.write_dta(flong.assign(weight=weights), path, missing_user_values={"weight": ["a"]})
    (fault,) = faults(imported.read(path, "imp", "id"), cleaned)
    assert fault.startswith("weight: 1 row still missing after imputation, in set 1 (Stata imputes . and leaves .a")


@pytest.mark.parametrize("suffix", [".csv", ".dta", ".parquet"])
def test_a_plain_file_with_names_of_its_own(flong, cleaned, tmp_path, suffix):
    path, plain = tmp_path / f"sets{suffix}", flong.rename(columns={"id": "dyad_id"}).assign(imputation="other", id=7.0)
    if suffix == ".dta":
        pyreadstat.write_dta(plain, path)
    elif suffix == ".csv":
        plain.to_csv(path, index=False)
    else:
        plain.to_parquet(path)
    long = imported.read(path, "imp", "dyad_id")
    pd.testing.assert_frame_equal(sets(long, cleaned), sets(long_of(flong), cleaned))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_long_format_of_r(flong, cleaned, tmp_path, suffix):
    path = tmp_path / f"sets{suffix}"
    table = flong.rename(columns={"imp": ".imp", "id": ".id"})
    # Factors: their labels, and NA for missing.
    table["race"] = pd.Categorical(table["race"].map(RACES), categories=RACES.values())
    table.to_csv(path, index=False, na_rep="NA") if suffix == ".csv" else table.to_parquet(path)
    levels = {name: codes for name, codes in LEVELS.items() if name != "race"}
    long = imported.read(path)
    pd.testing.assert_frame_equal(sets(long, cleaned, levels=levels), sets(long_of(flong), cleaned))


# Files that cannot be read


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (["id", "weight"], ["imported.number is needed: no column has the name that Stata (_mi_m) or R (.imp)", "id"]),
        (["_mi_id", "_mi_miss", "_1_weight"], ["style wide or flongsep", "mi convert flong"]),
    ],
)
def test_files_that_hold_no_sets(tmp_path, columns, said):
    path = tmp_path / "data.dta"
    write_stata(pd.DataFrame(1.0, index=range(3), columns=columns), path)
    with pytest.raises(ResearchError) as error:
        imported.read(path)
    assert all(part in str(error.value) for part in ["data.dta", *said])


def test_a_declared_name_that_is_not_there(flong, tmp_path):
    path = tmp_path / "sets.csv"
    flong.to_csv(path, index=False)
    with pytest.raises(ResearchError) as error:
        imported.read(path, "impp", "dyad")
    assert "imported.number: there is no column 'impp'; did you mean 'imp'?" in str(error.value)
    assert "imported.id: there is no column 'dyad'" in str(error.value)


def test_rows_of_no_set_or_of_nobody(flong, tmp_path):
    path, table = tmp_path / "sets.csv", flong.copy()
    table.loc[[0, 1, 2], "imp"] = [np.nan, -1, 1.5]
    table.loc[[3, 4], "id"] = None
    table.to_csv(path, index=False)
    with pytest.raises(ResearchError) as error:
        imported.read(path, "imp", "id")
    assert "imp: 3 rows where the number of the set is not 0, 1, 2, ..." in str(error.value)
    assert "id: 2 rows without an id" in str(error.value)


@pytest.mark.parametrize(("name", "said"), [("sets.sav", "kind '.sav'"), ("sets.parquet", "not a complete .parquet")])
def test_files_of_another_kind(tmp_path, name, said):
    path = tmp_path / name
    path.write_bytes(b"something else")
    with pytest.raises(ResearchError, match=said):
        imported.read(path, "imp", "id")

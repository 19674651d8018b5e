"""Scores of hand-made records; expected numbers are worked by hand from items, reversals and cut-offs in print."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from esmi import instruments, scoring
from esmi.errors import ResearchError

FOLDER = Path(__file__).parents[2] / "codebook" / "instruments"
NAMES = ["bprs", "canm", "cas", "ctq", "honos", "pbq", "tag"]


def declared(name):
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


def parsed(mapping):
    return instruments.parse(mapping, "Instrument small")


def instrument(name):
    return parsed(declared(name))


def record(name, value, **changes):
    """One person who gave `value` to every item but those of `changes` (i8=1: item 8 is 1)."""
    items = dict.fromkeys(instrument(name).items, float(value))
    return pd.DataFrame([items | {int(item[1:]): answer for item, answer in changes.items()}])


def scored(name, items, administration="t1"):
    """The scores of the one record, without the instrument's name."""
    scores, _ = scoring.score(items, instrument(name), administration)
    return scores.iloc[0].rename(lambda column: column.removeprefix(f"{name}_")).to_dict()


def log_of(name, items, scale, administration="t1"):
    _, log = scoring.score(items, instrument(name), administration)
    return log.set_index("scale").loc[scale]


def faults_of(mapping):
    with pytest.raises(ResearchError) as raised:
        parsed(mapping)
    return str(raised.value)


# --- the seven instruments as declared -------------------------------------------------------------------------------


def test_every_instrument_file_is_sound_and_bears_its_own_name():
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == NAMES
    for name in NAMES:
        assert instrument(name).name == name
        assert instrument(name).confirm


@pytest.mark.parametrize(
    ("name", "administration", "number", "column"),
    [
        ("ctq", "t1", 1, "ctq_01"),
        ("ctq", "t1", 28, "ctq_28"),
        ("canm", "t1", 26, "canm_26"),
        ("canm", "t2", 1, "fu_canm_01"),
        ("tag", "t1", 8, "tag_08"),
    ],
)
def test_raw_columns(name, administration, number, column):
    assert instruments.column(instrument(name), administration, number) == column


def test_files_of_the_administrations():
    files = {name: {a: given.file for a, given in instrument(name).administrations.items()} for name in NAMES}
    assert files == {
        "bprs": {"t1": "index"},
        "canm": {"t1": "interview", "t2": "followup"},
        "cas": {"t1": "interview"},
        "ctq": {"t1": "interview"},
        "honos": {"t1": "index"},
        "pbq": {"t1": "interview"},
        "tag": {"t1": "index"},
    }


def test_the_only_mismatch_is_the_printed_range_of_tag():
    assert [line for name in NAMES for line in instruments.mismatches(instrument(name))] == [
        "tag, scale total: the printed range is 0 to 28, but its 8 items of 0 to 4 give 0 to 32."
    ]


def test_tag_agrees_once_the_range_is_that_of_seven_items():
    mapping = declared("tag")
    mapping["scales"]["total"]["items"] = "1-7"
    assert instruments.mismatches(parsed(mapping)) == []


# --- CTQ -------------------------------------------------------------------------------------------------------------

CTQ_REVERSED = {"i2", "i5", "i7", "i13", "i19", "i26", "i28"}


def test_ctq_least_trauma():
    # Every item at its best answer: 1, and 5 where reversed. Five subscales of five items of 1.
    assert scored("ctq", record("ctq", 1, **dict.fromkeys(CTQ_REVERSED, 5))) == {
        "total": 25,
        "emotional_abuse": 5,
        "physical_abuse": 5,
        "sexual_abuse": 5,
        "emotional_neglect": 5,
        "physical_neglect": 5,
        "minimisation": 0,
    }


def test_ctq_most_trauma():
    # Every item 5 and the reversed ones 1; items 10, 16 and 22 are 5 too, and are not in the total.
    assert scored("ctq", record("ctq", 5, **dict.fromkeys(CTQ_REVERSED, 1))) == {
        "total": 125,
        "emotional_abuse": 25,
        "physical_abuse": 25,
        "sexual_abuse": 25,
        "emotional_neglect": 25,
        "physical_neglect": 25,
        "minimisation": 3,
    }


def test_ctq_reversed_items():
    # All answered 1. Emotional neglect: 5, 7, 13, 19, 28 are all reversed, 5 x 5 = 25. Physical neglect: 2 and 26 are
    # reversed, 5 + 5 + 1 + 1 + 1 = 13. The other three: 5 each. Total 25 + 13 + 15 = 53.
    assert scored("ctq", record("ctq", 1)) == {
        "total": 53,
        "emotional_abuse": 5,
        "physical_abuse": 5,
        "sexual_abuse": 5,
        "emotional_neglect": 25,
        "physical_neglect": 13,
        "minimisation": 0,
    }


def test_ctq_a_distinct_answer_lands_in_the_right_subscale():
    # Over the least-trauma record: item 3 = 2 (+1 emotional abuse), item 9 = 3 (+2 physical abuse), item 20 = 4 (+3
    # sexual abuse), item 28 = 1, reversed 5 (+4 emotional neglect), item 26 = 3, reversed 3 (+2 physical neglect).
    # Item 16 = 5 counts for minimisation only.
    changes = dict.fromkeys(CTQ_REVERSED, 5) | {"i3": 2, "i9": 3, "i20": 4, "i28": 1, "i26": 3, "i16": 5}
    assert scored("ctq", record("ctq", 1, **changes)) == {
        "total": 25 + 1 + 2 + 3 + 4 + 2,
        "emotional_abuse": 6,
        "physical_abuse": 7,
        "sexual_abuse": 8,
        "emotional_neglect": 9,
        "physical_neglect": 7,
        "minimisation": 1,
    }


def test_ctq_one_missing_item_of_five_is_prorated_after_reversal():
    # Physical neglect 1, 2, 4, 6, 26 with item 1 missing, the others answered 1: reversed 5, 1, 1, 5, 12/4 x 5 = 15.
    # (Prorated before reversal it would be 1 for the missing item, 13 in all.) Total 25 + 15 + 15 = 55.
    items = record("ctq", 1, i1=np.nan)
    scores = scored("ctq", items)
    assert scores["physical_neglect"] == 15
    assert scores["total"] == 55
    assert log_of("ctq", items, "physical_neglect")[["n_complete", "n_prorated", "n_missing"]].tolist() == [0, 1, 0]
    assert log_of("ctq", items, "total")[["n_complete", "n_prorated", "n_missing"]].tolist() == [0, 1, 0]
    assert log_of("ctq", items, "emotional_abuse")[["n_complete", "n_prorated", "n_missing"]].tolist() == [1, 0, 0]


def test_ctq_two_missing_items_of_five_leave_subscale_and_total_missing():
    # Two of the total's 25 items would be 8%, but the total needs all five subscales.
    items = record("ctq", 1, i3=np.nan, i8=np.nan)
    scores = scored("ctq", items)
    assert np.isnan(scores["emotional_abuse"])
    assert np.isnan(scores["total"])
    assert scores["physical_abuse"] == 5
    assert log_of("ctq", items, "total")[["n_complete", "n_prorated", "n_missing"]].tolist() == [0, 0, 1]


def test_ctq_one_missing_item_in_every_subscale_still_gives_the_total():
    # The least-trauma record without items 3, 9, 20, 5, 1: every subscale 4/4 x 5 = 5.
    changes = dict.fromkeys(CTQ_REVERSED, 5) | dict.fromkeys(["i3", "i9", "i20", "i5", "i1"], np.nan)
    assert scored("ctq", record("ctq", 1, **changes))["total"] == 25


def test_ctq_minimisation_counts_only_fives_and_is_never_prorated():
    assert scored("ctq", record("ctq", 1, i10=5, i16=4, i22=5))["minimisation"] == 2
    assert np.isnan(scored("ctq", record("ctq", 1, i10=5, i16=5, i22=np.nan))["minimisation"])
    assert scored("ctq", record("ctq", 1, i22=np.nan))["total"] == 53


def test_ctq_codes_for_no_answer_are_missing():
    coded = scored("ctq", record("ctq", 1, i1=-8, i3=-9, i8=-8))
    blank = scored("ctq", record("ctq", 1, i1=np.nan, i3=np.nan, i8=np.nan))
    assert coded["physical_neglect"] == 15
    assert np.isnan(coded["emotional_abuse"])
    pd.testing.assert_series_equal(pd.Series(coded), pd.Series(blank))


def test_ctq_severity_begins_at_each_cut_off():
    scales = ["emotional_abuse", "physical_abuse", "sexual_abuse", "emotional_neglect", "physical_neglect"]
    at = {"low": [9, 8, 6, 10, 8], "moderate": [13, 10, 8, 15, 10], "severe": [16, 13, 13, 18, 13]}
    rows = [[cut - 0.25 for cut in at["low"]]]
    rows += [[cut - below for cut in cuts] for cuts in at.values() for below in (0, 0.25)]
    rows += [[25] * 5, [np.nan] * 5]
    scores = pd.DataFrame(rows, columns=[f"ctq_{scale}" for scale in scales], dtype=float)
    bands = scoring.severity(scores, instrument("ctq"))
    assert list(bands.columns) == [f"ctq_{scale}_severity" for scale in scales]
    for column in bands.columns:
        assert bands[column].cat.ordered
        assert list(bands[column].cat.categories) == ["none", "low", "moderate", "severe"]
        expected = ["none", "low", "none", "moderate", "low", "severe", "moderate", "severe"]
        assert bands[column].tolist()[:-1] == expected
        assert pd.isna(bands[column].iloc[-1])


# --- CAS -------------------------------------------------------------------------------------------------------------


def test_cas_lowest_and_highest():
    assert set(scored("cas", record("cas", 0)).values()) == {0}
    # 30, 8, 11, 7 and 4 items of 5.
    assert scored("cas", record("cas", 5)) == {
        "total": 150,
        "severe_combined": 40,
        "emotional": 55,
        "physical": 35,
        "harassment": 20,
    }


def test_cas_items_land_in_their_subscales():
    # Item numbers as printed: 26 severe combined, 29 emotional, 30 physical, 16 harassment.
    scores = scored("cas", record("cas", 0, i26=1, i29=2, i30=3, i16=4))
    assert scores == {"total": 10, "severe_combined": 1, "emotional": 2, "physical": 3, "harassment": 4}


def test_cas_subscales_use_every_item_once():
    cas = instrument("cas")
    parts = [n for scale in cas.scales if scale != "total" for n in instruments.scale_items(cas, scale)]
    assert sorted(parts) == list(range(1, 31))


def test_cas_prorating_by_length_of_the_scale():
    # Physical, 7 items: one missing (14%), 6 items of 2 are 12, 12/6 x 7 = 14. Harassment, 4 items: one missing is 25%.
    # Total, 30 items of which 2 are missing: 28 x 2 = 56, 56/28 x 30 = 60.
    items = record("cas", 2, i6=np.nan, i3=np.nan)
    scores = scored("cas", items)
    assert scores["physical"] == 14
    assert np.isnan(scores["harassment"])
    assert scores["total"] == 60
    assert log_of("cas", items, "harassment")["n_missing"] == 1


def test_cas_total_at_and_above_the_threshold_of_missing_items():
    # 6 of 30 missing is exactly 20%, 7 is above. 24 items of 1 prorate to 30.
    six = {f"i{n}": np.nan for n in range(1, 7)}
    assert scored("cas", record("cas", 1, **six))["total"] == 30
    assert np.isnan(scored("cas", record("cas", 1, **six, i7=np.nan))["total"])


def test_cas_severity_strict_by_default_and_lenient_by_name():
    scores = pd.DataFrame(
        {
            "cas_total": [2.9, 3, 6.9, 7],
            "cas_severe_combined": [0.9, 1, 0, 40],
            "cas_emotional": [2.9, 3, 0, 55],
            "cas_physical": [0.9, 1, 0, 35],
            "cas_harassment": [1.9, 2, 0, 20],
        }
    )
    strict, lenient = (
        scoring.severity(scores, instrument("cas")),
        scoring.severity(scores, instrument("cas"), "lenient"),
    )
    assert strict["cas_total_severity"].tolist() == ["no", "no", "no", "yes"]
    assert lenient["cas_total_severity"].tolist() == ["no", "yes", "yes", "yes"]
    assert list(strict["cas_total_severity"].cat.categories) == ["no", "yes"]
    for scale in ("severe_combined", "emotional", "physical", "harassment"):
        assert strict[f"cas_{scale}_severity"].tolist() == ["no", "yes", "no", "yes"]


def test_a_modified_cas_is_a_change_of_one_line():
    mapping = declared("cas") | {"items": "1-10, 12-20"}
    modified = parsed(mapping)
    assert instruments.scale_items(modified, "harassment") == (3, 13, 16)
    assert instruments.scale_items(modified, "severe_combined") == (2, 5, 7, 15, 18)
    scores, _ = scoring.score(pd.DataFrame([dict.fromkeys(modified.items, 5.0)]), modified, "t1")
    # 19 items of 5; harassment 3, severe combined 5 items of 5.
    assert scores.loc[0, ["cas_total", "cas_harassment", "cas_severe_combined"]].tolist() == [95, 15, 25]
    reported = instruments.mismatches(modified)
    assert any("total" in line and "0 to 150" in line and "0 to 95" in line for line in reported)
    assert any("harassment: uses 3 of its 4 published items (without 11)" in line for line in reported)


def test_a_modified_cas_that_empties_a_scale_is_a_fault():
    message = faults_of(declared("cas") | {"items": "1-2, 4-10, 12, 14-15, 17-30"})
    assert "scales.harassment: none of its items was given" in message


# --- CAN-M -----------------------------------------------------------------------------------------------------------


def test_canm_counts_of_met_and_unmet_needs():
    assert scored("canm", record("canm", 0)) == {"met": 0, "unmet": 0, "substance_unmet": 0}
    assert scored("canm", record("canm", 1)) == {"met": 26, "unmet": 0, "substance_unmet": 0}
    assert scored("canm", record("canm", 2)) == {"met": 0, "unmet": 26, "substance_unmet": 1}
    assert scored("canm", record("canm", 0, i1=1, i2=1, i3=2)) == {"met": 2, "unmet": 1, "substance_unmet": 0}


def test_a_count_with_an_unknown_domain_is_missing_where_its_scale_declares_no_proration():
    mapping = declared("canm")
    del mapping["scales"]["met"]["proration"]
    scores, log = scoring.score(record("canm", 0, i1=2, i26=9), parsed(mapping), "t1")
    assert np.isnan(scores.loc[0, "canm_met"])
    assert scores.loc[0, "canm_substance_unmet"] == 0
    assert log.set_index("scale")["n_missing"].to_dict() == {"met": 1, "unmet": 0, "substance_unmet": 0}


def test_canm_counts_are_prorated():
    # 25 known domains, 5 of them unmet: 5/25 x 26 = 5.2.
    items = record("canm", 0, i1=2, i2=2, i3=2, i4=2, i5=2, i26=9)
    scores, log = scoring.score(items, instrument("canm"), "t1")
    assert scores.loc[0, "canm_unmet"] == 5.2
    assert scores.loc[0, "canm_met"] == 0
    assert log.set_index("scale")["n_prorated"].to_dict() == {"met": 1, "unmet": 1, "substance_unmet": 0}


def test_canm_with_more_than_a_fifth_unknown_has_no_counts():
    # 5 of 26 are 19%, 6 are 23%.
    five, six = ({f"i{item}": 9 for item in range(1, 1 + n)} for n in (5, 6))
    assert scored("canm", record("canm", 2, **five))["unmet"] == 26
    assert np.isnan(scored("canm", record("canm", 2, **six))["unmet"])


@pytest.mark.parametrize(
    ("alcohol", "drugs", "expected", "way"),
    [
        (2, 9, 1, "n_decided"),
        (9, 2, 1, "n_decided"),
        (0, 9, np.nan, "n_missing"),
        (9, 9, np.nan, "n_missing"),
        (1, 0, 0, "n_complete"),
        (2, 0, 1, "n_complete"),
    ],
)
def test_canm_substance_need_by_kleene_logic(alcohol, drugs, expected, way):
    first, second = instruments.scale_items(instrument("canm"), "substance_unmet")
    items = record("canm", 0, **{f"i{first}": alcohol, f"i{second}": drugs})
    np.testing.assert_equal(scored("canm", items)["substance_unmet"], expected)
    ways = log_of("canm", items, "substance_unmet")[["n_complete", "n_prorated", "n_decided", "n_missing"]]
    assert ways[ways == 1].index.tolist() == [way]


def test_canm_at_follow_up_by_its_raw_columns():
    raw = record("canm", 2).rename(columns="fu_canm_{:02d}".format)
    assert scored("canm", raw, "t2")["unmet"] == 26
    assert log_of("canm", raw, "unmet", "t2")["administration"] == "t2"
    with pytest.raises(ResearchError, match=r"canm_01: no such column"):
        scoring.score(raw, instrument("canm"), "t1")
    with pytest.raises(ResearchError, match=r"no administration t3; declared are t1, t2"):
        scoring.score(raw, instrument("canm"), "t3")


# --- HoNOS -----------------------------------------------------------------------------------------------------------


def test_honos_lowest_and_highest():
    assert set(scored("honos", record("honos", 0)).values()) == {0}
    # 12, 3, 2, 3, 4 and 1 items of 4.
    assert scored("honos", record("honos", 4)) == {
        "total": 48,
        "behaviour": 12,
        "impairment": 8,
        "symptoms": 12,
        "social": 16,
        "substance": 4,
    }


def test_honos_items_land_in_their_subscales():
    scores = scored("honos", record("honos", 0, i3=1, i5=2, i6=3, i9=4))
    assert scores == {"total": 10, "behaviour": 1, "impairment": 2, "symptoms": 3, "social": 4, "substance": 1}


def test_honos_unknown_is_missing_and_prorated_in_the_total_only():
    # Two of 12 unknown (17%): ten items of 3 are 30, 30/10 x 12 = 36. One of three or of four items is too many.
    scores = scored("honos", record("honos", 3, i3=9, i12=9))
    assert scores["total"] == 36
    assert [scale for scale, value in scores.items() if np.isnan(value)] == ["behaviour", "social", "substance"]
    # Three of 12 is 25%.
    assert np.isnan(scored("honos", record("honos", 3, i3=9, i11=9, i12=9))["total"])


def test_honos_substance_is_significant_from_two_up():
    items = pd.concat([record("honos", 0, i3=value) for value in (0, 1, 2, 4, 9)], ignore_index=True)
    scores, _ = scoring.score(items, instrument("honos"), "t1")
    bands = scoring.severity(scores, instrument("honos"))
    assert bands["honos_substance_severity"].tolist()[:4] == ["no", "no", "yes", "yes"]
    assert pd.isna(bands["honos_substance_severity"].iloc[4])


# --- PBQ -------------------------------------------------------------------------------------------------------------

PBQ_REVERSED = ["i1", "i4", "i8", "i9", "i11", "i16", "i22", "i25"]


def test_pbq_best_and_worst_bonding():
    assert set(scored("pbq", record("pbq", 0, **dict.fromkeys(PBQ_REVERSED, 5))).values()) == {0}
    # 25, 12, 7, 4 and 2 items of 5.
    assert scored("pbq", record("pbq", 5, **dict.fromkeys(PBQ_REVERSED, 0))) == {
        "total": 125,
        "impaired_bonding": 60,
        "rejection_anger": 35,
        "care_anxiety": 20,
        "abuse_risk": 10,
    }


def test_pbq_reversed_items():
    # All answered 5: only the items that are not reversed score. Factor 1: 12 items less 1, 8, 9, 16 are 8, 40.
    # Factor 2: 7 less 4, 11 are 5, 25. Factor 3: 4 less 22, 25 are 2, 10. Factor 4: 2, 10. Total (25 - 8) x 5 = 85.
    assert scored("pbq", record("pbq", 5)) == {
        "total": 85,
        "impaired_bonding": 40,
        "rejection_anger": 25,
        "care_anxiety": 10,
        "abuse_risk": 10,
    }


def test_pbq_prorating():
    # Factor 1 without items 1 and 2 (2 of 12, 17%), all others 5: 7 of the ten score 5, 35/10 x 12 = 42. Factor 4
    # without item 18 (1 of 2) is missing. Total: 22 items, of which 15 score 5 (17 less 2 and 18): 75/22 x 25.
    scores = scored("pbq", record("pbq", 5, i1=-8, i2=-9, i18=np.nan))
    assert scores["impaired_bonding"] == 42
    assert np.isnan(scores["abuse_risk"])
    assert scores["total"] == pytest.approx(85.2272727, abs=1e-6)
    # Three of 12 is 25%.
    assert np.isnan(scored("pbq", record("pbq", 5, i1=-8, i2=-9, i6=-8))["impaired_bonding"])


def test_pbq_cut_offs_of_2001_and_of_2006():
    scores = pd.DataFrame(
        {
            "pbq_impaired_bonding": [11, 12, 0, 0],
            "pbq_rejection_anger": [12, 13, 16, 17],
            "pbq_care_anxiety": [9, 10, 0, 0],
            "pbq_abuse_risk": [1, 2, 2, 3],
        }
    )
    new = scoring.severity(scores, instrument("pbq"))
    old = scoring.severity(scores, instrument("pbq"), "brockington_2001")
    assert new["pbq_rejection_anger_severity"].tolist() == ["no", "yes", "yes", "yes"]
    assert old["pbq_rejection_anger_severity"].tolist() == ["no", "no", "no", "yes"]
    assert new["pbq_abuse_risk_severity"].tolist() == ["no", "yes", "yes", "yes"]
    assert old["pbq_abuse_risk_severity"].tolist() == ["no", "no", "no", "yes"]
    for bands in (new, old):
        assert bands["pbq_impaired_bonding_severity"].tolist() == ["no", "yes", "no", "no"]
        assert bands["pbq_care_anxiety_severity"].tolist() == ["no", "yes", "no", "no"]


# --- TAG and BPRS ----------------------------------------------------------------------------------------------------


def test_tag():
    assert scored("tag", record("tag", 0)) == {"total": 0}
    assert scored("tag", record("tag", 4)) == {"total": 32}
    # One of eight missing: seven items of 2 are 14, 14/7 x 8 = 16. Two of eight is 25%.
    assert scored("tag", record("tag", 2, i8=-9)) == {"total": 16}
    assert np.isnan(scored("tag", record("tag", 2, i7=-9, i8=-9))["total"])


def test_bprs():
    assert scored("bprs", record("bprs", 0)) == {"total": 0}
    assert scored("bprs", record("bprs", 1)) == {"total": 24}
    # Four of 24 missing (17%): 5 of 20 present, 5/20 x 24 = 6. Five of 24 is 21%.
    present = dict.fromkeys(["i5", "i6", "i7", "i8", "i9"], 1)
    four = dict.fromkeys(["i1", "i2", "i3", "i4"], -9)
    assert scored("bprs", record("bprs", 0, **present, **four)) == {"total": 6}
    assert np.isnan(scored("bprs", record("bprs", 0, **present, **four, i24=-9))["total"])


# --- scoring in general ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_highest_scores_are_the_possible_ones_and_all_missing_is_missing(name):
    given = instrument(name)
    low, high = given.range
    extremes = pd.DataFrame([dict.fromkeys(given.items, float(end)) for end in (low, high)])
    extremes[list(given.reversed)] = low + high - extremes[list(given.reversed)]
    scores, _ = scoring.score(extremes, given, "t1")
    for scale, made in given.scales.items():
        if made.method == "sum":
            assert tuple(scores[f"{name}_{scale}"]) == instruments.possible_range(given, scale)
    nobody, log = scoring.score(record(name, np.nan), given, "t1")
    assert nobody.isna().all(axis=None)
    assert (log["n_missing"] == 1).all()


def test_log_counts_every_row_once():
    items = pd.concat(
        [
            record("ctq", 1),
            record("ctq", 1, i3=np.nan),
            record("ctq", 1, i3=np.nan, i8=np.nan),
            record("ctq", 1, i20=np.nan, i9=np.nan),
            record("ctq", np.nan),
        ]
    )
    items.index = [7, 3, 3, 1, 0]
    scores, log = scoring.score(items, instrument("ctq"), "t1")
    assert list(scores.index) == [7, 3, 3, 1, 0]
    assert (scores.dtypes == "float64").all()
    assert list(log.columns) == scoring.LOG_COLUMNS
    assert log["instrument"].unique().tolist() == ["ctq"]
    ways = log.set_index("scale")[["n_complete", "n_prorated", "n_decided", "n_missing"]]
    assert (ways.sum(axis="columns") == 5).all()
    assert ways.loc["total"].tolist() == [1, 2, 0, 2]
    assert ways.loc["emotional_abuse"].tolist() == [2, 1, 0, 2]
    assert ways.loc["sexual_abuse"].tolist() == [3, 1, 0, 1]
    assert (log["n_items_out_of_range"] == 0).all()


def test_raw_names_and_item_numbers_give_the_same_scores():
    numbered = record("ctq", 2, i5=4, i26=1)
    raw = numbered.rename(columns="ctq_{:02d}".format).assign(dyad_id="A1", ctq_note="unused")
    pd.testing.assert_frame_equal(
        scoring.score(raw, instrument("ctq"), "t1")[0], scoring.score(numbered, instrument("ctq"), "t1")[0]
    )


def test_scoring_leaves_its_input_as_it_was():
    items = record("pbq", 5, i1=-8)
    before = items.copy(deep=True)
    scoring.score(items, instrument("pbq"), "t1")
    assert scoring.reverse(items, instrument("pbq")).loc[0, [2, 4]].tolist() == [5, 0]
    pd.testing.assert_frame_equal(items, before)


def test_items_out_of_range_stop_the_scoring_with_item_and_count_only():
    items = pd.concat([record("ctq", 1, i3=6), record("ctq", 1, i3=0, i9=2.5), record("ctq", 1, i10=77)])
    items["dyad_id"] = ["E-0417", "E-0522", "E-0633"]
    with pytest.raises(ResearchError) as raised:
        scoring.score(items, instrument("ctq"), "t1")
    message = str(raised.value)
    assert "file interview: 3 faults" in message
    assert "ctq_03: 2 rows hold neither a whole number from 1 to 5 nor a declared missing code (-9, -8)" in message
    assert "ctq_09: 1 row holds" in message
    assert "ctq_10: 1 row holds" in message
    for private in ("E-0417", "E-0522", "E-0633", "77", "2.5"):
        assert private not in message


def test_a_missing_code_of_another_instrument_is_out_of_range():
    with pytest.raises(ResearchError, match=r"ctq_03: 1 row "):
        scoring.score(record("ctq", 1, i3=9), instrument("ctq"), "t1")
    with pytest.raises(ResearchError, match=r"honos_03: 1 row "):
        scoring.score(record("honos", 1, i3=-9), instrument("honos"), "t1")


def test_absent_text_and_double_columns_are_reported_together():
    items = record("tag", 1).drop(columns=[3]).assign(tag_05=1.0)
    items[4] = "severe"
    with pytest.raises(ResearchError) as raised:
        scoring.score(items, instrument("tag"), "t1")
    message = str(raised.value)
    assert "3 faults" in message
    assert "tag_03: no such column" in message
    assert "tag_04: the column holds text" in message
    assert "tag_05: item 5 has more than one column" in message
    assert "severe" not in message


def test_nullable_integers_and_a_column_without_any_answer_are_taken():
    items = record("tag", 2).astype("Int64")
    items[8] = pd.Series([None], dtype="object")
    assert scored("tag", items) == {"total": 16}


def test_mean_of_items():
    mapping = declared("honos")
    mapping["scales"]["total"] = {"label": "Mean", "method": "mean", "items": "1-12"}
    given = parsed(mapping)
    # Ten items of 3 known: their mean, not times twelve.
    scores, log = scoring.score(record("honos", 3, i1=9, i2=9), given, "t1")
    assert scores.loc[0, "honos_total"] == 3
    assert log.set_index("scale").loc["total", "n_prorated"] == 1
    assert instruments.possible_range(given, "total") == (0, 4)


def test_a_threshold_of_nought_forbids_prorating():
    mapping = declared("tag") | {"proration": {"max_missing_share": 0}}
    scores, _ = scoring.score(record("tag", 2, i8=-9), parsed(mapping), "t1")
    assert np.isnan(scores.loc[0, "tag_total"])


def test_severity_needs_a_known_set_and_the_scores():
    with pytest.raises(
        ResearchError, match=r"no cut-offs brockington_1999; declared are brockington_2001, brockington_2006"
    ):
        scoring.severity(pd.DataFrame(), instrument("pbq"), "brockington_1999")
    with pytest.raises(ResearchError, match=r"no cut-offs None; declared are none"):
        scoring.severity(pd.DataFrame(), instrument("tag"))
    with pytest.raises(ResearchError, match=r"no column honos_substance"):
        scoring.severity(pd.DataFrame({"honos_total": [1.0]}), instrument("honos"))


# --- faults of a declaration -----------------------------------------------------------------------------------------


def small(**changes):
    """A sound instrument of four items, with changes."""
    mapping = {
        "name": "small",
        "title": "A small instrument",
        "administrations": {"t1": {"file": "index", "items": "small_{:02d}"}},
        "items": "1-4",
        "range": [0, 3],
        "missing": {9: "Unknown"},
        "reversed": [2],
        "proration": {"max_missing_share": 0.25},
        "scales": {
            "first": {"label": "First", "items": [1, 2]},
            "second": {"label": "Second", "items": [3, 4]},
            "total": {"label": "Total", "of_scales": ["first", "second"]},
        },
        "default_cut_off_set": "print",
        "cut_off_sets": {"print": {"source": "print", "below": "no", "scales": {"total": {"yes": 12}}}},
        "source": "made for the test",
    }
    return copy.deepcopy(mapping) | changes


def scales(**made):
    return {"first": {"label": "First", "items": [1, 2]}} | made


def test_the_small_instrument_is_sound():
    given = parsed(small())
    assert given.items == (1, 2, 3, 4)
    assert instruments.possible_range(given, "total") == (0, 12)


@pytest.mark.parametrize(
    ("written", "items"),
    [("1-4", (1, 2, 3, 4)), ("1 - 2, 4", (1, 2, 4)), ("3", (3,)), ([1, 2, 4], (1, 2, 4))],
)
def test_item_numbers_as_list_or_compact_string(written, items):
    only = {"first": {"label": "First", "items": list(items)}}
    mapping = small(items=written, reversed=[], scales=only, cut_off_sets={}, default_cut_off_set=None)
    assert parsed(mapping).items == items


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        # shape
        ({"reverse": [2]}, "reverse: unknown key; did you mean 'reversed'?"),
        ({"colour": "blue"}, "colour: unknown key"),
        ({"proration": {"max_missing": 0.2}}, "proration.max_missing: unknown key; did you mean 'max_missing_share'?"),
        ({"scales": {"a": {"label": "A", "item": [1]}}}, "scales.a.item: unknown key; did you mean 'items'?"),
        ({"proration": {"max_missing_share": 1}}, "proration.max_missing_share: found 1; allowed: less than 1"),
        ({"items": "1 to 4"}, "items: '1 to 4' is no list of item numbers"),
        ({"items": "4-1"}, "items: '4-1' holds the range 4-1, which runs backwards"),
        ({"items": [1, 2, 2, 3, 4]}, "items: item numbers given more than once: 2"),
        ({"items": []}, "items: found an empty list; allowed: 1 or more entries"),
        (
            {"administrations": {"t1": {"file": "index", "items": "small_1"}}},
            "administrations.t1.items: found 'small_1'",
        ),
        ({"administrations": {"t1": {"file": "index", "items": "s_{0.real}"}}}, "administrations.t1.items: found"),
        (
            {"cut_off_sets": {"print": {"source": "p", "below": False, "scales": {"total": {"yes": 1}}}}},
            "cut_off_sets.print.below: found false; allowed: a text, in quotation marks",
        ),
        # cross-checks
        ({"range": [3, 0]}, "range: 3 to 0 is empty"),
        ({"missing": {3: "Unknown"}}, "missing: 3 is also an allowed value (range 0 to 3)"),
        ({"reversed": [2, 5]}, "reversed: 5 not among the items"),
        ({"items": "1-5", "published_items": "1-4"}, "items: 5 not in published_items"),
        ({"scales": scales(total={"label": "T", "items": "1-6"})}, "scales.total.items: 5, 6 not among the items"),
        ({"scales": scales(total={"label": "T"})}, "scales.total: give either items or of_scales"),
        (
            {"scales": scales(total={"label": "T", "items": [1], "of_scales": ["first"]})},
            "scales.total: give either items or of_scales",
        ),
        (
            {"scales": scales(total={"label": "T", "items": [1], "method": "count"})},
            "scales.total.equals: goes with the methods count and any, which need it; method is count",
        ),
        (
            {"scales": scales(total={"label": "T", "items": [1], "equals": 1})},
            "scales.total.equals: goes with the methods count and any, which need it; method is sum",
        ),
        (
            {"scales": scales(total={"label": "T", "items": [1], "method": "count", "equals": [1, 4]})},
            "scales.total.equals: 4 outside the range 0 to 3",
        ),
        (
            {
                "scales": scales(
                    total={
                        "label": "T",
                        "items": [1],
                        "method": "any",
                        "equals": 1,
                        "proration": {"max_missing_share": 0},
                    }
                )
            },
            "scales.total.proration: the method any cannot be prorated",
        ),
        (
            {"scales": scales(total={"label": "T", "of_scales": ["first", "thrid"]})},
            "scales.total.of_scales: no such scale: thrid",
        ),
        ({"scales": scales(total={"label": "T", "of_scales": ["total"]})}, "total is not itself a sum of items"),
        (
            {"scales": scales(total={"label": "T", "of_scales": ["first"], "method": "mean"})},
            "scales.total.of_scales: adds scores that are prorated already",
        ),
        (
            {
                "scales": scales(
                    second={"label": "S", "items": [2, 3]}, total={"label": "T", "of_scales": ["first", "second"]}
                )
            },
            "scales.total.of_scales: an item would be added more than once",
        ),
        (
            {"scales": scales(total={"label": "T", "of_scales": ["first", "first"]})},
            "scales.total.of_scales: an item would be added more than once",
        ),
        (
            {"scales": scales(total={"label": "T", "items": "1-4", "printed_range": [12, 0]})},
            "scales.total.printed_range: give the lowest score first",
        ),
        (
            {
                "administrations": {
                    "t1": {"file": "index", "items": "small_{:02d}"},
                    "t2": {"file": "index", "items": "small_{:02d}"},
                }
            },
            "administrations.t1 and administrations.t2: the same columns of the same file",
        ),
        ({"default_cut_off_set": "prnt"}, "default_cut_off_set: found prnt; must be one of the cut_off_sets (print)"),
        ({"default_cut_off_set": None}, "default_cut_off_set: found None; must be one of the cut_off_sets (print)"),
        ({"cut_off_sets": {}}, "default_cut_off_set: found print; must be one of the cut_off_sets (none)"),
        (
            {"cut_off_sets": {"print": {"source": "p", "below": "no", "scales": {"whole": {"yes": 1}}}}},
            "cut_off_sets.print.scales.whole: no such scale; scales are first, second, total",
        ),
        (
            {"cut_off_sets": {"print": {"source": "p", "below": "no", "scales": {"total": {"no": 1}}}}},
            "cut_off_sets.print.scales.total: the band no is also the one below the cut-offs",
        ),
        (
            {"cut_off_sets": {"print": {"source": "p", "below": "no", "scales": {"total": {"low": 5, "high": 5}}}}},
            "cut_off_sets.print.scales.total: cut-offs must rise from band to band",
        ),
        (
            {"cut_off_sets": {"print": {"source": "p", "below": "no", "scales": {"total": {"yes": 13}}}}},
            "cut_off_sets.print.scales.total: yes begins outside the possible scores, which lie above 0 and up to 12",
        ),
        (
            {"cut_off_sets": {"print": {"source": "p", "below": "no", "scales": {"total": {"yes": 0}}}}},
            "cut_off_sets.print.scales.total: yes begins outside the possible scores",
        ),
    ],
)
def test_a_fault_is_named_with_its_key(changes, fault):
    assert fault in faults_of(small(**changes))


def test_all_faults_of_a_kind_come_at_once():
    shape = small(reverse=[1], items="x", range=["a", 3])
    del shape["source"]
    assert "Instrument small: 4 faults" in faults_of(shape)
    crossed = small(
        missing={1: "Unknown"},
        reversed=[7],
        scales=scales(total={"label": "T", "items": [8]}, other={"label": "O"}),
        cut_off_sets={"print": {"source": "p", "below": "no", "scales": {"first": {"yes": 99}, "whole": {"yes": 1}}}},
    )
    message = faults_of(crossed)
    for key in ("missing:", "reversed:", "scales.total", "scales.other", "print.scales.first", "print.scales.whole"):
        assert key in message

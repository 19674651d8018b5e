"""Tipping points and results side by side, on tables small enough to see through."""

import numpy as np
import pandas as pd
import pytest

from esmi import sensitivity
from esmi.errors import ResearchError

LABELS = {"ctq_total": "the childhood trauma score", "pd": "personality disorder", "pd[yes]": "personality disorder"}


def pooled(**intervals):
    """A pooled table with one adjusted row per term, and an unadjusted one that counts nowhere."""
    rows = []
    for name, (low, high) in intervals.items():
        term = "pd[yes]" if name == "pd" else name
        for part, fit in (("unadjusted", name), ("adjusted", "adjusted")):
            odds = np.sqrt(low * high)
            rows.append((part, fit, term, np.log(odds), np.log(high / odds) / 2, odds, low, high, 0.5, "", "t1"))
    columns = ["model_part", "fit", "term", "estimate", "std_error", "odds_ratio", "or_low", "or_high"]
    return pd.DataFrame(rows, columns=[*columns, "p_value", "reason", "model"])


def grid(intervals, variable="ctq_total", scale="score"):
    """One scenario per shift: {shift: interval}."""
    tables = [
        pooled(**{variable: interval}).assign(scenario=f"s{shift}", variable=variable, scale=scale, shift=float(shift))
        for shift, interval in intervals.items()
    ]
    return pd.concat(tables, ignore_index=True)


MAIN = pooled(ctq_total=(1.05, 1.5), pd=(0.8, 2.5))
LOST = grid({-30: (0.8, 1.2), -20: (0.95, 1.3), -10: (1.01, 1.4), 10: (1.1, 1.6), 20: (1.2, 1.7)})


def points(main, scenarios, term="ctq_total"):
    table = sensitivity.tipping_points(sensitivity.shifts(main, scenarios, [term]), LABELS)
    assert list(table.columns) == sensitivity.TIPPING_COLUMNS
    assert len(table) == 1
    return table.iloc[0]


def test_the_grid_holds_the_main_analysis_at_shift_zero():
    table = sensitivity.shifts(MAIN, LOST, ["ctq_total"])
    assert list(table.columns) == sensitivity.SHIFT_COLUMNS
    assert list(table["shift"]) == [-30, -20, -10, 0, 10, 20]
    assert list(table["conclusion"]) == ["not clear"] * 2 + ["above 1"] * 4
    assert list(table["changed"]) == [True, True, False, False, False, False]
    assert set(table["model_part"]) == {"adjusted"}
    assert table.loc[3, ["or_low", "or_high"]].tolist() == [1.05, 1.5]


def test_a_clear_association_that_is_lost():
    row = points(MAIN, LOST)
    assert row[["lower_holds", "lower_tips", "higher_holds"]].tolist() == [-10, -20, 20]
    assert np.isnan(row["higher_tips"])
    assert row[["lowest_shift", "highest_shift"]].tolist() == [-30, 20]
    assert row["sentence"] == (
        "If the unknown values of the childhood trauma score were on average 20 points lower than the imputation "
        "assumed, the association of the childhood trauma score would no longer be clear (the change lies between "
        "shifts of -10 and -20)."
    )


def test_the_nearer_change_counts_even_if_it_is_undone_further_out():
    row = points(MAIN, grid({-10: (0.9, 1.3), -20: (1.05, 1.3), -30: (0.9, 1.1)}))
    assert row[["lower_holds", "lower_tips"]].tolist() == [0, -10]
    assert row["higher_holds"] == 0


def test_both_directions_are_said_the_nearer_first():
    row = points(MAIN, grid({-20: (0.5, 0.9), 10: (0.9, 1.6)}))
    assert row[["lower_tips", "higher_tips"]].tolist() == [-20, 10]
    first, second = row["sentence"].split("). If")
    assert "10 points higher" in first
    assert "no longer be clear" in first
    assert "20 points lower" in second
    assert "opposite direction" in second


def test_a_conclusion_that_holds_on_the_whole_grid():
    row = points(MAIN, grid({-20: (1.02, 1.4), 10: (1.1, 1.6)}))
    assert row[["lower_tips", "higher_tips"]].isna().all()
    assert row["sentence"] == (
        "Even if the unknown values of the childhood trauma score were on average up to 20 points lower or up to 10 "
        "points higher than the imputation assumed, the association of the childhood trauma score would still be clear."
    )
    assert "lower or" not in points(MAIN, grid({10: (1.1, 1.6)}))["sentence"]


def test_an_association_that_becomes_clear_on_the_logit_scale():
    scenarios = grid({-1: (0.7, 2.2), 0.5: (0.9, 2.8), 1: (1.1, 3)}, "pd", "logit")
    row = points(MAIN, scenarios, "pd[yes]")
    assert row[["higher_holds", "higher_tips"]].tolist() == [0.5, 1]
    assert row["sentence"].startswith(
        "If the odds of yes among the unknown values of personality disorder were 2.72 times higher than the "
        "imputation assumed, the association of personality disorder would become clear"
    )
    assert "would still not be clear" in points(MAIN, scenarios[scenarios["shift"] < 1], "pd[yes]")["sentence"]


def test_no_estimate_is_no_change_and_is_said():
    row = points(MAIN, grid({-10: (1.01, 1.3), -20: (np.nan, np.nan), -30: (0.9, 1.1)}))
    assert row[["lower_holds", "lower_tips"]].tolist() == [-10, -30]
    assert row["sentence"].endswith("At shifts of -20 the model has no estimates.")
    row = points(pooled(ctq_total=(np.nan, np.nan)), LOST)
    assert np.isnan(row["lower_tips"])
    assert "no conclusion to change" in row["sentence"]


def test_every_variable_that_is_shifted_has_its_own_grid():
    other = pd.concat([grid({1: (1.1, 1.4)}), grid({1: (0.8, 1.4)}).assign(variable="pd", scale="logit")])
    table = sensitivity.tipping_points(sensitivity.shifts(MAIN, other, ["ctq_total"]), {})
    assert list(table["variable"]) == ["ctq_total", "pd"]
    assert np.isnan(table.loc[0, "higher_tips"])
    assert table.loc[1, "higher_tips"] == 1


@pytest.mark.parametrize(
    ("scenarios", "terms", "message"),
    [
        (grid({0: (1, 2)}), ["ctq_total"], "shift 0"),
        (pd.concat([LOST, LOST]), ["ctq_total"], "ctq_total: shift -30 is there more than once"),
        (LOST, ["cas_total"], "cas_total: is not among"),
    ],
)
def test_grids_that_cannot_be_read(scenarios, terms, message):
    with pytest.raises(ResearchError, match=message):
        sensitivity.shifts(MAIN, scenarios, terms)


def test_sources_side_by_side():
    shifted = MAIN.assign(estimate=MAIN["estimate"] + MAIN["std_error"] / 2)
    short = MAIN[MAIN["term"] == "ctq_total"]
    table = sensitivity.compare_sources({"main": MAIN, "chained": shifted}, {"complete cases": short})
    assert list(table.columns) == sensitivity.SOURCE_COLUMNS
    assert list(table["source"][:3]) == ["main", "chained", "complete cases"]
    assert set(table["term"][:6]) == {"ctq_total"}
    differences = table.set_index(["source", "term", "model_part"])["difference_in_std_errors"]
    assert (differences["main"] == 0).all()
    assert differences["chained"].tolist() == pytest.approx([0.5] * 4)
    absent = table[(table["source"] == "complete cases") & (table["term"] == "pd[yes]")]
    assert set(absent["reason"]) == {"not in this source"}
    assert absent["odds_ratio"].isna().all()


def test_sources_need_a_main_one_and_one_name_each():
    with pytest.raises(ResearchError, match="no source is called main"):
        sensitivity.compare_sources({"chained": MAIN}, {})
    with pytest.raises(ResearchError, match="named twice: main"):
        sensitivity.compare_sources({"main": MAIN}, {"main": MAIN})

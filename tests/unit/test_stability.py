"""Whether there are imputations enough."""

import numpy as np
import pandas as pd
import pytest

from esmi.stability import STABILITY_COLUMNS, stability


def pooled(odds_ratio_mcse=0.004, or_high_mcse=0.02, mcse=0.02, fmi=0.3, m=20, estimate=0.5):
    row = {"model_part": "adjusted", "estimate": estimate, "std_error": 0.4, "mcse": mcse, "fmi": fmi, "m": m}
    row |= {"odds_ratio_mcse": odds_ratio_mcse, "or_low_mcse": 0.001, "or_high_mcse": or_high_mcse}
    steady = row | {"odds_ratio_mcse": 0.0, "or_high_mcse": 0.0, "mcse": 0.0, "fmi": 0.01}
    wild = row | {"odds_ratio_mcse": 9.0, "or_high_mcse": 9.0, "mcse": 9.0, "fmi": 0.99}
    return pd.DataFrame(
        [
            wild | {"term": "(Intercept)"},
            wild | {"term": "age", "model_part": "unadjusted"},
            steady | {"term": "age"},
            row | {"term": "pd[yes]"},
        ]
    )


def test_the_worst_adjusted_term_decides_and_the_intercept_does_not():
    table = stability(pooled()).set_index("criterion")
    ratios = table.loc["odds ratios stable to 2 decimals"]
    assert (ratios["stable"], ratios["needed"], ratios["m"]) == (True, 20, 20)
    assert ratios["sentence"] == "Odds ratios stable to 2 decimals: yes, with M = 20."
    limits = table.loc["interval limits stable to 2 decimals"]
    # A Monte Carlo error of .02 against .005: four times too large, so 16 times as many imputations.
    assert (limits["stable"], limits["needed"]) == (False, 320)
    assert limits["sentence"] == "Interval limits stable to 2 decimals: no, with M = 20; M = 320 needed."
    # .02 is half of a tenth of .4; 41 by von Hippel's own example; 100 times .3.
    assert table.loc["Monte Carlo errors within a tenth of the standard errors", "stable"]
    assert table.loc["standard errors repeatable to 5%", "needed"] == 41
    assert table.loc["100 times the fraction of missing information", "needed"] == 30


def test_fewer_decimals_ask_for_less():
    limits = stability(pooled(), decimals=1).set_index("criterion").loc["interval limits stable to 1 decimals"]
    assert limits["stable"]


def test_two_imputations_have_no_monte_carlo_errors_and_still_need_more():
    unknown = dict.fromkeys(["odds_ratio_mcse", "or_low_mcse", "or_high_mcse"], np.nan)
    table = stability(pooled(m=2).assign(**unknown))
    assert "odds ratios stable to 2 decimals" not in set(table["criterion"])
    assert not table.set_index("criterion").loc["standard errors repeatable to 5%", "stable"]


def test_without_estimates_there_is_nothing_to_say():
    table = stability(pooled(estimate=np.nan))
    assert table.empty
    assert list(table.columns) == STABILITY_COLUMNS


@pytest.mark.parametrize("m", [5, 50])
def test_what_is_stable_never_needs_more(m):
    table = stability(pooled(m=m))
    assert (table["stable"] == (table["needed"] <= m)).all()

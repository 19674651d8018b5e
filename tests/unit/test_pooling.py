"""Rubin's rules, joint tests and Monte Carlo error on tables small enough to do by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from esmi.errors import ResearchError
from esmi.joint_tests import TEST_COLUMNS, joint_test, joint_tests
from esmi.pooling import (
    JACKKNIFED,
    POOLED_COLUMNS,
    fmi_interval,
    imputations_needed,
    jackknife,
    monte_carlo_error,
    pool_fits,
    rubin,
)

# One coefficient, three imputations: mean 2, Ubar 4, B 1, (1 + 1/3) B = 4/3, T = 16/3, riv 1/3, lambda 1/4.
ESTIMATES = np.array([[1.0], [2.0], [3.0]])
COVARIANCES = np.array([[[3.0]], [[4.0]], [[5.0]]])


def test_one_coefficient_by_hand():
    pooled = rubin(ESTIMATES, COVARIANCES, df_complete=None, df_method="large-sample", level=0.9)
    assert pooled.m == 3
    assert pooled.estimate == pytest.approx([2])
    assert pooled.ubar == pytest.approx([4])
    assert pooled.b == pytest.approx([1])
    assert pooled.covariance == pytest.approx(np.array([[16 / 3]]))
    assert pooled.riv == pytest.approx([1 / 3])
    assert pooled.lambda_ == pytest.approx([1 / 4])
    assert pooled.df == pytest.approx([32])  # 2/(1/4)^2
    assert pooled.fmi == pytest.approx([(1 / 3 + 2 / 35) / (4 / 3)])
    assert pooled.std_error == pytest.approx([np.sqrt(16 / 3)])
    assert pooled.statistic == pytest.approx([2 / np.sqrt(16 / 3)])
    # Printed table of t: 1.6939 leaves 5% above it at 32 degrees of freedom.
    assert pooled.conf_high == pytest.approx([2 + 1.6939 * np.sqrt(16 / 3)], abs=2e-4)
    assert pooled.conf_low == pytest.approx([2 - 1.6939 * np.sqrt(16 / 3)], abs=2e-4)
    assert pooled.p_value == pytest.approx([2 * (1 - stats.t.cdf(np.sqrt(3) / 2, 32))])


def test_barnard_rubin_by_hand():
    pooled = rubin(ESTIMATES, COVARIANCES, df_complete=9)
    # nu_obs = 10/12 * 9 * 3/4 = 5.625; nu = 32 * 5.625/37.625.
    assert pooled.df == pytest.approx([180 / 37.625])
    assert pooled.fmi == pytest.approx([(1 / 3 + 2 / (180 / 37.625 + 3)) / (4 / 3)])


def test_barnard_rubin_without_complete_df_is_the_large_sample():
    assert rubin(ESTIMATES, COVARIANCES, df_complete=None).df == pytest.approx([32])


def test_total_covariance_of_two_coefficients():
    estimates = np.array([[0.0, 1.0], [2.0, -1.0]])  # B = [[2, -2], [-2, 2]]
    pooled = rubin(estimates, np.array([[[4.0, 1.0], [1.0, 4.0]]] * 2), df_complete=None)
    assert pooled.covariance == pytest.approx(np.array([[7.0, -2.0], [-2.0, 7.0]]))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("df_complete", "df_method", "df"),
    [(9, "barnard-rubin", 7.5), (None, "barnard-rubin", np.inf), (9, "large-sample", np.inf)],
)
def test_no_variance_between_imputations(df_complete, df_method, df):
    # Three times 0.1 is not 0.3 in binary numbers: the variance must be zero all the same.
    pooled = rubin(np.full((3, 1), 0.1), COVARIANCES, df_complete, df_method)
    assert pooled.b == 0
    assert pooled.riv == 0
    assert pooled.lambda_ == 0
    assert pooled.df == pytest.approx(df)
    assert pooled.fmi == pytest.approx(2 / (df + 3))
    assert pooled.conf_high == pytest.approx(0.1 + 2 * stats.t.ppf(0.975, df))
    assert pooled.p_value == pytest.approx(2 * stats.t.sf(0.05, df))


def test_infinite_df_gives_the_normal_interval():
    pooled = rubin(np.full((3, 1), 0.1), COVARIANCES, None)
    assert pooled.conf_high == pytest.approx(0.1 + 2 * 1.959964, abs=1e-5)


def test_one_imputation_cannot_be_pooled():
    for pool in (lambda q, u: rubin(q, u, None), joint_test, lambda q, u: monte_carlo_error(means, q, u)):
        with pytest.raises(ResearchError, match="at least two imputations"):
            pool(ESTIMATES[:1], COVARIANCES[:1])


@pytest.mark.parametrize(
    ("estimates", "covariances", "settings", "message"),
    [
        (ESTIMATES, COVARIANCES[:2], {}, "do not fit together"),
        (ESTIMATES * np.nan, COVARIANCES, {}, "finite"),
        (ESTIMATES, COVARIANCES * 0, {}, "variance above zero"),
        (ESTIMATES, COVARIANCES, {"df_complete": 0}, "must be positive"),
        (ESTIMATES, COVARIANCES, {"df_method": "welch"}, "neither barnard-rubin nor large-sample"),
    ],
)
def test_arrays_that_cannot_be_pooled(estimates, covariances, settings, message):
    with pytest.raises(ValueError, match=message):
        rubin(estimates, covariances, **{"df_complete": None} | settings)


def test_d1_with_small_t_by_hand():
    # k = 1, m = 3: t = 2; riv 1/3; F = 4/4/(4/3) = 3/4; df2 = 2 * 2 * (1 + 3)^2/2 = 32.
    test = joint_test(ESTIMATES, COVARIANCES)
    assert (test.method, test.k, test.df1) == ("D1", 1, 1)
    assert test.riv == pytest.approx(1 / 3)
    assert pytest.approx(3 / 4) == test.F
    assert test.df2 == pytest.approx(32)
    assert test.p_value == pytest.approx(stats.f.sf(0.75, 1, 32))


def test_d1_where_both_formulas_of_the_denominator_meet_the_boundary():
    # k = 2, m = 3: t = 4 still takes the formula of few imputations, 4 * 3/2 * (1 + 1/r)^2/2.
    # B = I, Ubar = 4 I: r = (4/3) * (2/4)/2 = 1/3.
    angles = np.arange(3) * 2 * np.pi / 3
    estimates = np.column_stack([np.cos(angles), np.sin(angles)]) * np.sqrt(4 / 3) + [1, 2]
    test = joint_test(estimates, np.array([np.eye(2) * 4] * 3))
    assert test.riv == pytest.approx(1 / 3)
    assert test.df2 == pytest.approx(48)
    assert pytest.approx((5 / 4) / (2 * 4 / 3)) == test.F


def test_d1_with_large_t_by_hand():
    # k = 1, m = 6, t = 5; B = 2, Ubar = 7, r = (7/6) * 2/7 = 1/3; df2 = 4 + (1 + (3/5)/(1/3))^2 = 11.84.
    estimates = np.array([1, 1, 1, -1, -1, -1])[:, np.newaxis] * np.sqrt(5 / 3) + 3
    test = joint_test(estimates, np.full((6, 1, 1), 7.0))
    assert test.riv == pytest.approx(1 / 3)
    assert test.df2 == pytest.approx(11.84)
    assert pytest.approx(9 / 7 / (4 / 3)) == test.F


@pytest.mark.filterwarnings("error")
def test_d1_without_variance_between_imputations_is_the_wald_chi_squared():
    test = joint_test(np.array([[1.0, 2.0]] * 3), np.array([[[2.0, 1.0], [1.0, 3.0]]] * 3))
    # (1, 2) [[2, 1], [1, 3]]^-1 (1, 2)' = (3 - 4 + 8)/5 = 7/5.
    assert pytest.approx(0.7) == test.F
    assert test.riv == 0
    assert test.df2 == np.inf
    assert test.p_value == pytest.approx(np.exp(-0.7))  # chi-squared with 2 degrees of freedom


def test_d1_of_a_singular_covariance():
    with pytest.raises(ResearchError, match="singular"):
        joint_test(np.array([[1.0, 2.0]] * 3), np.ones((3, 2, 2)))


def test_unknown_joint_test():
    with pytest.raises(ValueError, match="none of D1"):
        joint_test(ESTIMATES, COVARIANCES, "wald")


def means(estimates, covariances):
    return estimates.mean(axis=0)


def test_jackknife_of_the_mean_is_the_standard_error_of_the_mean():
    estimates = np.random.default_rng(1).normal(size=(7, 4))
    covariances = np.array([np.eye(4)] * 7)
    expected = np.sqrt(rubin(estimates, covariances, None).b / 7)
    assert monte_carlo_error(means, estimates, covariances) == pytest.approx(expected)


def test_jackknife_of_a_variance_by_hand():
    # Covariances 3, 4, 5 with one left out: means 4.5, 4, 3.5; sqrt(2/3 * (1/4 + 1/4)).
    def ubar(estimates, covariances):
        return covariances.mean(axis=0)

    assert monte_carlo_error(ubar, ESTIMATES, COVARIANCES) == pytest.approx(np.array([[np.sqrt(1 / 3)]]))


SHIFTS = {1: -1.0, 2: 0.0, 3: 1.0}
TERMS = ["(Intercept)", "ethnicity[black]", "ethnicity[asian]", "age"]


def one_fit(imputation, part="adjusted", name="adjusted", terms=tuple(TERMS), **columns):
    k = len(terms)
    return pd.DataFrame(
        {
            "imputation": imputation,
            "model_part": part,
            "fit": name,
            "term": list(terms),
            "estimate": np.arange(k) + SHIFTS.get(imputation, 0.0),
            "std_error": 2.0,
            "df_resid": 9,
            "n": 13,
            "events": 6,
            "converged": True,
            "reason": "",
            "covariance": (4 * np.eye(k)).tolist(),
        }
        | columns
    )


def failed(imputation, reason):
    nothing = {"estimate": np.nan, "std_error": np.nan, "covariance": np.full((4, 4), np.nan).tolist()}
    return one_fit(imputation, **nothing, converged=False, reason=reason)


def stacked(*parts):
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def fits():
    unadjusted = {
        "ethnicity": ("(Intercept)", "ethnicity[black]", "ethnicity[asian]"),
        "age": ("(Intercept)", "age"),
    }
    return stacked(
        *[
            fit
            for m in SHIFTS
            for fit in [*(one_fit(m, "unadjusted", name, terms) for name, terms in unadjusted.items()), one_fit(m)]
        ]
    )


def test_pooled_table(fits):
    table = pool_fits(fits, "barnard-rubin", 0.95)
    assert list(table.columns) == POOLED_COLUMNS
    assert list(zip(table["fit"], table["term"], strict=True)) == [
        ("ethnicity", "(Intercept)"),
        ("ethnicity", "ethnicity[black]"),
        ("ethnicity", "ethnicity[asian]"),
        ("age", "(Intercept)"),
        ("age", "age"),
        *[("adjusted", term) for term in TERMS],
    ]
    assert table["model_part"].tolist() == ["unadjusted"] * 5 + ["adjusted"] * 4
    age = table.iloc[-1]
    assert age["estimate"] == pytest.approx(3)
    assert (age["ubar"], age["b"], age["t"]) == pytest.approx((4, 1, 16 / 3))
    assert (age["riv"], age["lambda"]) == pytest.approx((1 / 3, 1 / 4))
    assert age["df"] == pytest.approx(180 / 37.625)
    assert age["mcse"] == pytest.approx(np.sqrt(1 / 3))
    assert age["statistic"] == pytest.approx(3 / age["std_error"])
    assert age["odds_ratio"] == pytest.approx(np.exp(3))
    assert (age["or_low"], age["or_high"]) == pytest.approx((np.exp(age["conf_low"]), np.exp(age["conf_high"])))
    assert (age["n"], age["events"], age["m"]) == (13, 6, 3)
    assert (age["df_method"], age["reason"]) == ("barnard-rubin", "")
    assert np.isfinite(table.select_dtypes("number")).all(axis=None)


def test_pooled_table_with_large_sample_df_and_another_level(fits):
    table = pool_fits(fits, "large-sample", 0.9)
    assert table["df"].to_numpy() == pytest.approx(32)
    assert table["conf_high"].iloc[-1] == pytest.approx(3 + 1.6939 * np.sqrt(16 / 3), abs=2e-4)
    assert set(table["df_method"]) == {"large-sample"}


def test_batches_may_come_in_any_order(fits):
    batches = [rows for _, rows in fits.groupby("imputation")]
    pd.testing.assert_frame_equal(
        pool_fits(stacked(*batches[::-1]), "barnard-rubin", 0.95),
        pool_fits(fits, "barnard-rubin", 0.95),
    )


def test_rows_of_imputations_may_alternate(fits):
    place = fits.groupby(["imputation", "model_part", "fit"]).cumcount()
    alternating = fits.assign(place=place).sort_values(["place", "imputation"], kind="stable").drop(columns="place")
    pd.testing.assert_frame_equal(
        pool_fits(alternating, "barnard-rubin", 0.95),
        pool_fits(fits, "barnard-rubin", 0.95),
    )


def test_the_smallest_complete_df_is_taken():
    table = pool_fits(stacked(one_fit(1), one_fit(2, df_resid=90), one_fit(3)), "barnard-rubin", 0.95)
    assert table["df"].to_numpy() == pytest.approx(180 / 37.625)


def test_a_fit_that_fails_in_some_imputation_is_reported_and_not_pooled(fits):
    others = fits[~((fits["imputation"] == 2) & (fits["fit"] == "adjusted"))]
    mixed = stacked(others, failed(2, "separation: no events where ethnicity[asian]"))
    table = pool_fits(mixed, "barnard-rubin", 0.95)
    of_adjusted = table[table["fit"] == "adjusted"]
    numbers = [c for c in POOLED_COLUMNS[3:] if c not in ("n", "events", "m", "df_method", "reason")]
    assert of_adjusted["term"].tolist() == TERMS
    assert of_adjusted[numbers].isna().all(axis=None)
    assert of_adjusted[["n", "events", "m"]].to_numpy().tolist() == [[13, 6, 3]] * 4
    assert set(of_adjusted["reason"]) == {
        "no estimates in 1 of 3 imputations (in 1: separation: no events where ethnicity[asian])"
    }
    rest = table[table["fit"] != "adjusted"]
    assert rest[numbers].notna().all(axis=None)
    assert set(rest["reason"]) == {""}

    tests = joint_tests(mixed, {"ethnicity": TERMS[1:3]})
    tests = tests[(tests["variable"] == "ethnicity") & tests["preferred"]].set_index("model_part")
    assert tests.loc["adjusted", ["F", "df2", "p_value", "riv"]].isna().all()
    assert tests.loc["adjusted", "k"] == 2
    assert tests.loc["unadjusted", ["F", "df2", "p_value", "riv"]].notna().all()


def test_different_reasons_are_counted():
    three = stacked(failed(1, "separation"), failed(2, "singular"), failed(3, "separation"))
    table = pool_fits(three, "barnard-rubin", 0.95)
    assert table["reason"].iloc[0] == "no estimates in 3 of 3 imputations (in 2: separation; in 1: singular)"


def test_a_failure_without_a_reason_is_still_a_failure():
    table = pool_fits(stacked(one_fit(1), failed(2, "")), "barnard-rubin", 0.95)
    assert table["reason"].iloc[0] == "no estimates in 1 of 2 imputations (in 1: it did not converge)"
    assert table["estimate"].isna().all()


@pytest.mark.parametrize(
    ("fits_given", "message"),
    [
        (stacked(one_fit(1), one_fit(3)), "adjusted: of imputations 1 to 3 these are missing: 2"),
        (stacked(one_fit(1), one_fit(2), one_fit(2)), "adjusted: there are several fits for each of imputations 2"),
        (stacked(one_fit(0), one_fit(1), one_fit(2)), "numbered 1 to 2, but there are fits of: 0"),
        (stacked(one_fit(1), one_fit(2, n=14)), "adjusted: n differs between imputations (13 to 14)"),
        (stacked(one_fit(1), one_fit(2, events=5)), "adjusted: events differs between imputations (5 to 6)"),
        (stacked(one_fit(1), one_fit(2).iloc[:-1]), "adjusted: terms differ from those of the first imputation in"),
        (stacked(one_fit(1), one_fit(2).iloc[::-1]), "adjusted: terms differ from those of the first imputation in"),
        (
            stacked(one_fit(1), one_fit(2), one_fit(1, "unadjusted", "age", ("(Intercept)", "age"))),
            "unadjusted fit of age: of imputations 1 to 2 these are missing: 2",
        ),
        (one_fit(1), "at least two imputations"),
        (failed(1, "separation"), "at least two imputations"),
    ],
)
def test_faults_in_the_fits(fits_given, message):
    for use in (lambda f: pool_fits(f, "barnard-rubin", 0.95), lambda f: joint_tests(f, {"e": TERMS[1:3]})):
        with pytest.raises(ResearchError) as error:
            use(fits_given)
        assert message in str(error.value)


def test_a_repeated_imputation_is_one_fault():
    with pytest.raises(ResearchError, match="1 fault\n"):
        pool_fits(stacked(one_fit(1), one_fit(2), one_fit(2)), "barnard-rubin", 0.95)


def test_all_faults_are_named_at_once():
    with pytest.raises(ResearchError, match="2 faults"):
        pool_fits(stacked(one_fit(1), one_fit(4, n=14)), "barnard-rubin", 0.95)


def test_joint_tests_of_variables_with_several_terms(fits):
    tests = joint_tests(fits, {"ethnicity": TERMS[1:3], "age": ["age"]})
    assert list(tests.columns) == TEST_COLUMNS
    assert tests[["model_part", "variable", "method", "k", "df1", "preferred"]].to_numpy().tolist() == [
        ["unadjusted", "ethnicity", "D1", 2, 2, True],
        ["unadjusted", "ethnicity", "D2", 2, 2, False],
        ["adjusted", "ethnicity", "D1", 2, 2, True],
        ["adjusted", "ethnicity", "D2", 2, 2, False],
        ["adjusted", "(all)", "D1", 3, 3, True],
        ["adjusted", "(all)", "D2", 3, 3, False],
    ]
    tests = tests[(tests["variable"] == "ethnicity") & tests["preferred"]]
    # Estimates (1, 2) shifted together by -1, 0, 1: B holds 1 everywhere, Ubar = 4 I, r = (4/3) * (2/4)/2 = 1/3.
    assert tests["riv"].to_numpy() == pytest.approx(1 / 3)
    assert tests["F"].to_numpy() == pytest.approx((5 / 4) / (2 * 4 / 3))


def test_joint_tests_use_the_covariances_of_their_own_terms():
    # Variances 1, 2, 3, 4 and a covariance of terms 2 and 3 only: a slip in the places would change F.
    covariance = np.diag([1.0, 2.0, 3.0, 4.0])
    covariance[1, 2] = covariance[2, 1] = 1
    two = stacked(*[one_fit(m, estimate=np.arange(4.0), covariance=covariance.tolist()) for m in (1, 2)])
    tests = joint_tests(two, {"ethnicity": ["ethnicity[asian]", "ethnicity[black]"]})
    # (1, 2) [[2, 1], [1, 3]]^-1 (1, 2)' / 2.
    assert tests["F"].iloc[0] == pytest.approx(0.7)


def test_without_categorical_variables_only_the_whole_model_is_tested(fits):
    tests = joint_tests(fits, {"age": ["age"]})
    assert list(tests.columns) == TEST_COLUMNS
    assert set(tests["variable"]) == {"(all)"}
    assert set(tests["model_part"]) == {"adjusted"}


def test_failed_imputations_are_left_out_where_that_is_allowed():
    four = stacked(*[one_fit(m, estimate=np.arange(4.0) + m**2) for m in (1, 2, 3)], failed(4, "separation"))
    table = pool_fits(four, "barnard-rubin", 0.95, allow_failed=True)
    without = pool_fits(four[four["imputation"] < 4], "barnard-rubin", 0.95)
    same = [name for name in POOLED_COLUMNS if name != "reason"]
    pd.testing.assert_frame_equal(table[same], without[same])
    assert set(table["m"]) == {3}
    assert set(table["reason"]) == {
        "pooled over 3 of 4 imputations; no estimates in 1 of 4 imputations (in 1: separation)"
    }
    tests = joint_tests(four, {"ethnicity": TERMS[1:3]}, allow_failed=True)
    assert tests["F"].notna().all()


def test_one_imputation_that_is_left_is_not_pooled():
    two = stacked(one_fit(1), failed(2, "separation"))
    table = pool_fits(two, "barnard-rubin", 0.95, allow_failed=True)
    assert table["estimate"].isna().all()
    assert set(table["reason"]) == {"no estimates in 1 of 2 imputations (in 1: separation)"}


@pytest.mark.parametrize(("df_complete", "df_method"), [(40.0, "barnard-rubin"), (None, "large-sample")])
def test_the_jackknife_of_every_number_is_that_of_one_number_at_a_time(df_complete, df_method):
    generator = np.random.default_rng(3)
    estimates = generator.normal(1, 0.3, size=(7, 2))
    covariances = np.array([np.diag(row) for row in generator.uniform(0.1, 0.3, size=(7, 2))])
    errors = jackknife(estimates, covariances, df_complete, df_method, 0.9)
    for name in set(JACKKNIFED) - {"odds_ratio", "or_low", "or_high"}:

        def statistic(q, u, name=name):
            return getattr(rubin(q, u, df_complete, df_method, 0.9), name)

        assert errors[name] == pytest.approx(monte_carlo_error(statistic, estimates, covariances), rel=1e-9), name

    def upper(q, u):
        return np.exp(rubin(q, u, df_complete, df_method, 0.9).conf_high)

    assert errors["or_high"] == pytest.approx(monte_carlo_error(upper, estimates, covariances), rel=1e-9)


def test_two_imputations_have_no_jackknife():
    errors = jackknife(np.ones((2, 1)), np.ones((2, 1, 1)), None, "large-sample", 0.95)
    assert np.isnan(errors["estimate"]).all()


# von Hippel 2020 (Sociological Methods & Research 49): a pilot of 20 imputations, coefficient of variation 5%.
@pytest.mark.parametrize(("fmi", "needed"), [(0.1, 7), (0.2, 22), (0.3, 41), (0.5, 86)])
def test_how_many_imputations(fmi, needed):
    assert imputations_needed(fmi, 20) == needed


def test_the_fraction_of_missing_information_lies_in_its_interval():
    low, high = fmi_interval(np.array([0.0, 0.3]), 20)
    assert low[0] == high[0] == 0
    assert 0 < low[1] < 0.3 < high[1] < 1


def test_variables_that_the_fits_do_not_hold(fits):
    with pytest.raises(ResearchError) as error:
        joint_tests(fits, {"ethnicity": [*TERMS[1:3], "ethnicity[mixed]"], "region": ["region[a]", "region[b]"]})
    message = str(error.value)
    assert "region: no fit holds any of its terms region[a], region[b]" in message
    assert "unadjusted fit of ethnicity: of the terms of ethnicity it lacks ethnicity[mixed]" in message
    assert "3 faults" in message

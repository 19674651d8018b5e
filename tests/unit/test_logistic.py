"""Maximum likelihood, its covariance, and the reasons for having no estimates."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from esmi import firth, logistic
from esmi.design import model_matrix
from esmi.errors import ResearchError


def categorical(values, levels):
    return pd.Categorical(values, categories=levels, ordered=True)


def yes_no(values):
    return categorical(np.where(np.asarray(values) == 1, "yes", "no"), ["no", "yes"])


def two_by_two(a, b, c, d):
    """a events and b non-events where x is 1, c events and d non-events where x is 0."""
    y = np.repeat([1.0, 0.0, 1.0, 0.0], [a, b, c, d])
    x = np.repeat([1.0, 1.0, 0.0, 0.0], [a, b, c, d])
    return y, pd.DataFrame({"(Intercept)": 1.0, "x[yes]": x})


def simulated(n=279, p=15, seed=20260101):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    x[:, p // 2 :] = x[:, p // 2 :] > 0.8
    x[:, 0] = 1.0
    y = (rng.random(n) < 1 / (1 + np.exp(-x[:, 1] + 0.5))).astype(float)
    return y, pd.DataFrame(x, columns=["(Intercept)", *(f"x{j}" for j in range(1, p))])


class TestEstimates:
    def test_two_by_two_table_in_closed_form(self):
        fitted = logistic.fit(*two_by_two(12, 18, 30, 90))
        assert fitted.converged
        assert fitted.reason == ""
        np.testing.assert_allclose(fitted.estimates, [np.log(30 / 90), np.log(12 * 90 / (18 * 30))], rtol=0, atol=1e-12)
        # The covariance of the two log-odds, from the cell counts (Woolf 1955).
        reference = 1 / 30 + 1 / 90
        expected = [[reference, -reference], [-reference, reference + 1 / 12 + 1 / 18]]
        np.testing.assert_allclose(fitted.covariance, expected, rtol=0, atol=1e-12)
        assert (fitted.n, fitted.events, fitted.df_resid) == (150, 42, 148)
        log_likelihood = 12 * np.log(0.4) + 18 * np.log(0.6) + 30 * np.log(0.25) + 90 * np.log(0.75)
        assert fitted.log_likelihood == pytest.approx(log_likelihood, abs=1e-11)

    def test_score_is_zero_and_covariance_the_inverse_information(self):
        y, matrix = simulated()
        fitted = logistic.fit(y, matrix)
        x = matrix.to_numpy()
        mu = 1 / (1 + np.exp(-x @ fitted.estimates))
        np.testing.assert_allclose(x.T @ (y - mu), 0, atol=1e-11)
        np.testing.assert_allclose(fitted.covariance @ ((x.T * mu * (1 - mu)) @ x), np.eye(15), atol=1e-11)

    def test_units_of_a_covariate_do_not_matter(self):
        y, matrix = simulated()
        scaled = matrix.assign(x1=matrix["x1"] * 1e6 + 3e6, x2=matrix["x2"] * 1e-5)
        plain, other = logistic.fit(y, matrix), logistic.fit(y, scaled)
        assert other.converged
        np.testing.assert_allclose(other.estimates[1:3] * [1e6, 1e-5], plain.estimates[1:3], rtol=0, atol=1e-10)
        np.testing.assert_allclose(other.estimates[3:], plain.estimates[3:], rtol=0, atol=1e-10)

    def test_intercept_only(self):
        fitted = logistic.fit(np.array([1.0, 0.0, 0.0, 0.0]), pd.DataFrame({"(Intercept)": np.ones(4)}))
        np.testing.assert_allclose(fitted.estimates, [np.log(1 / 3)], atol=1e-12)
        np.testing.assert_allclose(fitted.covariance, [[4 / 3]], atol=1e-12)

    def test_a_strong_covariate_without_separation_has_estimates(self):
        # Fitted probabilities reach beyond 1e-6, which is a sign of separation but no proof.
        x = np.linspace(-30, 30, 241)
        y = (x > 0).astype(float)
        y[[117, 123]] = 1 - y[[117, 123]]
        fitted = logistic.fit(y, pd.DataFrame({"(Intercept)": 1.0, "x": x}))
        assert fitted.converged
        assert np.abs(x * fitted.estimates[1]).max() > logistic.EXTREME_LOG_ODDS

    @pytest.mark.parametrize(
        ("y", "x"), [([1.0, np.nan], [1.0, 2.0]), ([1.0, 2.0], [1.0, 2.0]), ([1.0, 0.0], [1.0, np.nan])]
    )
    def test_missing_or_wrong_values_are_a_defect(self, y, x):
        with pytest.raises(ValueError, match="complete covariates"):
            logistic.fit(np.array(y), pd.DataFrame({"(Intercept)": 1.0, "x": x}))


def assert_no_estimates(fitted, reason):
    assert fitted.reason == reason
    assert not fitted.converged
    assert np.isnan(fitted.estimates).all()
    assert np.isnan(fitted.covariance).all()
    assert np.isnan(fitted.log_likelihood)
    assert fitted.covariance.shape == (len(fitted.terms), len(fitted.terms))


@pytest.mark.filterwarnings("error")
class TestNoEstimates:
    @pytest.mark.parametrize(("value", "found"), [(0.0, "no"), (1.0, "only")])
    def test_outcome_that_does_not_vary(self, value, found):
        fitted = logistic.fit(np.full(6, value), pd.DataFrame({"(Intercept)": 1.0, "x": np.arange(6.0)}))
        assert_no_estimates(fitted, f"{found} events among 6 rows")

    def test_no_rows(self):
        fitted = logistic.fit(np.array([]), pd.DataFrame({"(Intercept)": [], "x": []}))
        assert_no_estimates(fitted, "no events among 0 rows")

    @pytest.mark.parametrize(
        ("counts", "levels"),
        [
            ((0, 9, 30, 90), "no events where x[yes]"),
            ((9, 0, 30, 90), "only events where x[yes]"),
            ((30, 90, 0, 9), "no events in the reference category of x"),
            ((1, 0, 99, 178), "only events where x[yes]"),
            ((7, 0, 0, 9), "only events where x[yes]; no events in the reference category of x"),
        ],
    )
    def test_separation_by_a_level(self, counts, levels):
        assert_no_estimates(logistic.fit(*two_by_two(*counts)), f"separation: {levels}")

    def test_separation_by_a_level_among_other_covariates(self):
        y, matrix = simulated()
        matrix["ht[yes]"] = (y == 0) & (np.arange(279) < 40)
        assert_no_estimates(logistic.fit(y, matrix), "separation: no events where ht[yes]")

    def test_separation_by_a_reference_category_of_three(self):
        y = np.array([0, 0, 0, 1, 0, 1, 0, 0, 1, 1, 0, 1], dtype=float)
        data = pd.DataFrame({"race": categorical(list("wwwbbbbooooo"), ["w", "b", "o"])})
        assert_no_estimates(
            logistic.fit(y, model_matrix(data, ["race"])), "separation: no events in the reference category of race"
        )

    def test_separation_by_a_pair_of_levels(self):
        y, matrix = simulated()
        cell = matrix["x8"] * matrix["x9"]
        y = np.where(cell == 1, 0.0, y)
        names = {"x8": "pd[yes]", "x9": "ht[yes]"}
        matrix = matrix.assign(cell=cell).rename(columns=names | {"cell": "pd[yes]:ht[yes]"})
        assert_no_estimates(logistic.fit(y, matrix), "separation: no events where pd[yes]:ht[yes]")

    def test_a_product_with_a_number_is_no_level(self):
        # Where the product is 1, there are no events, which separates nothing.
        x = np.array([1.0, 1.0, 2.0, 2.0, 3.0, 3.0, -4.0, -4.0, 0.0, 0.0])
        y = np.array([0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
        assert logistic._separating_levels(y, np.c_[np.ones(10), x], ("(Intercept)", "age:pd[yes]")) == []

    def test_complete_separation_names_no_term_that_can_be_spared(self):
        y, matrix = simulated()
        matrix["x5"] = np.where(y == 1, 1, -1) * (1 + np.abs(matrix["x5"]))
        assert_no_estimates(logistic.fit(y, matrix), "separation: events are told from non-events without error by x5")

    def test_quasi_complete_separation_at_one_value(self):
        x = np.array([1.0, 2.0, 3.0, 3.0, 4.0, 5.0])
        noise = np.array([1.0, -1.0, 0.0, 0.0, 2.0, 0.0])
        matrix = pd.DataFrame({"(Intercept)": 1.0, "noise": noise, "x": x})
        fitted = logistic.fit(np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]), matrix)
        assert_no_estimates(fitted, "separation: events are told from non-events without error by x")

    def test_separation_by_two_covariates_together_names_both(self):
        rng = np.random.default_rng(5)
        a, b, c = rng.normal(size=(3, 200))
        matrix = pd.DataFrame({"(Intercept)": 1.0, "a": a, "b": b})
        y = (a + b > 0).astype(float)
        assert_no_estimates(
            logistic.fit(y, matrix), "separation: events are told from non-events without error by a with b"
        )
        # The same outcome, of which nothing is explained, has estimates.
        assert logistic.fit(y, pd.DataFrame({"(Intercept)": 1.0, "c": c})).converged

    def test_linear_dependence_names_the_terms(self):
        y, matrix = simulated()
        matrix["total"] = matrix["x1"] + matrix["x2"]
        fitted = logistic.fit(y, matrix)
        assert_no_estimates(fitted, "singular: each is a linear combination of the others: x1, x2, total")

    def test_constant_columns(self):
        y, matrix = simulated()
        fitted = logistic.fit(y, matrix.assign(x3=0.1, x4=0.0))
        assert_no_estimates(fitted, "singular: the same value in every row: x3, x4")

    def test_fewer_rows_than_coefficients(self):
        y, matrix = simulated(n=12)
        y[:2] = [0, 1]
        matrix.loc[[0, 1], matrix.columns[1:]] = [[1.0] * 14, [-1.0] * 14]
        assert_no_estimates(logistic.fit(y, matrix), "singular: 12 rows for 15 coefficients")

    def test_newton_that_does_not_converge(self, monkeypatch):
        monkeypatch.setattr(logistic, "MAX_STEPS", 2)
        assert_no_estimates(logistic.fit(*simulated()), "Newton's method did not converge")

    def test_steps_that_overflow_are_no_convergence(self, monkeypatch):
        y, matrix = simulated()
        overflowed = SimpleNamespace(params=np.full(15, np.nan), mle_retvals={"converged": True})
        monkeypatch.setattr(logistic, "_newton", lambda y, x: overflowed)
        assert_no_estimates(logistic.fit(y, matrix), "Newton's method did not converge")

    def test_nothing_is_printed(self, capsys):
        logistic.fit(*two_by_two(0, 9, 30, 90))
        assert capsys.readouterr() == ("", "")


@pytest.fixture
def study():
    y, matrix = simulated()
    data = pd.DataFrame({"age": matrix["x1"], "pd": yes_no(matrix["x8"]), "t1": yes_no(y)})
    data["ethnicity"] = categorical(
        np.array(["white", "black", "asian"])[np.arange(279) % 3], ["white", "black", "asian"]
    )
    data.loc[278, "t1"] = np.nan
    return data


class TestClusters:
    def test_two_by_two_table_in_clusters_of_pairs(self):
        # Each row twice, in a cluster of its own: the sandwich of the single rows, and no more information than they.
        y, matrix = simulated(n=120, p=4)
        pairs = np.repeat(np.arange(120), 2)
        single = logistic.fit(y, matrix, clusters=np.arange(120))
        twice = logistic.fit(y[pairs], matrix.iloc[pairs], clusters=pairs.astype(str))
        np.testing.assert_allclose(twice.estimates, single.estimates, atol=1e-10)
        np.testing.assert_allclose(twice.covariance, single.covariance, atol=1e-10)
        assert (twice.df_resid, twice.n) == (119, 240)

    def test_sandwich_by_its_definition(self):
        y, matrix = simulated()
        clusters = np.arange(279) % 31
        plain, robust = logistic.fit(y, matrix), logistic.fit(y, matrix, clusters=clusters)
        x = matrix.to_numpy()
        scores = x * (y - 1 / (1 + np.exp(-x @ plain.estimates)))[:, None]
        sums = np.array([scores[clusters == g].sum(axis=0) for g in range(31)])
        expected = 31 / 30 * plain.covariance @ sums.T @ sums @ plain.covariance
        np.testing.assert_allclose(robust.covariance, expected, rtol=1e-8, atol=1e-12)
        np.testing.assert_array_equal(robust.estimates, plain.estimates)
        assert robust.df_resid == 30

    def test_one_cluster(self):
        fitted = logistic.fit(*two_by_two(12, 18, 30, 90), clusters=["a"] * 150)
        assert_no_estimates(fitted, "a cluster-robust covariance needs at least two clusters, and there is 1")

    @pytest.mark.parametrize("clusters", [["a"] * 149 + [None], ["a"] * 149])
    def test_a_row_without_its_cluster_is_a_defect(self, clusters):
        with pytest.raises(ValueError, match="every row of a fit needs its cluster"):
            logistic.fit(*two_by_two(12, 18, 30, 90), clusters=clusters)


class TestFitModel:
    def test_interactions_have_no_unadjusted_fit_and_splines_have(self, study):
        spline, product = {"spline": "age", "knots": [-1, 0, 1]}, {"interaction": ["pd", "age"]}
        table = logistic.fit_model(study, "t1", [spline, "pd", product])
        fits = table.groupby(["model_part", "fit"], sort=False)["term"].agg(list)
        assert fits.to_dict() == {
            ("unadjusted", "age (spline)"): ["(Intercept)", "age", "age'"],
            ("unadjusted", "pd"): ["(Intercept)", "pd[yes]"],
            ("adjusted", "adjusted"): ["(Intercept)", "age", "age'", "pd[yes]", "pd[yes]:age", "pd[yes]:age'"],
        }

    def test_method_and_cluster_reach_every_fit(self, study):
        study["site"] = [f"s{number % 40}" for number in range(279)]
        penalised = logistic.fit_model(study, "t1", ["age", "pd"], method="firth")
        robust = logistic.fit_model(study, "t1", ["age", "pd"], cluster="site")
        known = study[study["t1"].notna()]
        y = (known["t1"] == "yes").to_numpy(dtype=float)
        for name, terms in [("age", ["age"]), ("adjusted", ["age", "pd"])]:
            matrix = model_matrix(known, terms)
            expected = firth.fit(y, matrix), logistic.fit(y, matrix, clusters=known["site"])
            for table, fitted in zip([penalised, robust], expected, strict=True):
                rows = table[table["fit"] == name]
                np.testing.assert_array_equal(rows["estimate"], fitted.estimates)
                np.testing.assert_array_equal(np.array(rows["covariance"].tolist()), fitted.covariance)
        assert set(robust["df_resid"]) == {39}

    def test_clusters_that_cannot_be_used(self, study):
        study["site"] = "s"
        study.loc[study.index < 3, "site"] = None
        with pytest.raises(ResearchError, match="cluster site is missing in 3 of the 278 rows"):
            logistic.fit_model(study, "t1", ["age"], cluster="site")
        with pytest.raises(ResearchError, match="not with Firth's method"):
            logistic.fit_model(study, "t1", ["age"], method="firth", cluster="site")

    def test_one_row_per_fit_and_term(self, study):
        table = logistic.fit_model(study, "t1", ["age", "ethnicity"])
        assert list(table.columns) == [
            "model_part",
            "fit",
            "term",
            "estimate",
            "std_error",
            "df_resid",
            "n",
            "events",
            "converged",
            "reason",
            "covariance",
        ]
        levels = ["ethnicity[black]", "ethnicity[asian]"]
        assert list(zip(table["model_part"], table["fit"], table["term"], strict=True)) == [
            *(("unadjusted", "age", term) for term in ["(Intercept)", "age"]),
            *(("unadjusted", "ethnicity", term) for term in ["(Intercept)", *levels]),
            *(("adjusted", "adjusted", term) for term in ["(Intercept)", "age", *levels]),
        ]
        assert (table["n"] == 278).all()
        assert list(table["df_resid"]) == [276] * 2 + [275] * 3 + [274] * 4
        assert table["converged"].dtype == bool

    def test_numbers_are_those_of_the_single_fits(self, study):
        table = logistic.fit_model(study, "t1", ["age", "ethnicity"]).groupby("fit")
        known = study[study["t1"].notna()]
        y = (known["t1"] == "yes").to_numpy(dtype=float)
        for name, terms in [("age", ["age"]), ("ethnicity", ["ethnicity"]), ("adjusted", ["age", "ethnicity"])]:
            fitted, rows = logistic.fit(y, model_matrix(known, terms)), table.get_group(name)
            np.testing.assert_array_equal(rows["estimate"], fitted.estimates)
            np.testing.assert_array_equal(np.array(rows["covariance"].tolist()), fitted.covariance)
            np.testing.assert_array_equal(rows["std_error"], np.sqrt(np.diag(fitted.covariance)))

    def test_parts(self, study):
        assert set(logistic.fit_model(study, "t1", ["age"], parts=("adjusted",))["model_part"]) == {"adjusted"}

    def test_a_failed_fit_keeps_its_rows_and_spares_the_others(self, study):
        study["ht"] = yes_no((study["t1"] == "no") & (study.index < 30))
        table = logistic.fit_model(study, "t1", ["age", "ht"]).set_index(["fit", "term"])
        assert table.loc[("age", "age"), "converged"]
        for name in ("ht", "adjusted"):
            row = table.loc[(name, "ht[yes]")]
            assert row["reason"] == "separation: no events where ht[yes]"
            assert np.isnan(row["estimate"])
            assert np.isnan(row["std_error"])

    def test_missing_covariates_are_a_defect(self, study):
        study.loc[0, "age"] = np.nan
        with pytest.raises(ValueError, match="complete covariates"):
            logistic.fit_model(study, "t1", ["age"])

    @pytest.mark.parametrize("further", [{}, {"method": "firth"}, {"cluster": "site"}])
    def test_the_adjusted_fit_alone_is_that_of_the_model(self, study, further):
        study["site"] = np.arange(279) % 40
        rows = logistic.fit_model(study, "t1", ["age", "pd"], parts=("adjusted",), **further)
        fitted = logistic.fit_adjusted(study, "t1", ["age", "pd"], **further)
        assert fitted.terms == tuple(rows["term"])
        np.testing.assert_array_equal(fitted.estimates, rows["estimate"])
        np.testing.assert_array_equal(fitted.covariance, np.array(rows["covariance"].tolist()))
        assert (fitted.n, fitted.df_resid) == (278, rows["df_resid"][0])


class TestCompleteCases:
    def test_variables_behind_terms_decide_and_the_method_is_used(self, study):
        study.loc[:19, "age"] = np.nan
        terms = [{"spline": "age", "knots": [-1, 0, 1]}, "pd", {"interaction": ["pd", "age"]}]
        table = logistic.fit_complete_cases(study, "t1", terms, 0.95, method="firth")
        assert set(table["n"]) == {258}
        expected = logistic.fit_model(study[20:278], "t1", terms, method="firth")
        np.testing.assert_array_equal(table["estimate"], expected["estimate"])

    def test_both_parts_use_the_rows_complete_in_all_variables(self, study):
        study.loc[:19, "age"] = np.nan
        study.loc[10:29, "pd"] = np.nan
        table = logistic.fit_complete_cases(study, "t1", ["age", "pd"], 0.95)
        assert (table["n"] == 248).all()
        expected = logistic.fit_model(study[30:278], "t1", ["age", "pd"])
        np.testing.assert_array_equal(table["estimate"], expected["estimate"])

    def test_normal_inference_on_the_log_odds_then_exponentiated(self, study):
        table = logistic.fit_complete_cases(study, "t1", ["age"], 0.9)
        assert list(table.columns) == [
            *(
                "model_part",
                "fit",
                "term",
                "estimate",
                "std_error",
                "statistic",
                "df",
                "p_value",
                "conf_low",
                "conf_high",
            ),
            *("odds_ratio", "or_low", "or_high", "n", "events", "reason"),
        ]
        row = table.iloc[-1]
        z = row["estimate"] / row["std_error"]
        assert row["statistic"] == pytest.approx(z)
        assert row["p_value"] == pytest.approx(2 * (1 - norm.cdf(abs(z))))
        assert np.isnan(row["df"])
        # 1.644854 is the 95th percentile of the standard normal distribution.
        low, high = row["estimate"] - 1.644854 * row["std_error"], row["estimate"] + 1.644854 * row["std_error"]
        assert [row["conf_low"], row["conf_high"]] == pytest.approx([low, high], abs=1e-6)
        assert [row["odds_ratio"], row["or_low"], row["or_high"]] == pytest.approx(
            [np.exp(row["estimate"]), np.exp(low), np.exp(high)], abs=1e-5
        )

    def test_a_level_lost_with_the_incomplete_rows_has_a_reason(self, study):
        study.loc[study["pd"] == "yes", "age"] = np.nan
        table = logistic.fit_complete_cases(study, "t1", ["age", "pd"], 0.95).set_index(["fit", "term"])
        assert table.loc[("adjusted", "age"), "reason"] == "singular: the same value in every row: pd[yes]"
        assert np.isnan(table.loc[("adjusted", "age"), "or_high"])
        assert table.loc[("age", "age"), "reason"] == ""

    def test_no_complete_rows(self, study):
        study["age"] = np.nan
        table = logistic.fit_complete_cases(study, "t1", ["age", "pd"], 0.95)
        assert set(table["reason"]) == {"no events among 0 rows"}
        assert (table["n"] == 0).all()

"""The rehearsal: what it draws and deletes, what it makes of it, and when it says stop."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from esmi import rehearsal
from esmi.errors import ResearchError
from esmi.rehearsal import COMPLETE_CASES, COMPLETE_DATA

N = 400


def study(n=N):
    """Two scores missing together more often with the outcome, and the outcome of old people missing more often."""
    generator = np.random.default_rng(1)
    age = generator.normal(30, 5, n)
    first = generator.normal(size=n)
    second = 0.8 * first + 0.6 * generator.normal(size=n)
    yes = generator.random(n) < expit(0.5 * first + 0.05 * (age - 30))
    together = generator.random(n) < np.where(yes, 0.5, 0.2)
    alone = generator.random(n) < 0.05
    lost = generator.random(n) < np.where(age > 30, 0.3, 0.1)
    return pd.DataFrame(
        {
            "age": np.where(np.arange(n) < 5, np.nan, age),
            "first": np.where(together, np.nan, first),
            "second": np.where(together | alone, np.nan, second),
            "csc": pd.Categorical(np.where(lost, None, np.where(yes, "yes", "no")), ["no", "yes"], ordered=True),
        }
    )


def engine(data, never_filled, seed, imputation, ordinal):
    """Draws from the observed values, without regard to anything: fast, and plainly wrong."""
    generator = np.random.default_rng([seed, imputation])
    completed = data.copy()
    for name in data.columns.difference(never_filled):
        gaps = data[name].isna()
        completed.loc[gaps, name] = generator.choice(data[name].dropna().to_numpy(), gaps.sum())
    return completed, pd.DataFrame()


PLAN = rehearsal.Plan("csc", ["age", "first", "second"], ["csc"], [], m=2)


@pytest.fixture(scope="module")
def prepared():
    return rehearsal.prepare(study(), PLAN, engine, seed=7)


@pytest.fixture(scope="module")
def draws(prepared):
    return [rehearsal.draw(prepared, 7, number) for number in range(1, 41)]


def test_the_population_is_complete_and_keeps_what_is_known(prepared):
    assert prepared.population.notna().all(axis=None)
    known = prepared.source.notna()
    assert prepared.population.where(known).equals(prepared.source.where(known))
    assert list(prepared.truth.index) == ["(Intercept)", "age", "first", "second"]
    assert prepared.anchors == ["age"]
    assert prepared.pairs == [("first", "second")]
    log_odds = prepared.truth["(Intercept)"] + prepared.population[PLAN.terms] @ prepared.truth[PLAN.terms]
    assert prepared.probability == pytest.approx(expit(log_odds))


def test_no_truth_without_estimates():
    data = study()
    data["first"] = np.where(data["csc"] == "yes", 1.0, -1.0)
    with pytest.raises(ResearchError, match=r"no truth to start from.*separation"):
        rehearsal.prepare(data, PLAN, engine, seed=7)


def test_a_draw_is_a_function_of_the_seed_and_its_number(prepared, draws):
    again = rehearsal.draw(prepared, 7, 3)
    assert again.complete.equals(draws[2].complete)
    assert again.incomplete.equals(draws[2].incomplete)
    assert not again.complete.equals(draws[3].complete)
    assert not again.complete.equals(rehearsal.draw(prepared, 8, 3).complete)


def test_deletion_takes_values_and_changes_none(prepared, draws):
    for drawn in draws[:5]:
        assert drawn.complete.notna().all(axis=None)
        kept = drawn.incomplete.notna()
        assert drawn.incomplete.where(kept).equals(drawn.complete.where(kept))
        assert (drawn.incomplete.dtypes == prepared.source.dtypes).all()
        assert isinstance(drawn.incomplete.index, pd.RangeIndex)


def mean_of(draws, statistic):
    return np.mean([statistic(drawn) for drawn in draws])


def test_outcomes_are_drawn_from_the_truth(prepared, draws):
    # 40 draws of 400: a standard error of .004 from the outcomes, and as much from the people.
    assert mean_of(draws, lambda d: (d.complete["csc"] == "yes").mean()) == pytest.approx(
        prepared.probability.mean(), abs=0.02
    )
    high = mean_of(draws, lambda d: (d.complete["csc"] == "yes")[d.complete["first"] > 1].mean())
    assert high == pytest.approx(prepared.probability[prepared.population["first"] > 1].mean(), abs=0.03)


def test_as_much_is_missing_as_in_the_study_and_together(prepared, draws):
    source = prepared.source.isna()
    for name in source:
        assert mean_of(draws, lambda d, name=name: d.incomplete[name].isna().mean()) == pytest.approx(
            source[name].mean(), abs=0.03
        )
    both = mean_of(draws, lambda d: d.incomplete[["first", "second"]].isna().all(axis=1).mean())
    assert both == pytest.approx((source["first"] & source["second"]).mean(), abs=0.03)


def test_what_is_missing_depends_on_the_outcome_and_the_anchors_as_in_the_study(prepared, draws):
    for level in ("no", "yes"):
        expected = prepared.source["first"].isna()[prepared.source["csc"] == level].mean()
        found = mean_of(draws, lambda d, level=level: d.incomplete["first"].isna()[d.incomplete["csc"] == level].mean())
        assert found == pytest.approx(expected, abs=0.04)
    old = mean_of(draws, lambda d: d.incomplete["csc"].isna()[d.incomplete["age"] > 33].mean())
    young = mean_of(draws, lambda d: d.incomplete["csc"].isna()[d.incomplete["age"] < 27].mean())
    assert old > young + 0.05


def test_what_is_missing_does_not_depend_on_what_is_deleted(draws):
    # Given outcome and age the scores have no part in it: their difference would have a standard error of .01.
    gaps = []
    for drawn in draws:
        within = drawn.complete[drawn.incomplete["csc"] == "no"]
        missing = drawn.incomplete["first"].isna()[within.index]
        gaps.append(missing[within["first"] > 0].mean() - missing[within["first"] < 0].mean())
    assert abs(np.mean(gaps)) < 0.04


def test_nobody_has_their_own_pattern():
    source = pd.DataFrame({"age": np.arange(30.0)})
    own = np.arange(30)
    generator = np.random.default_rng(1)
    state = np.repeat([0, 1], 15)
    for _ in range(20):
        found = rehearsal._donors(source, source, own, source["age"] % 7, state, state, generator)
        assert (found != own).all()
        assert (state[found] == state).all()


def test_donors_are_any_where_nothing_predicts():
    nothing = pd.DataFrame(index=range(200))
    same = np.zeros(200)
    found = rehearsal._donors(nothing, nothing, np.arange(200), pd.Series(same), same, same, np.random.default_rng(1))
    assert len(np.unique(found)) > 100


@pytest.fixture(scope="module")
def rows(prepared):
    return rehearsal.rehearse(prepared, "random", engine, 7, range(1, 5))


def test_a_row_per_replication_engine_and_term(prepared, rows):
    assert list(rows.columns) == rehearsal.ROW_COLUMNS
    assert not rows.duplicated(["replication", "engine", "quantity", "term"]).any()
    coefficients = rows[rows["quantity"] == "coefficient"]
    assert len(coefficients) == 4 * 3 * 4
    assert set(coefficients["engine"]) == {"random", COMPLETE_DATA, COMPLETE_CASES}
    assert (coefficients["truth"] == coefficients["term"].map(prepared.truth)).all()
    sizes = coefficients.groupby("engine")["n"].mean()
    assert sizes[COMPLETE_DATA] == N > sizes["random"] > sizes[COMPLETE_CASES]


def test_more_replications_add_to_those_there(prepared, rows):
    later = rehearsal.rehearse(prepared, "random", engine, 7, [4])
    pd.testing.assert_frame_equal(later, rows[rows["replication"] == 4].reset_index(drop=True))


def test_every_imputation_of_every_replication_has_a_seed_of_its_own(prepared):
    told = []

    def recording(data, **settings):
        told.append((settings["seed"], settings["imputation"]))
        assert settings["never_filled"] == ["csc"]
        return engine(data, **settings)

    rehearsal.rehearse(prepared, "recording", recording, 7, [1, 2])
    assert [number for _, number in told] == [1, 2, 1, 2]
    assert len({seed for seed, _ in told} | {7}) == 3


def test_the_correlation_of_scores_missing_together(rows):
    found = rows[rows["quantity"] == "correlation"].groupby("engine")["estimate"].mean()
    # The engine draws them independently; the population is half such draws itself.
    assert abs(found["random"]) < 0.15 < found[COMPLETE_DATA]
    assert set(rows.loc[rows["quantity"] == "correlation", "term"]) == {"first, second"}


def test_an_engine_that_fails_leaves_a_reason(prepared):
    def failing(*_, **__):
        raise ResearchError("levels too rare")

    rows = rehearsal.rehearse(prepared, "failing", failing, 7, [1, 2])
    failed = rows[rows["engine"] == "failing"]
    assert set(failed["reason"]) == {"levels too rare"}
    assert failed["estimate"].isna().all()
    summary = rehearsal.summarise(rows)
    assert set(summary.loc[summary["engine"] == "failing", "failed"]) == {2}
    verdict = rehearsal.verdict(summary).iloc[0]
    assert verdict["verdict"] == "stop"
    assert "estimates in 0 replications" in verdict["sentence"]


def replicated(engine_name, estimates, std_errors, truth=1.0):
    estimates, std_errors = np.array(estimates, dtype=float), np.array(std_errors, dtype=float)
    return pd.DataFrame(
        {
            "replication": range(1, len(estimates) + 1),
            "engine": engine_name,
            "quantity": "coefficient",
            "term": "x",
            "truth": truth,
            "estimate": estimates,
            "std_error": std_errors,
            "conf_low": estimates - 2 * std_errors,
            "conf_high": estimates + 2 * std_errors,
            "n": 100,
            "reason": "",
        }
    )


def test_summary_by_hand():
    complete = replicated(COMPLETE_DATA, [0.5, 1.5, 2.5], [1, 1, 1])
    random = replicated("random", [0, 2, 4], [1, 1, 2])
    summary = rehearsal.summarise(pd.concat([random, complete, complete])).set_index("engine")
    assert list(summary.index) == [COMPLETE_DATA, "random"]
    row = summary.loc["random"]
    assert row[["replications", "failed", "bias", "difference"]].tolist() == [3, 0, 1, 0.5]
    assert row["bias_mcse"] == pytest.approx(2 / np.sqrt(3))
    # Differences -.5, .5, 1.5.
    assert row["difference_mcse"] == pytest.approx(1 / np.sqrt(3))
    assert row["model_se"] == pytest.approx(np.sqrt(2))
    assert row["se_ratio"] == pytest.approx(np.sqrt(2) / 2)
    # Variances 1, 1, 4: variance 3, mean square 4; 3/(4 * 3 * 4) + 1/(2 * 2).
    assert row["se_ratio_mcse"] == pytest.approx(np.sqrt(2) / 2 * np.sqrt(3 / 48 + 1 / 4))
    # Intervals -2 to 2, 0 to 4, 0 to 8.
    assert row["coverage"] == 1
    assert row["coverage_mcse"] == pytest.approx(np.sqrt(5 / 7 * 2 / 7 / 3))
    assert row["width"] == pytest.approx(16 / 3)
    assert summary.loc[COMPLETE_DATA, "replications"] == 3


def with_coverage(covered, replications, engine_name="random"):
    estimates = np.r_[np.full(covered, 1.0), np.full(replications - covered, 9.0)]
    return replicated(engine_name, estimates + np.linspace(0, 0.1, replications), np.ones(replications))


@pytest.mark.parametrize(
    ("covered", "replications", "verdict"),
    [
        (20, 20, "pass"),  # as far as 20 replications can tell
        (17, 20, "pass"),  # 85 +- 16
        (14, 20, "stop"),  # 70 +- 20
        (285, 300, "pass"),
        (270, 300, "pass"),  # 90 +- 3.5
        (260, 300, "stop"),  # 86.7 +- 3.9
        (300, 300, "stop"),  # never above 97.5 by chance: too wide
    ],
)
def test_the_verdict_stops_beyond_monte_carlo_error_only(covered, replications, verdict):
    found = rehearsal.verdict(rehearsal.summarise(with_coverage(covered, replications)))
    assert list(found.columns) == ["engine", "verdict", "sentence"]
    assert found["verdict"].tolist() == [verdict]
    assert found["sentence"].iloc[0].startswith(f"{verdict.capitalize()}: in {replications} replications")


def test_the_verdict_says_what_the_complete_data_do_too():
    rows = pd.concat([with_coverage(10, 20, COMPLETE_DATA), with_coverage(10, 20)])
    found = rehearsal.verdict(rehearsal.summarise(rows))
    assert found["engine"].tolist() == ["random"]
    assert "x 50.0% (+- 21.9), as in complete data" in found["sentence"].iloc[0]


def test_failed_replications_are_said_and_not_counted():
    rows = with_coverage(19, 20)
    rows.loc[3:4, ["estimate", "std_error", "conf_low", "conf_high"]] = np.nan
    found = rehearsal.verdict(rehearsal.summarise(rows))
    assert found["sentence"].iloc[0].endswith("In 2 of 20 replications there were no estimates.")


def test_the_judgement_fails_with_all_sentences():
    verdicts = pd.DataFrame({"engine": ["a", "b"], "verdict": ["pass", "stop"], "sentence": ["Pass: a.", "Stop: b."]})
    with pytest.raises(ResearchError, match="Stop: b"):
        rehearsal.judge(verdicts)
    assert rehearsal.judge(verdicts[:1]) == "Pass: a."

"""Diagnostics of an imputation: chains, observed against imputed values, pairs missing together, and the verdict."""

import numpy as np
import pandas as pd
import pytest

from esmi.imputation import diagnostics
from esmi.imputation.diagnostics import BAD, GOOD, LOOK

NO_YES = ["no", "yes"]


def traces(values: np.ndarray, variable: str = "ctq") -> pd.DataFrame:
    """Chains x iterations of the mean of one variable."""
    rows = [
        (chain + 1, iteration + 1, variable, "mean", "", value)
        for chain, row in enumerate(values)
        for iteration, value in enumerate(row)
    ]
    return pd.DataFrame(rows, columns=["imputation", "iteration", "variable", "statistic", "level", "value"])


@pytest.fixture
def generator():
    return np.random.default_rng(11)


@pytest.fixture
def data(generator):
    n = 200
    z = generator.normal(size=n)
    table = pd.DataFrame(
        {
            "a": z + 0.3 * generator.normal(size=n),
            "b": z + 0.3 * generator.normal(size=n),
            "pd": pd.Categorical(np.where(generator.random(n) < 0.4, "yes", "no"), categories=NO_YES, ordered=True),
            "t1": pd.Categorical(np.where(generator.random(n) < 0.5, "yes", "no"), categories=NO_YES, ordered=True),
        }
    )
    complete = table.copy()
    table.loc[:49, ["a", "b"]] = np.nan
    table.loc[:29, "pd"] = np.nan
    table.loc[:4, "t1"] = np.nan
    return table, complete


def sets(data, complete, change=lambda table, generator: table):
    generator = np.random.default_rng(1)
    return [(m, change(complete.assign(t1=data["t1"]).copy(), generator)) for m in (1, 2, 3)]


def test_the_first_iterations_do_not_count(generator):
    values = generator.normal(size=(5, 20))
    values[:, :2] += 100
    assert diagnostics.convergence(traces(values))["r_hat"].iloc[0] < 1.1


def test_chains_that_lie_apart_are_seen(generator):
    values = generator.normal(size=(5, 20)) + 5 * np.arange(5)[:, None]
    row = diagnostics.convergence(traces(values)).iloc[0]
    assert row["r_hat"] > 1.5
    assert (row["chains"], row["iterations"], row["reason"]) == (5, 18, "")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.ones((3, 10)), "all draws are equal"),
        (np.full((3, 10), np.nan), "a single value was imputed"),
        (np.random.default_rng(0).normal(size=(1, 10)), "fewer than two chains or four iterations"),
        (np.random.default_rng(0).normal(size=(3, 5)), "fewer than two chains or four iterations"),
    ],
)
def test_without_chains_to_compare_there_is_a_reason(values, reason):
    row = diagnostics.convergence(traces(values)).iloc[0]
    assert np.isnan(row["r_hat"])
    assert row["reason"] == reason


def test_distributions_are_of_the_people_of_their_source(data):
    table, complete = data
    found = diagnostics.distributions(table, sets(table, complete), ["t1"])
    assert set(found["variable"]) == {"a", "b", "pd"}, "outcomes are never imputed"
    moments = found[(found["group"] == "all") & (found["statistic"] != "density")]
    whole = moments.set_index(["variable", "source", "statistic", "level"]).sort_index()["value"]
    assert whole["a", "observed", "n", ""] == 150
    assert whole["a", "imputed", "n", ""] == 50
    assert whole["a", "imputed", "mean", ""] == pytest.approx(complete.loc[:49, "a"].mean())
    assert whole["pd", "imputed", "proportion", "yes"] == pytest.approx((complete.loc[:29, "pd"] == "yes").mean())
    groups = found[found["group_variable"] == "t1"]
    n = groups[groups["statistic"] == "n"].groupby(["variable", "source"])["value"].sum()
    assert n["a", "imputed"] == 45, "those whose outcome is unknown are in no group"


def test_fewer_than_ten_people_are_not_described(data):
    table, complete = data
    table = table.copy()
    table.loc[9:49, "a"] = complete.loc[9:49, "a"]
    found = diagnostics.distributions(table, sets(table, complete), [])
    few = found[(found["variable"] == "a") & (found["source"] == "imputed")]
    assert few[["statistic", "value"]].to_numpy().tolist() == [["n", 9.0]]


def test_correlations_of_what_is_missing_together(data):
    table, complete = data
    kept = diagnostics.joint_correlations(table, sets(table, complete), ["t1"]).set_index(["first", "second"])
    assert kept.loc[("a", "b"), "n_both_missing"] == 50
    assert abs(kept.loc[("a", "b"), "difference"]) < 0.1

    def shuffled(made, generator):
        made.loc[:49, "b"] = generator.permutation(made.loc[:49, "b"].to_numpy())
        return made

    lost = diagnostics.joint_correlations(table, sets(table, complete, shuffled), ["t1"])
    lost = lost.set_index(["first", "second"])
    assert lost.loc[("a", "b"), "difference"] < -0.5


def verdicts(chains, found, correlations, events):
    table = diagnostics.verdict(chains, found, correlations, events, draws=100)
    return dict(zip(table["check"], table["verdict"], strict=True))


def test_the_verdict(data, generator):
    table, complete = data
    steady = diagnostics.convergence(traces(generator.normal(size=(20, 20))))
    apart = diagnostics.convergence(traces(generator.normal(size=(20, 20)) + 5 * np.arange(20)[:, None]))

    def moved(made, _):
        made.loc[:49, ["a", "b"]] = np.random.default_rng(3).normal(5, 1, size=(50, 2))
        return made

    no_events = pd.DataFrame(columns=["imputation", "iteration", "variable", "event", "detail"])
    events = pd.DataFrame({"event": ["augmented"] * 20})
    kept = [
        f(table, sets(table, complete), ["t1"]) for f in (diagnostics.distributions, diagnostics.joint_correlations)
    ]
    lost = [
        f(table, sets(table, complete, moved), ["t1"])
        for f in (diagnostics.distributions, diagnostics.joint_correlations)
    ]
    assert set(verdicts(steady, *kept, no_events).values()) == {GOOD}
    assert verdicts(apart, *lost, events) == {
        "Convergence": BAD,
        "Effective size": LOOK,
        "Observed against imputed": LOOK,
        "Missing together": LOOK,
        "Logged events": LOOK,
    }

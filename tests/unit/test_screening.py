"""What is said of an imputation model before anything is imputed."""

import numpy as np
import pandas as pd
import pytest

from esmi.imputation import screening

NO_YES = ["no", "yes"]


def yes_no(values):
    return pd.Categorical(np.where(values, "yes", "no"), categories=NO_YES, ordered=True)


@pytest.fixture
def data():
    generator = np.random.default_rng(2)
    ctq = generator.normal(50, 10, size=100)
    table = pd.DataFrame(
        {
            "ctq": ctq,
            "cas": generator.normal(20, 5, size=100),
            "pd": yes_no(generator.random(100) < 0.4),
            "t1": yes_no(generator.random(100) < 0.4),
        }
    )
    table.loc[:19, "ctq"] = np.nan
    return table


def plan(data, **kinds):
    kinds = {name: "continuous" if data[name].dtype == "float64" else "binary" for name in data} | kinds
    return {
        "engine": "chained",
        "roles": {name: "outcome" if name == "t1" else "analysis" for name in data},
        "kinds": kinds,
        "methods": {"ctq": "pmm"},
        "derived": {name: "recorded" for name in data},
    }


def found(data, **kinds):
    return screening.warnings(data, screening.contents(data, plan(data, **kinds)))


def test_contents(data):
    data.loc[:2, "t1"] = np.nan
    table = screening.contents(data, plan(data)).set_index("variable")
    assert table.loc["ctq", ["role", "method", "observed", "missing", "percent"]].tolist() == [
        "analysis",
        "predictive mean matching",
        80,
        20,
        20.0,
    ]
    assert table.loc["cas", "method"] == "complete: predicts only"
    assert table.loc["t1", "method"] == "predicts, never handed on filled (logistic regression inside the chain)"
    assert table.loc["ctq", "minimum"] == data["ctq"].min()


def test_a_sound_model_has_no_warnings(data):
    assert found(data).empty


def test_rare_categories(data):
    data["pd"] = yes_no(np.arange(100) < 9)
    warning = found(data).iloc[0]
    assert (warning["variable"], warning["warning"]) == ("pd", "rare category")
    assert "yes: 9" in warning["detail"]
    data["pd"] = yes_no(np.arange(100) < 10)
    assert found(data).empty


def test_much_missing(data):
    data.loc[:39, "ctq"] = np.nan
    assert found(data).empty
    data.loc[:40, "ctq"] = np.nan
    assert found(data)["warning"].tolist() == ["much is missing"]


def test_variables_that_say_the_same(data):
    data["copy"] = -2 * data["ctq"] + 1
    warning = found(data).iloc[0]
    assert warning["warning"] == "collinear"
    assert "ctq and copy are correlated -1.00" in warning["detail"]


def test_too_many_predictors(data):
    many = {f"x{number}": np.random.default_rng(100 + number).normal(size=100) for number in range(30)}
    wide = pd.concat([data, pd.DataFrame(many)], axis="columns")
    assert found(wide)["warning"].tolist() == ["too many predictors"]
    assert found(wide.drop(columns=[f"x{number}" for number in range(10)])).empty


def test_passive_variables_are_listed_and_not_held_against_their_parts(data):
    data["high"] = yes_no(data["cas"] > 20)
    described = plan(data) | {"derived": {name: "recorded" for name in data} | {"high": "passive"}}
    table = screening.contents(data, described)
    assert table.set_index("variable").loc["high", "method"] == "derived anew in every set"
    assert screening.warnings(data, table).empty

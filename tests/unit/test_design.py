"""Terms, reference levels and the check of what the data can support."""

import numpy as np
import pandas as pd
import pytest

from esmi import design
from esmi.errors import ResearchError


def categorical(values, levels):
    return pd.Categorical(values, categories=levels, ordered=True)


def yes_no(values):
    return categorical(values, ["no", "yes"])


@pytest.fixture
def data():
    return pd.DataFrame(
        {
            "age": [20.0, 30.0, np.nan, 40.0, 25.0],
            "ethnicity": categorical(["white", "black", "asian", None, "white"], ["white", "black", "asian", "other"]),
            "pd": yes_no(["yes", "no", None, "yes", "no"]),
        },
        index=[3, 5, 7, 9, 11],
    )


class TestModelMatrix:
    def test_names_start_with_the_intercept_and_leave_out_the_reference(self, data):
        matrix = design.model_matrix(data, ["pd", "age", "ethnicity"])
        assert list(matrix.columns) == [
            "(Intercept)",
            "pd[yes]",
            "age",
            "ethnicity[black]",
            "ethnicity[asian]",
            "ethnicity[other]",
        ]

    def test_values(self, data):
        matrix = design.model_matrix(data, ["age", "ethnicity"])
        assert (matrix.dtypes == "float64").all()
        assert list(matrix.index) == [3, 5, 7, 9, 11]
        nan = np.nan
        expected = [
            [1, 20, 0, 0, 0],
            [1, 30, 1, 0, 0],
            [1, nan, 0, 1, 0],
            [1, 40, nan, nan, nan],
            [1, 25, 0, 0, 0],
        ]
        np.testing.assert_array_equal(matrix.to_numpy(), expected)

    def test_no_terms_leave_the_intercept(self, data):
        assert design.model_matrix(data, []).to_numpy().tolist() == [[1.0]] * 5

    @pytest.mark.parametrize("values", [["a", "b"], [True, False]])
    def test_only_numeric_and_categorical_variables(self, values):
        with pytest.raises(TypeError, match="site is"):
            design.model_matrix(pd.DataFrame({"site": values}), ["site"])

    def test_terms_of_follow_the_matrix(self, data):
        variables = ["pd", "age", "ethnicity"]
        terms = design.terms_of(data, variables)
        assert list(terms) == variables
        assert terms["ethnicity"] == ["ethnicity[black]", "ethnicity[asian]", "ethnicity[other]"]
        names = [name for own in terms.values() for name in own]
        assert ["(Intercept)", *names] == list(design.model_matrix(data, variables).columns)


class TestEventsOf:
    def test_missing_stays_missing(self, data):
        np.testing.assert_array_equal(design.events_of(data, "pd"), [1, 0, np.nan, 1, 0])

    @pytest.mark.parametrize("variable", ["age", "ethnicity"])
    def test_other_variables_are_no_outcomes(self, data, variable):
        with pytest.raises(ResearchError, match=f"{variable} .5 rows. is not binary"):
            design.events_of(data, variable)

    def test_reversed_levels_are_refused(self):
        data = pd.DataFrame({"t1": categorical(["no", "yes"], ["yes", "no"])})
        with pytest.raises(ResearchError, match="in this order"):
            design.events_of(data, "t1")


@pytest.fixture
def study():
    return pd.DataFrame(
        {
            "t1": yes_no(["yes", "yes", "no", "no", "no", "no", None]),
            "age": [20.0, np.nan, 30.0, 40.0, 25.0, 35.0, 50.0],
            "ethnicity": categorical(
                ["white", "black", "asian", "white", None, "asian", "white"], ["white", "black", "asian"]
            ),
        }
    )


class TestCheckModel:
    def test_counts(self, study):
        row = design.check_model(study, "primary", "t1", ["age", "ethnicity"])
        assert row.to_dict("records") == [
            {
                "model": "primary",
                "outcome": "t1",
                "n": 6,
                "n_outcome_missing": 1,
                "events": 2,
                "non_events": 4,
                "parameters": 3,
                "events_per_parameter": pytest.approx(2 / 3),
                "complete_cases": 4,
                "complete_case_events": 1,
            }
        ]

    def test_events_per_parameter_counts_the_rarer_outcome(self, study):
        study["t1"] = (
            study["t1"].cat.rename_categories({"no": "yes", "yes": "no"}).cat.reorder_categories(["no", "yes"])
        )
        row = design.check_model(study, "primary", "t1", ["age"])
        assert (row["events"][0], row["events_per_parameter"][0]) == (4, 2)

    def test_no_covariates(self, study):
        row = design.check_model(study, "empty", "t1", [])
        assert row["complete_cases"][0] == 6
        assert np.isnan(row["events_per_parameter"][0])

    @pytest.mark.parametrize(("level", "found"), [("no", "no events"), ("yes", "only events")])
    def test_outcome_that_does_not_vary(self, study, level, found):
        study["t1"] = yes_no([level] * 6 + [None])
        with pytest.raises(ResearchError, match=f"Model primary: 1 fault\n.*outcome t1 has {found} in the 6 rows"):
            design.check_model(study, "primary", "t1", ["age"])

    def test_outcome_never_known(self, study):
        study["t1"] = yes_no([None] * 7)
        with pytest.raises(ResearchError, match="the outcome t1 is missing in all 7 rows"):
            design.check_model(study, "primary", "t1", ["age"])

    def test_all_faults_at_once_among_rows_with_a_known_outcome(self, study):
        # Each variable would pass if the row with an unknown outcome counted.
        study["parity"] = [1.0, 1.0, np.nan, 1.0, 1.0, 1.0, 2.0]
        study["ctq"] = [np.nan] * 6 + [4.0]
        study["pd"] = yes_no(["no"] * 6 + ["yes"])
        study["ethnicity"] = categorical(["black", "asian"] * 3 + ["white"], ["white", "black", "asian", "other"])
        with pytest.raises(ResearchError) as caught:
            design.check_model(study, "primary", "t1", ["parity", "age", "ctq", "pd", "ethnicity"])
        lines = str(caught.value).splitlines()
        assert lines[0] == "Model primary: 5 faults"
        beginnings = [
            "  - the covariate parity is constant: its 5 known values, in 6 rows",
            "  - the covariate ctq is missing in all 6 rows",
            "  - the covariate pd is constant: its 6 known values, in 6 rows",
            "  - the level white of the covariate ethnicity has 0 of the 6 known values, in 6 rows",
            "  - the level other of the covariate ethnicity has 0 of the 6 known values, in 6 rows",
        ]
        assert [line[: len(start)] for line, start in zip(lines[1:], beginnings, strict=True)] == beginnings

    def test_unknown_variables(self, study):
        with pytest.raises(
            ResearchError, match=r"Model primary: 2 faults\n  - t9 is not among the 3.*\n  - cas is not"
        ):
            design.check_model(study, "primary", "t9", ["age", "cas"])

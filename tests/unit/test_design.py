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
                "warning": row["warning"][0],
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

    def test_a_wrong_spline_a_wrong_interaction_and_a_missing_cluster_are_listed(self, study):
        study["site"] = ["a", "b", None, "a", None, "b", None]
        terms = ["ethnicity", {"spline": "age", "knots": [30, 20, 40]}, {"interaction": ["ethnicity", "parity"]}]
        with pytest.raises(ResearchError) as caught:
            design.check_model(study.assign(parity=study["age"]), "primary", "t1", terms, cluster="site")
        message = str(caught.value)
        assert "Model primary: 3 faults" in message
        assert "the cluster site is missing in 2 of the 6 rows with a known outcome" in message
        assert "the knots of the spline of age are not three or more different values in ascending order" in message
        assert "the interaction ethnicity:parity stands in the model without a term for parity" in message

    def test_a_product_without_rows(self, study):
        study["pd"] = yes_no(["yes", "no", "no", "no", "no", "no", "yes"])
        with pytest.raises(
            ResearchError, match=r"the interaction ethnicity\[black\]:pd\[yes\] is the same in all 5 rows"
        ):
            design.check_model(study, "primary", "t1", ["ethnicity", "pd", {"interaction": ["ethnicity", "pd"]}])


def large(events, rows=400):
    """The outcome in the first `events` rows; a level in 1 of 2 rows, another in 1 of 100; 40 sites."""
    number = np.arange(rows)
    return pd.DataFrame(
        {
            "t1": yes_no(np.where(number < events, "yes", "no")),
            "age": number % 37.0,
            "pd": yes_no(np.where(number % 2 == 0, "yes", "no")),
            "ht": yes_no(np.where(number % 100 == 0, "yes", "no")),
            "site": number % 40,
        }
    )


class TestWarnings:
    def warning(self, data, terms, **further):
        return design.check_model(data, "primary", "t1", terms, **further)["warning"][0]

    def test_none(self):
        assert self.warning(large(100), ["age", "pd"], cluster="site") == ""

    def test_ten_events_per_parameter_are_enough_and_less_is_not(self):
        assert self.warning(large(20), ["age", {"spline": "site", "knots": 3}]).startswith("6.7 events per parameter")
        assert self.warning(large(30), ["age", {"spline": "site", "knots": 3}]) == ""

    def test_the_rarer_of_events_and_non_events_is_counted(self):
        warning = self.warning(large(385), ["age", "pd"])
        assert warning.startswith("7.5 events per parameter (385 events and 15 non-events for 2 parameters)")
        assert warning.endswith("Fewer than 10 non-events: pd[no]: 8, pd[yes]: 7.")

    def test_levels_with_few_events_or_rows_and_pairs_of_levels(self):
        terms = ["age", "pd", "ht", {"interaction": ["pd", "ht"]}]
        data = large(100)
        data.loc[1, "ht"] = "yes"
        assert (
            self.warning(data, terms)
            == "Fewer than 10 events: ht[yes]: 2, pd[yes]:ht[yes]: 1. Fewer than 5 rows: pd[yes]:ht[yes]: 4."
        )

    def test_few_clusters(self):
        data = large(100).assign(site=lambda d: d["site"] % 29)
        assert self.warning(data, ["age"], cluster="site").startswith("29 clusters (site): with fewer than about 30")


class TestDeclaredTerms:
    TERMS = ["pd", {"spline": "age", "knots": [20, 25, 40]}, {"interaction": ["pd", "age"]}]

    def test_variables_and_names(self):
        terms = ["pd", {"spline": "age", "knots": 3}, {"interaction": ["pd", "ethnicity"]}]
        assert design.variables_of(terms) == ["pd", "age", "ethnicity"]
        assert [design.term_name(term) for term in terms] == ["pd", "age (spline)", "pd:ethnicity"]

    def test_columns_by_term(self, data):
        assert design.terms_of(data, self.TERMS) == {
            "pd": ["pd[yes]"],
            "age (spline)": ["age", "age'"],
            "pd:age": ["pd[yes]:age", "pd[yes]:age'"],
        }

    def test_products_of_levels_and_of_numbers(self, data):
        terms = [{"interaction": ["age", "pd"]}, "age", "pd", "ethnicity", {"interaction": ["pd", "ethnicity"]}]
        matrix = design.model_matrix(data, terms)
        assert list(matrix.columns)[-3:] == [f"pd[yes]:ethnicity[{level}]" for level in ("black", "asian", "other")]
        np.testing.assert_array_equal(matrix["age:pd[yes]"], [20, 0, np.nan, 40, 0])
        np.testing.assert_array_equal(matrix["pd[yes]:ethnicity[black]"], [0, 0, np.nan, np.nan, 0])

    def test_a_spline_is_linear_beyond_its_outer_knots(self):
        x = pd.DataFrame({"age": [0.0, 5, 10, 15, 60, 65, 70, 75]})
        spline = design.model_matrix(x, [{"spline": "age", "knots": [20, 30, 50]}])["age'"].to_numpy()
        np.testing.assert_array_equal(spline[:4], 0)
        np.testing.assert_allclose(np.diff(spline[4:], 2), 0, atol=1e-12)
        # At 60, by hand: (40^3 - 30^3 * 30/20 + 10^3 * 10/20) / 30^2.
        assert spline[4] == pytest.approx((64000 - 40500 + 500) / 900)

    def test_knots_are_of_observed_values_and_stay(self, data):
        (term,) = design.resolve_knots(data, [{"spline": "age", "knots": 3}])
        assert term == {"spline": "age", "knots": pytest.approx([21.5, 27.5, 37.0])}
        imputed = data.assign(age=data["age"].fillna(99))
        assert design.resolve_knots(imputed, [{"spline": "age", "knots": term["knots"]}]) == [term]

    @pytest.mark.parametrize(
        ("term", "message"),
        [
            ({"spline": "pd", "knots": 3}, "pd is not a number"),
            ({"spline": "age", "knots": 2}, "the spline of age has 2 knots, and 3 to 7 are possible"),
            ({"spline": "age", "knots": [20, 30]}, "not three or more different values"),
            ({"spline": "age", "knots": [10, 30, 40]}, "not all within its observed values"),
            ({"spline": "tied", "knots": 4}, "4 observed values, of which 2 differ"),
        ],
    )
    def test_wrong_splines(self, data, term, message):
        data["tied"] = [1.0, 1.0, 1.0, np.nan, 2.0]
        with pytest.raises(ResearchError, match=message):
            design.resolve_knots(data, [term])

    def test_what_has_not_been_settled_is_a_defect(self, data):
        with pytest.raises(ValueError, match="knots of age are not settled"):
            design.model_matrix(data, [{"spline": "age", "knots": 3}])
        with pytest.raises(ValueError, match="interaction pd:age needs terms of their own for age"):
            design.model_matrix(data, ["pd", {"interaction": ["pd", "age"]}])

    def test_an_interaction_of_a_variable_with_itself(self, study):
        with pytest.raises(ResearchError, match="age:age is of a variable with itself"):
            design.check_model(study, "primary", "t1", ["age", {"interaction": ["age", "age"]}])

    def test_grid_of_values(self, data):
        grid = design.value_grid(data.assign(tied=[1.0, 1, 1, 1, 2]), ["age", "pd", "tied"])
        assert grid == {"age": pytest.approx([20.75, 23.75, 27.5, 32.5, 38.5]), "tied": pytest.approx([1, 1.8])}

"""Tables: the tidy frames, their HTML, and the printing of numbers."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from esmi import comparison, pages, tables

NOTICE = "Synthetic data: not a result about any person"
LABELS = {
    "age": {"label": "Age", "unit": "years", "kind": "continuous", "levels": {}, "columns": {"age": ""}},
    "ctq": {
        "label": "Childhood trauma (CTQ total)",
        "unit": "25 to 125",
        "kind": "continuous",
        "levels": {},
        "columns": {"ctq": ""},
    },
    "pd": {"label": "Personality disorder", "unit": "", "kind": "binary", "levels": {"no": "No", "yes": "Yes"}},
    "ethnicity": {
        "label": "Ethnicity <group>",
        "unit": "",
        "kind": "nominal",
        "levels": {"white": "White", "black": "Black & other", "asian": "Asian"},
    },
}
GROUPS = {"all": "All", "no": "No involvement", "yes": "Involvement"}


def categorical(values, levels):
    return pd.Categorical(values, categories=levels, ordered=True)


def read_back(table: pd.DataFrame) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(table.to_csv(index=False)), keep_default_na=False, na_values="")


def cells(html: str) -> list[list[str]]:
    rows = BeautifulSoup(html, "html.parser").select("tbody tr")
    return [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in rows]


@pytest.fixture
def tidy():
    data = pd.DataFrame(
        {
            "t1": categorical(["no"] * 6 + ["yes"] * 4, ["no", "yes"]),
            "age": [20.0, 30.0, 24.0, 31.0, 28.0, np.nan, 40.0, 28.0, 33.0, 37.5],
            "ctq": [30.0] * 10,
            "pd": categorical(["no", "no", "no", "yes", "no", "no", "yes", "yes", "no", "yes"], ["no", "yes"]),
            "ethnicity": categorical(
                ["white", "black", None, "white", "asian", "white", "black", "black", "white", None],
                ["white", "black", "asian"],
            ),
        }
    )
    summaries, tests = comparison.characteristics(data, ["age", "ctq", "pd", "ethnicity"], "t1")
    sections = {"Socio-demographic": ["ethnicity", "age"], "Clinical": ["pd", "ctq"]}
    return tables.characteristics(summaries, tests, LABELS, sections)


def pooled_rows(part: str, terms: dict[str, tuple[str, float, float]], reason: str = "", **more) -> pd.DataFrame:
    """term -> (fit, odds ratio, standard error of the log-odds)."""
    rows = []
    for term, (fit, ratio, se) in terms.items():
        ratio = np.nan if reason else ratio
        low, high = ratio * np.exp(-1.96 * se), ratio * np.exp(1.96 * se)
        rows.append(
            {"model_part": part, "fit": fit, "term": term, "odds_ratio": ratio, "or_low": low, "or_high": high}
            | {"p_value": np.nan if reason else 0.0496, "df": 120.5, "fmi": 0.12, "riv": 0.13, "mcse": 0.004}
            | {"n": 278, "events": 99, "m": 50, "reason": reason}
            | more
        )
    return pd.DataFrame(rows)


TERMS = {
    "ctq": ("ctq", 1.023, 0.0075),
    "pd[yes]": ("pd", 3.16, 0.4),
    "ethnicity[black]": ("ethnicity", 0.0041, 1.2),
    "ethnicity[asian]": ("ethnicity", 250.4, 2.0),
}


def odds(reason: str = "") -> pd.DataFrame:
    intercepts = {"(Intercept)": ("ctq", 0.2, 0.1)}
    adjusted = {"(Intercept)": ("adjusted", 0.2, 0.1)} | {
        term: ("adjusted", ratio * 1.1, se) for term, (_, ratio, se) in TERMS.items()
    }
    pooled = pd.concat([pooled_rows("unadjusted", intercepts | TERMS), pooled_rows("adjusted", adjusted)])
    complete = pd.concat(
        [
            pooled_rows("unadjusted", TERMS, n=110, events=40),
            pooled_rows("adjusted", adjusted, reason=reason, n=110, events=40),
        ]
    )
    tests = pd.DataFrame(
        {
            "model_part": ["unadjusted", "adjusted"],
            "variable": ["ethnicity", "ethnicity"],
            "method": ["D1", "D1"],
            "p_value": [0.5, 0.0004],
        }
    )
    return tables.odds_ratios(pooled, tests, complete.drop(columns=["m"]), LABELS, ["ctq", "pd", "ethnicity"])


class TestNumbers:
    @pytest.mark.parametrize(
        ("p", "printed"),
        [(0.0004, "<0.001"), (0.001, "0.001"), (0.0496, "0.050"), (0.9996, "1.000"), (np.nan, "")],
    )
    def test_p_values(self, p, printed):
        assert pages.format_p(p) == printed

    @pytest.mark.parametrize(
        ("ratio", "decimals", "printed"),
        [
            (1.347, 2, "1.35"),
            (1.0234, 3, "1.023"),
            (0.00412, 2, "0.0041"),
            (0.0512, 3, "0.051"),
            (0.1, 2, "0.10"),
            (99.95, 2, "99.95"),
            (1234.5, 2, "1234"),
            (3.2e7, 2, "3.20e+07"),
            (2e-9, 2, "2.00e-09"),
            (np.inf, 2, "\u221e"),
            (np.nan, 2, ""),
        ],
    )
    def test_ratios(self, ratio, decimals, printed):
        assert pages.format_ratio(ratio, decimals) == printed

    def test_one_row_has_one_number_of_decimals(self):
        row = odds().set_index("term").loc["ctq"]
        assert tables.format_odds_ratio(row, "unadjusted") == "1.023 (1.008 to 1.038)"
        # The adjusted odds ratio, 1.1253, is further from 1 than 0.1 but follows the unadjusted one.
        assert tables.format_odds_ratio(row, "adjusted") == "1.125 (1.109 to 1.142)"

    def test_a_narrow_interval_far_from_one_has_two_decimals(self):
        row = odds().set_index("term").loc["ctq"].copy()
        for analysis in tables.ANALYSES:
            row[[f"{analysis}_{name}" for name in ("odds_ratio", "or_low", "or_high")]] = [2.0, 1.96, 2.04]
        assert tables.format_odds_ratio(row, "adjusted") == "2.00 (1.96 to 2.04)"

    @pytest.mark.parametrize(
        ("label", "unit", "printed"),
        [
            ("Age", "years", "Age (years)"),
            ("Ethnicity", "", "Ethnicity"),
            ("Harm (CAS)", "0 to 9", "Harm (CAS, 0 to 9)"),
        ],
    )
    def test_labels(self, label, unit, printed):
        assert tables.format_label(label, unit) == printed

    def test_counts(self):
        assert tables.format_counts(pd.Series([278.0, np.nan, 201.0])) == "201 to 278"
        assert tables.format_counts(pd.Series([278, 278])) == "278"
        assert tables.format_counts(pd.Series([np.nan])) == ""


class TestCharacteristics:
    def test_columns_and_order(self, tidy):
        assert list(tidy.columns) == tables.CHARACTERISTICS_COLUMNS
        assert list(tidy["variable"].unique()) == ["ethnicity", "age", "pd", "ctq"]
        assert list(tidy["section"].unique()) == ["Socio-demographic", "Clinical"]

    def test_results_of_a_test_stand_on_every_row_of_its_variable(self, tidy):
        per_variable = tidy.groupby("variable")[["test", "p_value", "reason"]].nunique(dropna=False)
        assert (per_variable == 1).all(axis=None)
        assert tidy.loc[tidy["variable"] == "pd", "p_value"].notna().all()

    def test_html_shows_numbers_of_the_tidy_frame(self, tidy):
        rows = {row[0]: row[1:] for row in cells(tables.characteristics_html(tidy, "Title", GROUPS, ""))}
        pd_yes = tidy[(tidy["variable"] == "pd") & (tidy["level"] == "yes")].set_index("group")
        assert rows["Personality disorder, n (%)"][:3] == ["4 (40.0%)", "1 (16.7%)", "3 (75.0%)"]
        assert rows["Personality disorder, n (%)"][3] == pages.format_p(pd_yes["p_value"].iloc[0]) + "\u2020"
        assert "No" not in rows
        age = tidy[tidy["variable"] == "age"].set_index("group")
        assert rows["Age (years), mean (SD)"][1] == f"{age.loc['no', 'mean']:.1f} ({age.loc['no', 'sd']:.1f})"
        assert rows["Age (years), mean (SD)"][4] == f"{age['standardised_difference'].iloc[0]:.2f}"
        assert rows["Black & other"][2] == "2 (66.7%)"

    def test_every_number_comes_from_the_tidy_frame(self, tidy):
        known = {str(int(value)) for name in ("n", "missing", "count") for value in tidy[name].dropna()}
        known |= {f"{value:.1f}" for name in ("percent", "mean", "sd") for value in tidy[name].dropna()}
        known |= {f"{value:.2f}" for name in ("mean", "sd", "standardised_difference") for value in tidy[name].dropna()}
        known |= {pages.format_p(value).lstrip("<") for value in tidy["p_value"]}
        printed = [
            number
            for row in cells(tables.characteristics_html(tidy, "Title", GROUPS, ""))
            for cell in row[1:]
            for number in re.findall(r"-?\d+\.?\d*", re.sub(r"\[\d+\]", "", cell))
        ]
        assert len(printed) > 30
        assert set(printed) <= known

    def test_missing_rows_stand_only_where_there_are_any(self, tidy):
        rows = cells(tables.characteristics_html(tidy, "Title", GROUPS, ""))
        assert [row for row in rows if row[0] == "Missing, n"] == [
            ["Missing, n", "2", "1", "1", "", ""],
            ["Missing, n", "1", "1", "0", "", ""],
        ]

    def test_heads(self, tidy):
        soup = BeautifulSoup(tables.characteristics_html(tidy, "Title", GROUPS, ""), "html.parser")
        heads = [head.get_text() for head in soup.select("thead th")]
        assert heads[1:4] == ["All(n=10)", "No involvement(n=6)", "Involvement(n=4)"]
        assert {head["scope"] for head in soup.find_all("th")} == {"col", "row", "rowgroup"}

    def test_only_the_groups_asked_for(self, tidy):
        html = tables.characteristics_html(tidy, "Title", {"no": "No", "yes": "Yes"}, "")
        assert "All" not in BeautifulSoup(html, "html.parser").get_text()

    def test_reason_in_a_footnote(self, tidy):
        html = tables.characteristics_html(tidy, "Title", GROUPS, "")
        text = BeautifulSoup(html, "html.parser").get_text()
        assert "[1] the same value in all rows of each group" in text
        row = next(row for row in cells(html) if row[0].startswith("Childhood"))
        assert row[4:] == ["[1]", ""]

    def test_dagger_only_with_small_expected_counts(self, tidy):
        large = tidy.assign(smallest_expected=5.0)
        assert "\u2020" in tables.characteristics_html(tidy, "Title", GROUPS, "")
        assert "\u2020" not in tables.characteristics_html(large, "Title", GROUPS, "")

    def test_withheld_numbers_are_not_shown_as_zero(self, tidy):
        hidden = tidy.copy()
        hidden.loc[hidden["variable"] == "pd", ["count", "percent"]] = np.nan
        html = tables.characteristics_html(hidden, "Title", GROUPS, "")
        row = next(row for row in cells(html) if row[0].startswith("Personality"))
        assert row[1:4] == ["withheld"] * 3
        assert "to protect" in html
        assert "to protect" not in tables.characteristics_html(tidy, "Title", GROUPS, "")

    def test_no_minus_zero(self, tidy):
        html = tables.characteristics_html(tidy.assign(standardised_difference=-0.001), "Title", GROUPS, "")
        assert "-0.00" not in html

    def test_results_read_from_csv_give_the_same_table(self, tidy):
        first = tables.characteristics_html(tidy, "Title", GROUPS, NOTICE)
        assert tables.characteristics_html(read_back(tidy), "Title", GROUPS, NOTICE) == first

    def test_an_empty_column_of_texts_stands_for_no_numbers(self, tidy):
        blank = tidy.assign(p_value="", statistic="")
        assert "p-values" in tables.characteristics_html(blank, "Title", GROUPS, NOTICE)


class TestOddsRatios:
    def test_rows_and_columns(self):
        table = odds()
        assert list(table.columns) == tables.ODDS_RATIO_COLUMNS
        assert list(table["term"]) == ["ctq", "", "pd[yes]", "", "ethnicity[black]", "ethnicity[asian]"]
        assert list(table["reference"]) == [False, True, False, True, False, False]
        assert list(table["m"]) == [50] * 6

    def test_reference_rows_have_nothing_estimated(self):
        reference = odds().loc[lambda table: table["reference"]]
        for analysis in tables.ANALYSES:
            assert (reference[f"{analysis}_odds_ratio"] == 1).all()
            assert reference[[f"{analysis}_or_low", f"{analysis}_or_high", f"{analysis}_p_value"]].isna().all(axis=None)
        assert (reference["complete_case_n"] == 110).all()

    def test_numbers_come_from_their_own_fit(self):
        row = odds().set_index("term").loc["pd[yes]"]
        assert row["unadjusted_odds_ratio"] == pytest.approx(3.16)
        assert row["adjusted_odds_ratio"] == pytest.approx(3.476)
        assert row["adjusted_fmi"] == 0.12
        assert row["adjusted_mcse"] == 0.004

    def test_joint_p_value_is_of_the_adjusted_fit_and_of_several_levels(self):
        table = odds().set_index("variable")
        assert (table.loc["ethnicity", "joint_p_value"] == 0.0004).all()
        assert table.loc[["ctq", "pd"], "joint_p_value"].isna().all()

    def test_a_term_without_results_is_an_error(self):
        with pytest.raises(ValueError, match=r"unadjusted results hold no row of .*pd\[yes\]"):
            tables.odds_ratios(
                pooled_rows("unadjusted", {"ctq": ("ctq", 1.0, 0.1)}),
                pd.DataFrame({"model_part": [], "variable": [], "p_value": []}),
                pooled_rows("adjusted", TERMS),
                LABELS,
                ["ctq", "pd"],
            )

    def test_a_term_with_several_results_is_an_error(self):
        with pytest.raises(ValueError, match="duplicate"):
            tables.odds_ratios(
                pd.concat([pooled_rows("unadjusted", TERMS), *[pooled_rows("adjusted", TERMS)] * 2]),
                pd.DataFrame({"model_part": [], "variable": [], "p_value": []}),
                pooled_rows("adjusted", TERMS),
                LABELS,
                ["ctq", "pd"],
            )

    def test_html(self):
        html = tables.odds_ratios_html(odds(), "Title", "")
        rows = {row[0]: row[1:] for row in cells(html)}
        assert rows["Personality disorder"][:2] == ["3.16 (1.44 to 6.92)", "0.050"]
        assert rows["White"] == ["1 (reference)", ""] * 3
        assert rows["Ethnicity <group>"] == ["", "", "", "<0.001\u2021", "", ""]
        assert rows["Black & other"][0].startswith("0.0041 (")
        heads = [head.get_text() for head in BeautifulSoup(html, "html.parser").select("thead th")]
        assert heads[1] == "Unadjusted (MI, M=50)n=278, events=99"
        assert heads[3] == "Adjusted (complete case)n=110, events=40"
        assert heads[4] == "OR (95% CI)"
        assert "OR (90% CI)" in tables.odds_ratios_html(odds(), "Title", "", level=0.9)

    def test_every_number_comes_from_the_tidy_frame(self):
        table = odds()
        known = {"1"} | {pages.format_p(p).lstrip("<") for p in table.filter(like="p_value").to_numpy().ravel()}
        for name in ("odds_ratio", "or_low", "or_high"):
            values = table[[f"{analysis}_{name}" for analysis in tables.ANALYSES]].to_numpy().ravel()
            known |= {pages.format_ratio(value, decimals) for value in values for decimals in (2, 3)}
        printed = [
            number
            for row in cells(tables.odds_ratios_html(table, "Title", ""))
            for cell in row[1:]
            for number in re.findall(r"\d+\.?\d*(?:e[-+]\d+)?", cell)
        ]
        assert len(printed) > 40
        assert set(printed) <= known

    def test_what_is_not_estimated_says_why(self):
        html = tables.odds_ratios_html(odds("separation: no events where pd[yes] & more"), "Title", "")
        rows = {row[0]: row[1:] for row in cells(html)}
        assert rows["Personality disorder"][4:] == ["not estimated[1]", ""]
        assert rows["White"][4:] == ["1 (reference)", ""]
        assert "<p>[1] separation: no events where pd[yes] &amp; more</p>" in html

    def test_never_says_no_effect(self):
        html = tables.odds_ratios_html(odds(), "Title", "").lower()
        assert not re.search(r"no effect|no difference|not significant|non-significant", html)
        assert "does not show that there is no association" in html

    def test_results_read_from_csv_give_the_same_table(self):
        table = odds("separation")
        first = tables.odds_ratios_html(table, "Title", NOTICE)
        assert tables.odds_ratios_html(read_back(table), "Title", NOTICE) == first


class TestPage:
    def test_everything_is_escaped(self, tidy):
        attack = '<script>alert("x")</script>'
        hostile = tidy.assign(section=attack, label=attack, level_label=attack, reason=attack, test=attack)
        groups = dict.fromkeys(GROUPS, attack)
        html = pages.page(attack, tables.characteristics_html(hostile, attack, groups, attack), attack)
        rows = odds().assign(label=attack, unit=attack, level_label=attack, adjusted_reason=attack)
        html += tables.odds_ratios_html(rows, attack, attack)
        assert "<script" not in html
        assert html.count("&lt;script&gt;") > 20

    def test_notice_is_on_the_page_and_in_the_table(self, tidy):
        body = tables.characteristics_html(tidy, "Title", GROUPS, NOTICE)
        assert NOTICE in BeautifulSoup(body, "html.parser").caption.get_text()
        assert pages.page("Title", body, NOTICE).count(NOTICE) == 2
        assert 'class="notice"' not in pages.page("Title", tables.odds_ratios_html(odds(), "Title", ""), "")

    def test_page_fetches_nothing(self, tidy):
        html = pages.page("Title", tables.characteristics_html(tidy, "Title", GROUPS, NOTICE), NOTICE)
        assert not re.search(r"https?:|src=|href=|@import|url\(", html)
        soup = BeautifulSoup(html, "html.parser")
        assert soup.title.get_text() == "Title"
        assert soup.find("meta", attrs={"name": "viewport"})

    def test_same_table_same_text(self, tidy):
        first, second = (tables.characteristics_html(tidy.copy(), "Title", GROUPS, NOTICE) for _ in range(2))
        assert first == second

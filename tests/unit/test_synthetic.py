"""The invented extract: the same bytes from the same seed, the published counts, effects that can be found again."""

import copy
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from statsmodels.discrete.discrete_model import Logit

from esmi import codebook, derive, design, documents, extract
from esmi.errors import ResearchError
from esmi.synthetic import simulation, writing

REPOSITORY = Path(__file__).parents[2]
SUFFIXES = {"index": ".sav", "interview": ".sav", "followup": ".dta"}
LARGE = 20_000


@pytest.fixture(scope="module")
def assumptions():
    return documents.read_yaml(REPOSITORY / "codebook" / "synthetic.yaml")


@pytest.fixture(scope="module")
def book():
    return codebook.load(REPOSITORY / "codebook")


@pytest.fixture(scope="module")
def study(assumptions):
    return simulation.simulate(assumptions, seed=20211118)


@pytest.fixture(scope="module")
def large(assumptions):
    return simulation.simulate(assumptions, seed=1, n=LARGE)


@pytest.fixture(scope="module")
def written(study, book, tmp_path_factory):
    return write(study, book, tmp_path_factory.mktemp("extract"))


def write(simulated, book, folder, suffixes=SUFFIXES):
    folder.mkdir(exist_ok=True)
    paths = {name: folder / f"{name}{suffix}" for name, suffix in suffixes.items()}
    writing.write(simulated, paths, book)
    return paths


def changed(assumptions, path, value):
    """A copy of the assumptions with one value changed, at a path such as 't1.effects.age'."""
    document = copy.deepcopy(assumptions)
    *way, last = path.split(".")
    part = document
    for key in way:
        part = part[key]
    part[last] = value
    return document


def ingested(paths, book):
    return {
        name: extract.ingest(
            extract.read_raw(path), "dyad_id", {c: spec.missing for c, spec in book.columns(name).items()}
        )
        for name, path in paths.items()
    }


def items_of(table, pattern):
    return table.filter(regex=pattern)


def not_returned(table, pattern):
    """Rows in which no item has an answer: all of them blank, or all the one code."""
    items = items_of(table, pattern)
    return (items.isna() | (items < 0)).all(axis="columns").to_numpy(dtype=bool)


# --- one seed, one extract ------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_at_any_time_of_day(assumptions, book, tmp_path, monkeypatch):
    contents, stamped = [], []
    for zone in ("UTC", "Asia/Tokyo"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        paths = write(simulation.simulate(assumptions, seed=7), book, tmp_path / zone.replace("/", "_"))
        contents.append({name: path.read_bytes() for name, path in paths.items()})
        for path, library in (("plain.sav", pyreadstat.write_sav), ("plain.dta", pyreadstat.write_dta)):
            library(pd.DataFrame({"x": [1.0]}), tmp_path / path)
            stamped.append((tmp_path / path).read_bytes())
    monkeypatch.undo()
    time.tzset()
    assert contents[0] == contents[1]
    # What the library writes does depend on the clock, so that the line above could have failed.
    assert stamped[0] != stamped[2]
    assert stamped[1] != stamped[3]


def test_the_order_of_codes_in_the_codebook_changes_no_byte(study, book, written, tmp_path):
    turned = {
        name: file.model_copy(
            update={
                "columns": {
                    column: spec.model_copy(update={"codes": dict(reversed(spec.codes.items()))})
                    for column, spec in file.columns.items()
                }
            }
        )
        for name, file in book.files.items()
    }
    again = write(study, book.model_copy(update={"files": turned}), tmp_path)
    assert all(again[name].read_bytes() == path.read_bytes() for name, path in written.items())


def test_another_seed_gives_other_data(assumptions, study):
    other = simulation.simulate(assumptions, seed=20211119)
    for name, table in study.files.items():
        assert set(table["dyad_id"]) != set(other.files[name]["dyad_id"])
    assert (study.complete["ctq_total"] != other.complete["ctq_total"]).mean() > 0.9
    assert study.truth["models"]["t1"]["log_odds"] != other.truth["models"]["t1"]["log_odds"]


def test_what_is_assumed_to_be_missing_changes_no_true_value(assumptions, study):
    nothing_missing = simulation.simulate(changed(assumptions, "missing", {}), seed=20211118)
    pd.testing.assert_frame_equal(nothing_missing.complete, study.complete)
    assert nothing_missing.truth == study.truth


# --- the shape of the study -----------------------------------------------------------------------------------------


def test_the_published_counts_are_exact(study):
    index = study.files["index"]
    assert len(index) == 279
    assert (index["safeguarding"] == 98).sum() == 1
    assert index["safeguarding"].between(2, 12).sum() == 99
    assert index["safeguarding"].between(0, 1).sum() == 179
    assert index["service"].value_counts().to_dict() == {1: 108, 2: 62, 3: 109}
    by_service = pd.crosstab(study.complete["service"], study.complete["readmitted"])
    assert by_service["yes"].to_dict() == {"mbu": 24, "ward": 20, "crt": 23}


def test_another_size_keeps_the_proportions(large):
    safeguarding = large.files["index"]["safeguarding"]
    n_unknown = (safeguarding == 98).sum()
    assert n_unknown == round(LARGE / 279)
    assert safeguarding.between(2, 12).sum() == round((LARGE - n_unknown) * 99 / 278)


def test_ids_are_unique_codes_in_no_sequence_and_each_file_has_its_own_order(study):
    ids = {name: list(table["dyad_id"]) for name, table in study.files.items()}
    for known in ids.values():
        assert len(set(known)) == len(known)
        assert set(known) <= set(ids["index"])
        assert all(len(code) == 5 and code[0] == "D" and code[1:].isdigit() for code in known)
        assert known != sorted(known)
    numbers = np.sort([int(code[1:]) for code in ids["index"]])
    assert (np.diff(numbers) > 1).any()
    common = set(ids["interview"]) & set(ids["followup"])
    orders = [[code for code in known if code in common] for known in ids.values()]
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_a_share_of_the_dyads_is_in_no_interview_and_in_no_follow_up(study):
    assert len(study.files["interview"]) == 279 - 11
    assert len(study.files["followup"]) == 279 - 47


def test_the_complete_data_look_as_assumed(large):
    complete = large.complete
    shares = complete.select_dtypes("category").apply(lambda column: (column == "yes").mean())
    for name, low, high in [
        ("personality_disorder", 0.14, 0.17),
        ("schizophrenia", 0.13, 0.16),
        ("previous_admission", 0.35, 0.39),
        ("substance_misuse", 0.23, 0.27),
        ("learning_difficulties", 0.06, 0.08),
        ("csc_t2", 0.279, 0.281),
        ("custody_lost", 0.08, 0.11),
    ]:
        assert low < shares[name] < high, name
    assert complete["age"].mean() == pytest.approx(32, abs=0.2)
    assert complete["age"].std() == pytest.approx(6, abs=0.3)
    assert complete[["ctq_total", "cas_total"]].skew().gt(0.8).all()
    assert complete["ctq_total"].corr(complete["cas_total"]) == pytest.approx(0.4, abs=0.05)
    assert (complete["cas_total"] == 0).mean() > 0.3
    means = complete.groupby("personality_disorder", observed=True)[["ctq_total", "cas_total"]].mean()
    assert (means.loc["yes"] > means.loc["no"] + 4).all()


# --- what is missing ------------------------------------------------------------------------------------------------


def test_whole_questionnaires_are_missing_together(large):
    interview = large.files["interview"]
    missing = {name: not_returned(interview, f"^{name}_") for name in ("ctq", "cas", "pbq")}
    assert missing["ctq"].mean() == pytest.approx(0.155, abs=0.01)
    assert missing["cas"].mean() == pytest.approx(0.205, abs=0.01)
    for one, other in [("ctq", "cas"), ("ctq", "pbq"), ("cas", "pbq")]:
        together = (missing[one] & missing[other]).mean()
        assert together > 2 * missing[one].mean() * missing[other].mean()
    absent = 1 - len(interview) / LARGE
    assert 0.10 < absent + (1 - absent) * (missing["ctq"] & missing["cas"]).mean() < 0.14


def test_questionnaires_and_follow_up_are_missing_by_what_was_observed(large):
    complete = large.complete.set_index("dyad_id")
    interview = large.files["interview"]
    known = complete.loc[interview["dyad_id"]].assign(missing=not_returned(interview, "^cas_"))
    known["lost"] = True
    complete["lost"] = ~complete.index.isin(large.files["followup"]["dyad_id"])
    for variable, level in [("csc_t1", "yes"), ("relationship", "single"), ("service", "ward")]:
        assert known.loc[known[variable] == level, "missing"].mean() > known["missing"].mean() + 0.02
        assert complete.loc[complete[variable] == level, "lost"].mean() > complete["lost"].mean() + 0.02


def test_single_answers_are_missing_in_one_to_three_percent_of_the_items(large):
    interview = large.files["interview"]
    for name in ("ctq", "cas", "pbq"):
        items = items_of(interview, f"^{name}_")[~not_returned(interview, f"^{name}_")]
        gaps = items.isna() | (items < 0)
        assert 0.01 < gaps.to_numpy(dtype=bool).mean() < 0.03
        assert {-9, -8} <= set(items.melt()["value"].dropna())
        assert items.isna().to_numpy().any()


def test_missing_values_have_several_kinds_of_reasons(large):
    index, followup = large.files["index"], large.files["followup"]
    assert {98, 99} <= set(index["ethnic_group"])
    for name, code in [("relationship", 9), ("imd_decile", -1), ("admissions_2y", -9), ("mha", 9), ("age_years", -9)]:
        assert 0 < (index[name] == code).sum() < 0.04 * LARGE
    assert index["relationship"].isna().any()
    assert (index.loc[index["nation"] == 2, "imd_decile"].isna()).all()
    assert {".a", ".b"} <= set(followup["safeguarding_12m"])
    assert ".c" in set(followup["satisfaction"])


# --- the files against the codebook ---------------------------------------------------------------------------------


def test_columns_and_codes_are_those_of_the_codebook(large, book):
    for file, table in large.files.items():
        declared = book.columns(file)
        assert set(table.columns) == {book.files[file].id, *declared}
        for name, column in declared.items():
            if column.text:
                continue
            found = set(table[name].dropna()) - set(column.missing)
            allowed = column.codes or range(int(column.range[0]), int(column.range[1]) + 1)
            assert found <= set(allowed), name


def test_files_carry_the_labels_and_missing_codes_of_the_codebook(written, book):
    for file, path in written.items():
        raw = extract.read_raw(path)
        for name, column in book.columns(file).items():
            assert raw.labels[name] == column.label
            # .sav and .dta name the codes that are numbers by floats, which are equal to the codebook's whole numbers.
            assert raw.value_labels.get(name, {}) == ({} if column.text else column.codes | column.missing)
            if path.suffix == ".sav" and not column.text:
                assert raw.user_missing.get(name, []) == [(code, code) for code in sorted(column.missing)]


@pytest.mark.parametrize("suffix", [".sav", ".dta", ".csv"])
def test_every_format_gives_back_what_was_written(study, book, tmp_path, suffix):
    paths = write(study, book, tmp_path, {"interview": suffix})
    raw = extract.read_raw(paths["interview"])
    table = study.files["interview"]
    assert list(raw.data["dyad_id"]) == list(table["dyad_id"])
    numbers = table.drop(columns="dyad_id").astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    np.testing.assert_array_equal(raw.data.drop(columns="dyad_id").to_numpy(dtype=float), numbers)


@pytest.mark.parametrize("suffix", [".dta", ".csv"])
def test_letters_beside_blanks_are_given_back(study, book, tmp_path, suffix):
    table = study.files["followup"]
    values = table["satisfaction"]
    assert values.isna().any()
    back = ingested(write(study, book, tmp_path, {"followup": suffix}), book)["followup"].set_index("dyad_id")
    back = back.loc[table["dyad_id"]]
    is_refused = (values == ".c").fillna(False).to_numpy(dtype=bool)
    assert is_refused.any()
    assert (back.loc[is_refused, "satisfaction__why"] == "Refused").all()
    assert back["satisfaction"].isna().to_numpy().tolist() == (is_refused | values.isna().to_numpy()).tolist()
    known = back["satisfaction"].notna().to_numpy()
    assert back.loc[known, "satisfaction"].tolist() == values[known].tolist()


def test_cleaning_the_files_gives_the_true_values_where_nothing_is_missing(assumptions, book, tmp_path):
    simulated = simulation.simulate(changed(assumptions, "missing", {}), seed=3, n=1500)
    cleaned = derive.clean(ingested(write(simulated, book, tmp_path), book), book, "index", []).table
    # Not known to staff is part of the outcome, not of what is assumed to be missing.
    known = (cleaned["csc_t1"].notna() & cleaned["cpp_any"].notna()).to_numpy()
    assert 0 < (~known).sum() <= round(1500 / 279)
    for name in simulated.complete.columns.drop("dyad_id"):
        true = simulated.complete[name]
        if name in book.variables:
            found = cleaned[name]
            if isinstance(true.dtype, pd.CategoricalDtype):
                assert list(true.cat.categories) == list(found.cat.categories), name
            assert found[known].tolist() == true[known].tolist(), name


# --- what is true ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["t1", "t2"])
def test_planted_effects_are_found_in_the_complete_data(large, model):
    truth = large.truth["models"][model]
    planted = pd.Series(truth["log_odds"])
    variables = list(dict.fromkeys(term.split("[")[0] for term in planted.index[1:]))
    matrix = design.model_matrix(large.complete, variables)[planted.index]
    fitted = Logit((large.complete[truth["outcome"]] == "yes").to_numpy(dtype=float), matrix).fit(disp=False)
    distance = (fitted.params - planted) / fitted.bse
    assert distance.abs().max() < 3, distance.round(1).to_dict()
    assert (planted.drop("(Intercept)") != 0).sum() >= 5


def test_the_truth_has_every_term_of_the_models_of_the_study(study):
    settings = documents.read_yaml(REPOSITORY / "config.yaml")
    for name, model in settings["models"].items():
        terms = set(design.model_matrix(study.complete, model["terms"]).columns)
        assert terms <= set(study.truth["models"][name]["log_odds"])


def test_the_truth_is_plain_and_tells_of_no_person(study):
    text = json.dumps(study.truth, allow_nan=False)
    assert not any(code in text for code in study.complete["dyad_id"])
    assert all(np.ndim(value) == 0 for model in study.truth["models"].values() for value in model["log_odds"].values())
    outcome = study.complete["csc_t2"] == "yes"
    assert study.truth["models"]["t2"]["events"] == outcome.sum() == round(0.28 * 279)
    assert study.truth["models"]["t1"]["events_known"] == 99
    assert study.truth["complete_data"]["age"]["mean"] == pytest.approx(study.complete["age"].mean())


# --- faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("nation", {1: 0.9, 2: 0.2}, "nation: shares must add up to 1"),
        ("seeds", 1, "seeds: unknown key"),
        ("dyads.t1_involved", 300, "t1_involved < t1_known"),
        ("t1.effects", {"personality_disordr[yes]": 1.0}, "did you mean 'personality_disorder[yes]'"),
        ("t1.effects", {"csc_t2[yes]": 1.0}, "t1.effects: no term 'csc_t2[yes]'"),
        ("detained", {1: 0.1}, "detained: needs exactly the codes 1, 2, 3"),
        ("instruments.ctq.reversed", [99], "99 stand in no group"),
        ("instruments.tag.range", [0, 3], "each group needs 4 shares"),
        ("missing.not_returned.shares", {"interview.cqt": 0.1}, "did you mean 'interview.ctq'"),
        ("missing.columns", {"index": {"ethnic_grup": {99: 0.1}}}, "did you mean 'ethnic_group'"),
        ("substance.items", {"index.honos": {"items": [13], "at_least": 2}}, "no item 13"),
        ("levels.relationship", {"partner": [1, 2], "single": [3]}, "code 4 belongs to none"),
        (
            "correlations",
            [["trauma", "abuse", 0.9], ["abuse", "single", 0.9], ["trauma", "single", -0.9]],
            "correlations: no set of traits",
        ),
    ],
)
def test_faulty_assumptions_are_said_in_words(assumptions, path, value, said):
    with pytest.raises(ResearchError) as raised:
        simulation.simulate(changed(assumptions, path, value), seed=1)
    assert said in str(raised.value)


def test_all_files_that_cannot_be_written_are_said_at_once(study, book, tmp_path):
    paths = {"folowup": tmp_path / "a.dta", "followup": tmp_path / "b.sav", "index": tmp_path / "c.xlsx"}
    with pytest.raises(ResearchError) as raised:
        writing.write(study, paths, book)
    for said in ("did you mean 'followup'", "no missing codes .a to .z", "suffix must be .sav, .dta or .csv"):
        assert said in str(raised.value)
    assert not list(tmp_path.iterdir())

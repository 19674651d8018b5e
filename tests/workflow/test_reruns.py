"""Change one thing in a finished study, and count the jobs that a run would do: those that it concerns, no other.

The study has two models (t1: low birth weight; t2: uterine irritability), two comparisons, two batches of imputations.
"""

import os
import shutil
import time

import pytest

pytestmark = pytest.mark.xdist_group("tiny study")


@pytest.fixture
def study(finished, tmp_path):
    return finished.copied_to(tmp_path / "study")


def reverse_keys(mapping: dict, ordered: tuple[str, ...]) -> None:
    """Reverse the keys of a mapping and of those in it, but not under the keys `ordered`: there it has a meaning."""
    items = list(mapping.items())[::-1]
    mapping.clear()
    mapping.update(items)
    for key, value in items:
        if isinstance(value, dict) and key not in ordered:
            reverse_keys(value, ordered)


def test_nothing_changed(study):
    assert study.planned() == {}


def test_a_covariate_of_one_model(study):
    study.edit(lambda config: config["models"]["t2"].update(terms=["lwt", "ptl"]))
    # Of t2 alone: what is computed of it and printed of it. The forest plot and the report show both models; the flow
    # has the number of each model from its check. The imputations stay: ptl was in the imputation model already.
    assert study.planned() == {
        "check_model": 1,
        "fit_model": 4,
        "fit_complete_cases": 1,
        "pool_model": 3,
        "test_model": 1,
        "assess_model": 1,
        "tabulate_odds_ratios": 1,
        "compare_analyses": 1,
        "find_tipping_points": 1,
        "screen_imputation": 1,
        "draw_forest": 1,
        "draw_flow": 1,
        "draw_tipping": 1,
        "write_report": 1,
    }


def test_the_title_of_one_model(study):
    study.edit(lambda config: config["models"]["t2"].update(title="Irritability of the uterus"))
    assert study.planned() == {
        "tabulate_odds_ratios": 1,
        "compare_analyses": 1,
        "find_tipping_points": 1,
        "draw_forest": 1,
        "draw_flow": 1,
        "draw_tipping": 1,
        "write_report": 1,
    }


def test_the_label_of_a_variable(study):
    study.edit(lambda book: book["variables"]["race"].update(label="Race of the mother"), "codebook/variables.yaml")
    # Race is a term of t1 only, a row of both comparisons, and was imputed.
    assert study.planned() == {
        "tabulate_odds_ratios": 1,
        "tabulate_characteristics": 2,
        "compare_analyses": 1,
        "draw_forest": 1,
        "draw_missingness": 1,
        "draw_convergence": 2,
        "draw_diagnostics": 2,
        "write_report": 1,
    }


def test_the_label_of_a_raw_column(study):
    study.edit(lambda book: book["files"]["births"]["columns"]["lwt"].update(label="Weight"), "codebook/variables.yaml")
    # Printed nowhere: tables have the labels of variables.
    assert study.planned() == {}


def test_the_range_of_a_raw_column(study):
    study.edit(
        lambda book: book["files"]["births"]["columns"]["lwt"].update(range=[50, 400]), "codebook/variables.yaml"
    )
    # Both validation and cleaning have it. All that comes after them follows, and nothing may be left out: below a job
    # that runs, Snakemake does not look at the parameters of a job whose only link to it is an ancient() input.
    assert study.planned() == {
        "validate_extract": 1,
        "clean_data": 1,
        "describe_missingness": 1,
        "screen_imputation": 1,
        "select_variables": 1,
        "impute_forest": 3,
        "impute_chained": 1,
        "collect_traces": 2,
        "diagnose_imputation": 2,
        "check_model": 2,
        "fit_model": 8,
        "fit_complete_cases": 2,
        "pool_model": 6,
        "test_model": 2,
        "assess_model": 2,
        "compare_groups": 2,
        "pool_comparisons": 2,
        "find_tipping_points": 1,
        "tabulate_characteristics": 2,
        "tabulate_odds_ratios": 2,
        "compare_analyses": 2,
        "draw_flow": 1,
        "draw_missingness": 1,
        "draw_convergence": 2,
        "draw_diagnostics": 2,
        "draw_tipping": 1,
        "draw_forest": 1,
        "write_report": 1,
    }


def test_a_line_of_the_pooling_module(study):
    with (study.repository / "scripts" / "esmi" / "pooling.py").open("a", encoding="utf-8") as module:
        module.write("# One more line.\n")
    assert study.planned() == {
        "pool_model": 6,
        "test_model": 2,
        "assess_model": 2,
        "pool_comparisons": 2,
        "tabulate_odds_ratios": 2,
        "compare_analyses": 2,
        "find_tipping_points": 1,
        "draw_forest": 1,
        "draw_tipping": 1,
        "write_report": 1,
    }


def test_more_imputations(study):
    imputed = study.results / "restricted" / "imputed" / "main"
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in imputed.iterdir()}
    assert set(before) == {"001-002.parquet", "003-004.parquet"}
    study.edit(lambda config: config["imputation"].update(m=6))
    assert study.planned() == {
        "impute_forest": 1,
        "collect_traces": 1,
        "diagnose_imputation": 1,
        "fit_model": 2,
        "pool_model": 2,
        "test_model": 2,
        "assess_model": 2,
        "pool_comparisons": 2,
        "tabulate_odds_ratios": 2,
        "compare_analyses": 2,
        "find_tipping_points": 1,
        "draw_convergence": 1,
        "draw_diagnostics": 1,
        "draw_forest": 1,
        "draw_tipping": 1,
        # The graph of the jobs has three more.
        "export_graphs": 1,
        "draw_graphs": 1,
        "write_report": 1,
    }
    study.finish("results/aggregate/pooled/main/t1.csv")
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in imputed.iterdir()}
    assert set(after) - set(before) == {"005-006.parquet"}
    assert {name: after[name] for name in before} == before


def test_the_order_of_keys(study):
    ordered = ("levels", "to")
    study.edit(lambda book: reverse_keys(book, ordered), "codebook/variables.yaml")
    # The order of models, comparisons and headings is the order in which they are shown.
    study.edit(lambda config: reverse_keys(config, ("models", "comparisons")))
    study.edit(lambda config: config["imputation"]["variables"].reverse())
    assert next(iter(study.variables())) == "ui"
    assert study.planned() == {}


def test_the_age_of_a_script(study):
    later = time.time() + 60
    scripts = sorted((study.repository / "scripts").glob("*.py"))
    assert scripts
    for script in scripts:
        os.utime(script, (later, later))
    assert study.planned() == {}


def test_a_fresh_copy_of_all_but_the_results(finished, tmp_path):
    study = finished.copied_to(tmp_path / "elsewhere" / "study")
    for name in ("code", "codebook"):
        shutil.rmtree(study.folder / name)
        shutil.copytree(finished.folder / name, study.folder / name, copy_function=shutil.copy)
    for name in ("config.yaml", "births.dta"):
        shutil.copy(finished.folder / name, study.folder / name)
    script = "code/scripts/pool_model.py"
    assert (study.folder / script).stat().st_mtime > (finished.folder / script).stat().st_mtime
    assert study.planned() == {}


def test_a_raw_file_replaced_by_an_older_one(study):
    raw = study.folder / "births.dta"
    content = raw.read_bytes()
    # When it was saved, which no analysis uses: it is the bytes that count.
    raw.write_bytes(content.replace(b" Nov 2026", b" Oct 2026", 1))
    assert raw.read_bytes() != content
    os.utime(raw, (0, 0))
    planned = study.planned()
    assert planned["ingest_file"] == 1
    assert planned["impute_forest"] == 3
    assert "export_graphs" not in planned

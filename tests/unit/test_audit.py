"""The code behind a script: what changes its hash, and what does not."""

import hashlib
import os
import re
from pathlib import Path

import pytest

from esmi.audit import code_hash, file_hash, modules_behind

ROOT = Path(__file__).parents[2]

FILES = {
    "draw.py": '"""Draw."""\nfrom esmi import figures\nfrom esmi.job import reporting\n',
    "other.py": "import esmi.lonely\n",
    "esmi/__init__.py": "",
    "esmi/figures.py": "import numpy as np\n\nfrom esmi.colours import PALETTE\n",
    "esmi/figures.html.j2": "<p>{{ x }}</p>\n",
    "esmi/figures_of_speech.html.j2": "<p>no template of figures</p>\n",
    "esmi/colours.py": "def late():\n    import esmi.imputation.forest as forest\n    return forest\n",
    "esmi/imputation/__init__.py": "",
    "esmi/imputation/forest.py": "from esmi import figures\n",
    "esmi/imputation/chained.py": "",
    "esmi/job.py": "",
    "esmi/lonely.py": "",
    "numpy.py": "",
}
BEHIND_DRAW = [
    "draw.py",
    "esmi/__init__.py",
    "esmi/colours.py",
    "esmi/figures.html.j2",
    "esmi/figures.py",
    "esmi/imputation/__init__.py",
    "esmi/imputation/forest.py",
    "esmi/job.py",
]


@pytest.fixture
def scripts(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def hash_of(scripts, name="draw.py"):
    return code_hash(scripts / name, scripts / "esmi")


def test_modules_behind_a_script_directly_or_not_with_templates_and_through_a_circle(scripts):
    found = modules_behind(scripts / "draw.py", scripts / "esmi")
    assert [path.relative_to(scripts).as_posix() for path in found] == BEHIND_DRAW


@pytest.mark.parametrize("name", BEHIND_DRAW)
def test_a_changed_line_in_any_of_them_changes_the_hash(scripts, name):
    before = hash_of(scripts)
    with (scripts / name).open("a", encoding="utf-8") as file:
        file.write("# a line\n")
    assert hash_of(scripts) != before


@pytest.mark.parametrize("name", sorted(set(FILES) - set(BEHIND_DRAW)))
def test_a_changed_line_elsewhere_does_not(scripts, name):
    before = hash_of(scripts)
    with (scripts / name).open("a", encoding="utf-8") as file:
        file.write("# a line\n")
    assert hash_of(scripts) == before


def test_a_new_template_and_a_new_import_change_the_hash(scripts):
    first = hash_of(scripts)
    (scripts / "esmi" / "job.txt.j2").write_text("", encoding="utf-8")
    second = hash_of(scripts)
    (scripts / "esmi" / "job.py").write_text("import esmi.lonely\n", encoding="utf-8")
    assert len({first, second, hash_of(scripts)}) == 3


def test_neither_the_time_of_a_file_nor_the_folder_of_the_checkout_counts(scripts, tmp_path_factory):
    before = hash_of(scripts)
    for name in FILES:
        os.utime(scripts / name, (1, 1))
    assert hash_of(scripts) == before
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "scripts"
    scripts.rename(elsewhere)
    assert hash_of(elsewhere) == before


def test_a_line_that_moves_to_another_module_changes_the_hash(scripts):
    (scripts / "esmi" / "job.py").write_text("x = 1\n", encoding="utf-8")
    before = hash_of(scripts)
    (scripts / "esmi" / "job.py").write_text("", encoding="utf-8")
    (scripts / "esmi" / "imputation" / "__init__.py").write_text("x = 1\n", encoding="utf-8")
    assert hash_of(scripts) != before


def test_no_module_of_the_library_imports_in_a_way_that_is_not_seen():
    for path in sorted((ROOT / "scripts").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*from \.|import_module|__import__", text, re.M), path


def test_the_shipped_report_rests_on_its_template():
    names = {path.name for path in modules_behind(ROOT / "scripts" / "write_report.py", ROOT / "scripts" / "esmi")}
    assert {"write_report.py", "report.py", "report.html.j2", "tables.py"} <= names
    assert "pooling.py" not in names


def test_file_hash(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert file_hash(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()

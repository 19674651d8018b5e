"""Studies in temporary folders, run with the real Snakefile in a process of its own."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
CODE = ["Snakefile", "rules", "scripts", "profiles", "envs"]

# The births of `studies/birthwt`, small: two models of two outcomes, four imputations in two batches, and beside them a
# second engine and one departure from missing at random, of one batch each.
VARIABLES = ["low", "age", "lwt", "race", "smoke", "ptl", "ht", "ui"]
CONFIG = {
    "study": {"name": "tiny", "title": "Two outcomes of births", "unit": "births", "seed": 7},
    "extract": {"spine": "births", "files": {"births": "births.dta"}},
    "codebook": "codebook",
    "outcomes": ["low", "ui"],
    "comparisons": {
        "low": {"title": "By birth weight", "by": "low", "variables": {"Mother": ["age", "race", "smoke", "ptl"]}},
        "ui": {"title": "By irritability", "by": "ui", "variables": {"Mother": ["age", "race", "ht"]}},
    },
    "models": {
        "t1": {"title": "Low birth weight", "outcome": "low", "role": "primary", "terms": ["age", "race", "smoke"]},
        "t2": {"title": "Uterine irritability", "outcome": "ui", "role": "secondary", "terms": ["lwt", "smoke"]},
    },
    "imputation": {"m": 4, "batch": 2, "iterations": 2, "variables": VARIABLES},
    "sensitivity": {
        "firth": False,
        "engines": {"chained": {"engine": "chained", "m": 2, "iterations": 2}},
        "delta": {"weight": {"title": "Weight", "variable": "lwt", "shifts": [10], "m": 2}},
    },
}


@dataclass(frozen=True)
class Study:
    """A study in a folder: `config.yaml`, `codebook/`, raw files, and, once it has run, `results/`.

    `repository` is where the Snakefile is.
    """

    folder: Path
    config: Path
    repository: Path = REPOSITORY

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def run(self, *options: str, cores: int = 2, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the workflow; all that is printed comes back as one text in `stdout`."""
        study = ["--configfile", str(self.config), "--directory", str(self.folder), "--cores", str(cores)]
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--snakefile", str(self.repository / "Snakefile"), *study, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | environment,
            check=False,
        )

    def finish(self, *options: str, cores: int = 2, **environment: str) -> "Study":
        """Run the workflow, which must succeed."""
        done = self.run(*options, cores=cores, **environment)
        assert done.returncode == 0, done.stdout
        return self

    def planned(self) -> dict[str, int]:
        """How many jobs of each rule a run would do now, `all` left out."""
        dry = self.run("--dry-run")
        assert dry.returncode == 0, dry.stdout
        if "Nothing to be done" in dry.stdout:
            return {}
        table = dry.stdout.split("Job stats:")[1].split("\ntotal ")[0]
        jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
        assert jobs.pop("all") == 1, dry.stdout
        return jobs

    def edit(self, change: Callable[[dict], object], file: str = "config.yaml") -> None:
        """Change a YAML file of the study in place: `change` gets its content."""
        path = self.folder / file
        content = yaml.safe_load(path.read_text("utf-8"))
        change(content)
        path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), "utf-8")

    def variables(self) -> dict:
        """The analysis variables of the codebook, in the order of its file."""
        return yaml.safe_load((self.folder / "codebook" / "variables.yaml").read_text("utf-8"))["variables"]

    def copied_to(self, folder: Path) -> "Study":
        """The study with its results, ages of files kept, and with its own code if it has some."""
        shutil.copytree(self.folder, folder)
        own = self.repository.is_relative_to(self.folder)
        code = folder / self.repository.relative_to(self.folder) if own else self.repository
        return Study(folder, folder / self.config.relative_to(self.folder), code)


@pytest.fixture(scope="session")
def new_study() -> Callable[..., Study]:
    """A function that makes the tiny study in a folder, with a copy of the code in it if asked."""

    def make(folder: Path, own_code: bool = False) -> Study:
        shutil.copytree(REPOSITORY / "studies" / "birthwt" / "codebook", folder / "codebook")
        shutil.copy(REPOSITORY / "tests" / "data" / "birthwt_missing.dta", folder / "births.dta")
        (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG, sort_keys=False), "utf-8")
        if not own_code:
            return Study(folder, folder / "config.yaml")
        (folder / "code").mkdir()
        for name in CODE:
            source, ignored = REPOSITORY / name, shutil.ignore_patterns("__pycache__")
            if source.is_dir():
                shutil.copytree(source, folder / "code" / name, ignore=ignored)
            else:
                shutil.copy(source, folder / "code" / name)
        return Study(folder, folder / "config.yaml", folder / "code")

    return make


@pytest.fixture(scope="session")
def study_of_the_repository() -> Callable[[str, Path], Study]:
    """A function that runs a config file of this repository in a folder."""
    return lambda config, folder: Study(folder, REPOSITORY / config)


@pytest.fixture(scope="session")
def finished(new_study, tmp_path_factory) -> Study:
    """The tiny study with its own code, run on one core; tests copy it before they change anything."""
    study = new_study(tmp_path_factory.mktemp("finished") / "study", own_code=True)
    return study.finish(cores=1, PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C.UTF-8")

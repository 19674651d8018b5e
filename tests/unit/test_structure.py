"""The shape of the workflow: every rule has its parts, every script its environment, every version one pin."""

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

from esmi.audit import modules_behind

ROOT = Path(__file__).parents[2]
RULES = {
    name: block
    for path in sorted((ROOT / "rules").glob("*.smk"))
    for name, block in re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", path.read_text("utf-8"), re.M | re.S)
}
# Where the name that is imported is not the name of the package.
PACKAGE_OF = {"yaml": "pyyaml", "matplotlib": "matplotlib-base", "markupsafe": "jinja2"}
# Each imports only from those before it.
LAYERS = [
    "errors",
    "canonical",
    "job",
    "documents",
    "instruments",
    "variables",
    "codebook",
    "settings",
    "consistency",
    "extract",
    "drafting",
    "synthetic.assumptions",
    "synthetic.simulation",
    "synthetic.writing",
    "validation",
    "scoring",
    "forms",
    "derive",
    "missingness",
    "imputation.seeds",
    "imputation.delta",
    "imputation.contract",
    "imputation.predictors",
    "imputation.conditional",
    "imputation.forest",
    "imputation.kernel",
    "imputation.chained",
    "imputation.batches",
    "imputation.imported",
    "imputation.diagnostics",
    "imputation.screening",
    "design",
    "estimates",
    "firth",
    "logistic",
    "effects",
    "pooling",
    "stability",
    "joint_tests",
    "performance",
    "assessment",
    "comparison",
    "pooled_comparison",
    "sensitivity",
    "rehearsal",
    "pages",
    "tables",
    "analyses",
    "figures",
    "figures_imputation",
    "figures_sensitivity",
    "report",
    "audit",
]


def directive(rule: str, name: str) -> str | None:
    found = re.search(rf'^    {name}:\s+"([^"]+)"', RULES[rule], re.M)
    return found and found.group(1)


def environment(path: Path) -> dict[str, str]:
    listed = yaml.safe_load(path.read_text("utf-8"))["dependencies"]
    specs = [s for s in listed if isinstance(s, str)] + [p for s in listed if isinstance(s, dict) for p in s["pip"]]
    return dict([*re.split("=+", spec, maxsplit=1), ""][:2] for spec in specs)


def locked() -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / "requirements.lock").read_text("utf-8"), re.M))


def third_party(script: Path) -> set[str]:
    names = set()
    for path in modules_behind(script, ROOT / "scripts" / "esmi"):
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    return {PACKAGE_OF.get(n, n) for n in names if n not in sys.stdlib_module_names and n != "esmi"}


def test_there_are_rules_and_each_has_a_sentence():
    assert len(RULES) >= 20
    assert {r for r, block in RULES.items() if not re.match(r'    "[A-Z][^"]+\."\n', block)} == set()


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_its_script_log_and_benchmark_bear_one_name(rule):
    assert directive(rule, "log").startswith(f"results/audit/logs/{rule}")
    assert directive(rule, "benchmark").startswith(f"results/audit/benchmarks/{rule}")
    if directive(rule, "shell") is None and "shell:" not in RULES[rule]:
        assert directive(rule, "script") == f"../scripts/{rule}.py"
        assert f'code=code("{rule}")' in RULES[rule]


@pytest.mark.parametrize("rule", [rule for rule in RULES if "    script:" in RULES[rule]])
def test_the_environment_of_a_rule_has_what_its_script_imports(rule):
    declared = environment(ROOT / "rules" / directive(rule, "conda"))
    assert third_party(ROOT / "scripts" / f"{rule}.py") <= declared.keys()


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda p: p.stem)
def test_environments_pin_the_versions_of_the_lock(path):
    pins = {n.removesuffix("-base"): v for n, v in environment(path).items() if n not in ("python", "pip")}
    assert pins == {name: locked()[name] for name in pins}


def test_every_environment_and_script_is_used():
    used = {directive(rule, "conda") for rule in RULES}
    assert used == {f"../envs/{path.name}" for path in (ROOT / "envs").glob("*.yaml")}
    scripts = {path.stem for path in (ROOT / "scripts").glob("*.py")}
    assert scripts - RULES.keys() == {"draft_codebook"}


def test_every_locked_requirement_has_a_hash():
    text = (ROOT / "requirements.lock").read_text("utf-8")
    blocks = re.split(r"\n(?=[a-z0-9])", text)
    assert len(blocks) > 50
    assert [b.splitlines()[0] for b in blocks if "--hash=sha256:" not in b] == []


def test_a_module_imports_only_modules_above_it():
    wrong = []
    for position, module in enumerate(LAYERS):
        path = ROOT / "scripts" / "esmi" / f"{module.replace('.', '/')}.py"
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "esmi":
                below = node.module.removeprefix("esmi").lstrip(".")
                names = [below] if below in LAYERS else [f"{below}.{a.name}".lstrip(".") for a in node.names]
                wrong += [f"{module} imports {name}" for name in names if name not in LAYERS[:position]]
    assert wrong == []


def test_every_module_has_a_layer():
    library = ROOT / "scripts" / "esmi"
    modules = {".".join(p.relative_to(library).with_suffix("").parts) for p in library.rglob("*.py")}
    assert {m for m in modules if not m.endswith("__init__")} == set(LAYERS)

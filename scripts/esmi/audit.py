"""What a result rests on: the code behind a script, and the graphs of the workflow."""

import ast
import hashlib
from pathlib import Path


def modules_behind(script: Path, library: Path) -> list[Path]:
    """The script and every module of the library that it imports, directly or not, and their templates, sorted.

    Found by reading the imports, without running anything. `library` is the folder of the package, such as
    scripts/esmi; the templates of `report.py` are the files `report.*.j2` beside it.
    """
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        found.update(path.parent.glob(f"{path.stem}.*.j2"))
        for name in _imported(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            waiting += _files_of(name, library)
    return sorted(found)


def code_hash(script: Path, library: Path) -> str:
    """SHA-256 over the text of `modules_behind`: any changed line changes it, a fresh checkout does not."""
    digest = hashlib.sha256()
    for path in modules_behind(script, library):
        digest.update(path.relative_to(library.parent).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _files_of(name: str, library: Path) -> list[Path]:
    """The library's files that an imported name runs: a module, and the packages it lies in."""
    parts = name.split(".")
    if parts[0] != library.name:
        return []
    files = []
    for depth in range(1, len(parts) + 1):
        place = library.parent.joinpath(*parts[:depth])
        files += [f for f in (place / "__init__.py", place.with_suffix(".py")) if f.is_file()]
    return files

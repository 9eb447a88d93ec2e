"""Which of our modules a module really imports: for the dependencies in `dvc.yaml` and the layering test."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

PACKAGES = ("pipeline", "models", "stages", "feature_store", "training", "evaluation")
ROOT = Path(__file__).resolve().parent.parent


@cache
def direct_imports(path: Path) -> frozenset[Path]:
    """Our own files that `path` imports anywhere in it, also inside functions; paths relative to the project."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found.update(file for name in names for file in _files(name))
    return frozenset(found)


def import_closure(path: Path) -> set[Path]:
    """`path` and all our files that it imports, directly or not, empty `__init__.py` left out."""
    seen: set[Path] = set()
    open_ = [path]
    while open_:
        current = open_.pop()
        if current not in seen:
            seen.add(current)
            open_.extend(direct_imports(current))
    return {file for file in seen if (ROOT / file).stat().st_size}


def _files(name: str) -> list[Path]:
    parts = name.split(".")
    if parts[0] not in PACKAGES:
        return []
    base = Path(*parts)
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return [file for file in candidates if (ROOT / file).exists()]

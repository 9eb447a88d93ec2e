"""What product code imports, pyproject.toml declares; what it declares, somebody imports."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ("playmate", "stages", "evaluation", "training", "feature_store", "pipeline", "models")
EXTRAS = ("demo", "paper", "cluster", "web")
FOR_CHECKERS = {"_typeshed"}  # no package: type checkers alone know it
NEVER_IMPORTED = {"dvc": "a command: stages are its children", "dvc-s3": "DVC's remote on S3, which DVC loads"}


def test_every_import_is_declared():
    undeclared = {name: distributions for name, distributions in _imported().items()
                  if not distributions & _declared()}
    assert undeclared == {}


def test_every_declared_package_is_imported():
    imported = set().union(*_imported().values())
    assert _declared() - imported - NEVER_IMPORTED.keys() == set()


def _imported() -> dict[str, set[str]]:
    """Import name -> the distributions that bring it, for everything that is neither ours nor Python's."""
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    names = {name.partition(".")[0] for path in files for name in _imports(ast.parse(path.read_text()))}
    brought = packages_distributions()
    return {name: {_normal(one) for one in brought.get(name, ())}
            for name in names - set(PACKAGES) - FOR_CHECKERS - sys.stdlib_module_names}


def _imports(tree: ast.Module) -> list[str]:
    found = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    return found + [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]


def _declared() -> set[str]:
    wanted = PROJECT["dependencies"] + [one for extra in EXTRAS for one in PROJECT["optional-dependencies"][extra]]
    return {_normal(re.match(r"[\w.-]+", one)[0]) for one in wanted}


def _normal(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()

"""What README, CONTRIBUTING and docs name is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROSE = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
WALK = re.compile(r"^\d+\. `([\w/]+\.py)`: `([\w.]+)`", re.MULTILINE)


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_every_python_file_that_prose_names_exists(page: Path):
    named = set(re.findall(r"\b\w+(?:/\w+)+\.py\b", page.read_text()))
    assert {name for name in named if not (ROOT / name).is_file()} == set()


def test_both_walks_name_functions_that_exist_and_take_ten_hops_at_most():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    walks = [WALK.findall(part) for part in re.split(r"^From ", text, flags=re.MULTILINE)[1:]]
    assert len(walks) == 2 and all(5 <= len(walk) <= 10 for walk in walks)
    missing = [(path, name) for walk in walks for path, name in walk if name not in _names(ROOT / path)]
    assert missing == []


def test_params_point_at_anchors_of_the_lab_book():
    anchors = set(re.findall(r'<a id="([\w-]+)"></a>', (ROOT / "docs" / "LOG.md").read_text()))
    pointed = set(re.findall(r"docs/LOG\.md#([\w-]+)", (ROOT / "params.yaml").read_text()))
    assert pointed and pointed <= anchors


def _names(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return found

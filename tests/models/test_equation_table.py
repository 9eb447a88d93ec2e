"""docs/equations.md names code and tests that are there."""

from __future__ import annotations

import re

import pytest
import yaml


def rows(text: str) -> list[list[str]]:
    """Cells of the table's rows, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("column", [1, 2], ids=["code", "test"])
def test_every_function_and_test_is_where_the_table_says(project, column):
    found = 0
    for cells in rows((project / "docs/equations.md").read_text()):
        assert len(cells) == 4, cells[0]
        for part in cells[column].split(";"):
            path, *names = re.findall(r"`([^`]+)`", part)
            source = (project / path).read_text()
            missing = [name for name in names if not re.search(rf"^\s*(def|class) {name}\b", source, re.MULTILINE)]
            assert not missing, (path, missing)
            found += 1 + len(names)
    assert found > 50


def test_every_parameter_of_a_reading_is_in_params(project):
    params = yaml.safe_load((project / "params.yaml").read_text())
    named = re.findall(r"`(\w+(?:\.\w+)+)(?:: \w+)?`", " ".join(cells[3] for cells in rows(
        (project / "docs/equations.md").read_text())))
    assert len(named) > 8
    for name in named:
        value = params
        for key in name.split("."):
            assert key in value, name
            value = value[key]

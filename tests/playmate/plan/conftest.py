"""A project folder with its parameters, its graph and every weight in place."""

from __future__ import annotations

import shutil

import pytest
import yaml

from pipeline.core.config import parse_params
from pipeline.weights.table import weights_table


@pytest.fixture
def folder(project, tmp_path, monkeypatch):
    """An empty project in which the test runs."""
    for name in ("dvc.yaml", "params.yaml", ".dvc/config"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(project / name, tmp_path / name)
    shutil.copytree(project / "profiles", tmp_path / "profiles")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLAYMATE_CACHE", str(tmp_path / "cache"))
    for weight in weights_table().values():
        for path in weight.parts().values():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return tmp_path


@pytest.fixture
def params(folder):
    """Typed parameters with sections changed; they are written into the folder, too."""
    def params(corpora: dict | None = None, **changes):
        values = yaml.safe_load((folder / "params.yaml").read_text())
        values["corpora"] = corpora or values["corpora"]
        for section, keys in changes.items():
            values[section] |= keys
        (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
        return parse_params(values)

    return params

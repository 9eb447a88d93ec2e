"""The house rules that a program can check: imports run one way, `dvc.yaml` names what stages import."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from pipeline.imports import PACKAGES, ROOT, direct_imports, import_closure

# who may import whom; pipeline/cli.py, pipeline/summary.py are the command line and may reach everything
ALLOWED = {
    "models": {"models"},
    "pipeline": {"pipeline", "models"},
    "feature_store": {"feature_store", "models", "pipeline"},
    "training": {"training", "feature_store", "models", "pipeline"},
    "evaluation": {"evaluation", "feature_store", "models", "pipeline"},
    "stages": set(PACKAGES),
}
COMMAND_LINE = {Path("pipeline/cli.py")}
DOORS = {"boto3": "pipeline/storage", "mlflow": "pipeline/tracking"}


def sources() -> list[Path]:
    return sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", [path for path in sources() if path not in COMMAND_LINE], ids=str)
def test_imports_run_one_way(path):
    for imported in direct_imports(path):
        assert imported.parts[0] in ALLOWED[path.parts[0]], f"{path} must not import {imported}"


@pytest.mark.parametrize("library", DOORS)
def test_a_library_has_one_door(library):
    pattern = re.compile(rf"^\s*(import|from) {library}\b", re.MULTILINE)
    users = {str(path) for path in sources() if pattern.search((ROOT / path).read_text())}
    outside = {path for path in users if not path.startswith(DOORS[library])}
    assert users and not outside, f"{library} is imported outside its door: {sorted(outside)}"


def is_data(dependency: str) -> bool:
    """Templates and tables beside the code are dependencies that no import shows."""
    path = ROOT / dependency
    return path.suffix != ".py" and not any(path.rglob("*.py"))


def dvc_stages() -> dict[str, dict]:
    entries = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return {name: entry.get("do", entry) for name, entry in entries.items()}


@pytest.mark.parametrize("name", dvc_stages())
def test_dvc_yaml_names_the_code_that_a_stage_imports(name):
    stage = dvc_stages()[name]
    module = Path(*stage["cmd"].split()[2].split(".")).with_suffix(".py")
    named = {Path(dep) for dep in stage["deps"] if dep.split("/")[0] in PACKAGES and not is_data(dep)}
    code = import_closure(module)
    uncovered = {str(f) for f in code if not any(dep == f or dep in f.parents for dep in named)}
    assert not uncovered, f"dvc.yaml, {name}: missing code dependencies: run `python -m pipeline.dvc_deps`"
    idle = {str(dep) for dep in named if not any(dep == f or dep in f.parents for f in code)}
    assert not idle, f"dvc.yaml, {name}: names code that it does not import: {sorted(idle)}"


def test_dvc_yaml_and_paths_agree():
    from pipeline import paths

    known = {str(value) for value in vars(paths).values() if isinstance(value, Path)}
    for name, stage in dvc_stages().items():
        for kind in ("outs", "metrics", "plots"):
            for entry in stage.get(kind, []):
                out = entry if isinstance(entry, str) else next(iter(entry))
                parents = {out, *map(str, Path(out).parents)}
                assert parents & (known - {"data"}), f"{name}: {out} is not in pipeline/paths.py"

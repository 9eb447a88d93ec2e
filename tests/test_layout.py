"""The house rules that a program can check: imports run one way, `dvc.yaml` names what stages read."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from pipeline.core.config import Params
from pipeline.core.fingerprint import (
    CARRIERS,
    PACKAGES,
    ROOT,
    direct_imports,
    import_closure,
    module_file,
    stage_modules,
)

# who may import whom
ALLOWED = {
    "models": {"models"},
    "pipeline": {"pipeline", "models"},
    "feature_store": {"feature_store", "models", "pipeline"},
    "training": {"training", "feature_store", "models", "pipeline"},
    "evaluation": {"evaluation", "feature_store", "models", "pipeline"},
    "stages": set(PACKAGES) - {"playmate"},
    "playmate": set(PACKAGES),
}
EXEMPT = {Path("pipeline/core/fingerprint.py")}  # names what it leaves out
MOST_SCRAPS = 18  # files under 40 lines
DOORS = {"boto3": ("pipeline/storage/",), "mlflow": ("pipeline/tracking/", "pipeline/serve/")}


def sources() -> list[Path]:
    return sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", [path for path in sources() if path not in EXEMPT], ids=str)
def test_imports_run_one_way(path):
    for imported in direct_imports(path):
        assert imported.parts[0] in ALLOWED[path.parts[0]], f"{path} must not import {imported}"


def test_what_is_imported_of_ours_is_there():
    """mypy does not say it: missing imports are ignored for the sake of libraries without types."""
    pattern = re.compile(rf"^\s*from ((?:{'|'.join(PACKAGES)})(?:\.\w+)*) import", re.MULTILINE)
    files = [path for folder in (*PACKAGES, "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    for module in {name for path in files for name in pattern.findall(path.read_text())}:
        module_file(module)   # raises


def arrows() -> dict[Path, set[Path]]:
    """File -> our files that it imports or starts as a process, itself and empty ones left out."""
    return {path: {other for other in direct_imports(path) if other != path and (ROOT / other).stat().st_size}
            for path in sources() if path not in EXEMPT}


def circles(graph: dict[Path, set[Path]]) -> list[list[str]]:
    """Groups of nodes that reach each other."""
    links = [(a, b) for a, others in graph.items() for b in others]
    nodes = sorted({node for link in links for node in link})
    number = {node: index for index, node in enumerate(nodes)}
    matrix = csr_array((np.ones(len(links)), ([number[a] for a, _ in links], [number[b] for _, b in links])),
                       shape=(len(nodes), len(nodes)))
    _, group = connected_components(matrix, connection="strong")
    return [[str(node) for node in nodes if group[number[node]] == index]
            for index in np.flatnonzero(np.bincount(group) > 1)]


def test_no_circle_of_files():
    assert circles(arrows()) == []


def test_no_circle_of_folders():
    folders: dict[Path, set[Path]] = {}
    for path, others in arrows().items():
        below = {other.parent for other in others}
        folders.setdefault(path.parent, set()).update(
            folder for folder in below
            if folder not in (path.parent, *path.parents) and path.parent not in folder.parents)
    assert circles(folders) == []


def test_no_stage_imports_a_stage():
    def stage(path: Path) -> str | None:
        return path.with_suffix("").parts[1] if path.parts[0] == "stages" else None

    meetings = [(str(path), str(other)) for path, others in arrows().items() for other in others
                if stage(path) and stage(other) and stage(path) != stage(other)]
    assert meetings == []


@pytest.mark.parametrize("package", ["pipeline", "evaluation", "training", "models"])
def test_every_module_has_a_folder_of_its_idea(package):
    assert [path.name for path in (ROOT / package).glob("*.py")] == ["__init__.py"]


def test_files_are_neither_scraps_nor_heaps():
    lines = {path: len((ROOT / path).read_text().splitlines()) for path in sources() if (ROOT / path).stat().st_size}
    assert max(lines.values()) <= 450
    assert sum(count < 40 for count in lines.values()) <= MOST_SCRAPS, sorted(p for p in lines if lines[p] < 40)


@pytest.mark.parametrize("library", DOORS)
def test_a_library_has_one_door(library):
    pattern = re.compile(rf"^\s*(import|from) {library}\b", re.MULTILINE)
    users = {str(path) for path in sources() if pattern.search((ROOT / path).read_text())}
    outside = {path for path in users if not path.startswith(DOORS[library])}
    assert users and not outside, f"{library} is imported outside its door: {sorted(outside)}"


def dvc_stages() -> dict[str, dict]:
    entries = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return {name: entry.get("do", entry) for name, entry in entries.items()}


STAGES = {name: stage for name, stage in dvc_stages().items() if name not in ("outputs", "code")}
HOW = {"ray"}  # parameters of the work, not of its result
# sections that a property of `Params` reads
PROPERTIES = {"untrained": {"face_space", "speech"}, "stamp": {"profile", "face_space", "speech"}}
BESIDE = {"face_space": {"profile", "speech"},     # stamped on its MLflow run
          "extract": {"corpora"},                # what the first of them computes for all at once
          "train_audio": {"train_emotion"},      # code of both stages, which asks for its own section
          "train_emotion": {"train_audio"},
          "ablate": {"train_emotion"}}
PARAMETERS = {field.alias or name: name for name, field in Params.model_fields.items()}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_its_own_code(name):
    stage = STAGES[name]
    assert stage["cmd"].split()[2] == stage_modules()[name]
    assert [dep for dep in stage["deps"] if dep.startswith("data/code")] == [f"data/code/{name}.txt"]
    assert not [dep for dep in stage["deps"] if dep.endswith(".py")]


def sections_read(name: str) -> set[str]:
    """First parts of `params.X` and `params.X.Y` in the code that the result of a stage depends on."""
    read: set[str] = set()
    for path in import_closure(module_file(stage_modules()[name]), apart=CARRIERS):
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "params":
                read |= PROPERTIES.get(node.attr, {key for key, field in PARAMETERS.items() if field == node.attr})
    return read


@pytest.mark.parametrize("name", [name for name in STAGES if "params.yaml" not in STAGES[name]["deps"]])
def test_dvc_yaml_names_the_parameters_that_a_stage_reads(name):
    named = {entry.split(".")[0] for entry in STAGES[name]["params"]}
    assert not named & HOW
    missing = sections_read(name) - HOW - BESIDE.get(name, set()) - named
    assert not missing, f"dvc.yaml, {name}: parameters that it reads are not named"


def test_dvc_yaml_can_be_read_at_one_sitting():
    assert len((ROOT / "dvc.yaml").read_text().splitlines()) <= 150


def test_the_stage_code_looks_at_all_packages():
    looked_at = set(dvc_stages()["code"]["deps"]) - {"data/outputs.json"}
    assert looked_at == {name for name in PACKAGES if (ROOT / name).is_dir()}


def test_dvc_yaml_and_paths_agree():
    from pipeline.core import paths

    known = {str(value) for value in vars(paths).values() if isinstance(value, Path)}
    for name, stage in dvc_stages().items():
        for kind in ("outs", "metrics", "plots"):
            for entry in stage.get(kind, []):
                out = entry if isinstance(entry, str) else next(iter(entry))
                parents = {out, *map(str, Path(out).parents)}
                assert parents & (known - {"data"}), f"{name}: {out} is not in pipeline/core/paths.py"

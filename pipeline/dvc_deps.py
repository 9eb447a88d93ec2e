"""Rewrite the code dependencies in `dvc.yaml` from what each stage really imports: `python -m pipeline.dvc_deps`.

A folder is named instead of its files when a stage imports all of them. Comments and order stay.
"""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML

from pipeline.atomic import atomic_path
from pipeline.imports import PACKAGES, ROOT, import_closure


def code_dependencies(module: Path) -> list[str]:
    """Files and folders, sorted, that cover the import closure of `module` and nothing else."""
    wanted = import_closure(module)
    named = {str(_largest_folder(file, wanted)) for file in wanted}
    return sorted(named)


def _largest_folder(file: Path, wanted: set[Path]) -> Path:
    best = file
    for folder in file.parents:
        files = {f.relative_to(ROOT) for f in (ROOT / folder).rglob("*.py") if f.stat().st_size}
        if folder == Path() or len(files) < 2 or not files <= wanted:
            break
        best = folder
    return best


def _is_code(dependency: str) -> bool:
    path = Path(dependency)
    return path.parts[0] in PACKAGES and (path.suffix == ".py" or any((ROOT / path).rglob("*.py")))


def main() -> None:
    """Rewrite `dvc.yaml` in place."""
    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 110, True
    yaml.indent(mapping=2, sequence=4, offset=2)
    path = ROOT / "dvc.yaml"
    document = yaml.load(path.read_text())
    for entry in document["stages"].values():
        stage = entry.get("do", entry)
        module = Path(*stage["cmd"].split()[2].split(".")).with_suffix(".py")
        kept = [dep for dep in stage["deps"] if not _is_code(dep)]
        stage["deps"] = kept + code_dependencies(module)
    with atomic_path(path) as temporary, temporary.open("w") as file:
        yaml.dump(document, file)


if __name__ == "__main__":
    main()

"""What enters a computation, as digests: values, files, and the code that a result depends on.

`code_of` is the one answer to "which code does this result depend on": every store of finished work asks it, and so
does DVC, by the stage `code`, which writes that of every stage to a file: `python -m pipeline.core.fingerprint`.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard

from pipeline.core.atomic import write_text
from pipeline.core.paths import CODE

PACKAGES = ("playmate", "stages", "evaluation", "training", "feature_store", "pipeline", "models")
ROOT = Path(__file__).resolve().parents[2]
# their code moves values and does not make them: how a file is written, fetched, sent or started changes no result;
# nor does what is only looked at (the films of a training)
CARRIERS = ("pipeline.core", "pipeline.storage", "pipeline.compute", "pipeline.tracking", "pipeline.weights",
            "training.motion.films")

# files beside the code that a stage's result is made with
RESOURCES = {"report": ("evaluation/report/templates/*", "evaluation/report/substitutes.json",
                        "pipeline/weights/weights.toml")}


def digest(*parts: Any) -> str:
    """Hash JSON-serialisable parts to 32 hex digits, independent of key order, process and machine."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_of(*modules: str, apart: tuple[str, ...] = ()) -> str:
    """Digest of the code that `modules` (dotted names) and all of ours that they import consist of.

    A set of top-level statements, each without comments, docstrings, positions and imports of ours: neither a comment
    nor a moved or joined file changes it, a changed computation always does. Carriers are left out, and so is `apart`:
    modules or packages that are imported but make no value of the result in question.
    """
    files = import_closure(*map(module_file, modules), apart=CARRIERS + apart)
    return digest(sorted(set().union(*(_parse((ROOT / file).read_bytes())[1] for file in files))))


def import_closure(*paths: Path, apart: tuple[str, ...] = ()) -> set[Path]:
    """`paths` and all our files that they import, directly or not, less empty ones and what `apart` alone reaches."""
    seen: set[Path] = set()
    waiting = list(paths)
    while waiting:
        current = waiting.pop()
        if current not in seen and not _is_within(current, apart):
            seen.add(current)
            waiting.extend(direct_imports(current))
    return {path for path in seen if (ROOT / path).stat().st_size}


def direct_imports(path: Path) -> frozenset[Path]:
    """Our own files that `path` imports anywhere in it, also inside functions; paths relative to the project.

    A string that is the dotted name of one of our modules counts as an import: it is how processes are started.
    """
    return _parse((ROOT / path).read_bytes())[0]


def module_file(module: str) -> Path:
    """Where a module's code lies, relative to the project; raises ValueError where there is none."""
    files = _files(module)
    if not files:
        raise ValueError(f"no source for module {module}")
    return files[0]


def _imports_of(node: ast.AST) -> Iterable[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [str(node.value)] if _names_module(node) else []


def _names_module(node: ast.AST) -> TypeGuard[ast.Constant]:
    if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        return False
    head, dot, _ = node.value.partition(".")
    return bool(dot) and head in PACKAGES and bool(_files(node.value))


@cache
def _files(name: str) -> tuple[Path, ...]:
    parts = name.split(".")
    if parts[0] not in PACKAGES or not all(part.isidentifier() for part in parts):
        return ()
    base = Path(*parts)
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return tuple(file for file in candidates if (ROOT / file).exists())


def _is_within(path: Path, modules: tuple[str, ...]) -> bool:
    name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    return any(name == module or name.startswith(module + ".") for module in modules)


@cache
def _parse(source: bytes) -> tuple[frozenset[Path], frozenset[str]]:
    """Of a file's text: our files that it imports, and the digests of its top-level statements."""
    names = {name for node in ast.walk(ast.parse(source)) for name in _imports_of(node)}
    statements = _Bare().visit(ast.parse(source)).body
    return (frozenset(file for name in names for file in _files(name)),
            frozenset(hashlib.sha256(ast.dump(node).encode()).hexdigest() for node in statements))


class _Bare(ast.NodeTransformer):
    """Takes out of a syntax tree what computes nothing: docstrings, imports of ours, names of our modules."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        return self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> list[ast.Import]:
        return [ast.Import([alias]) for alias in node.names if alias.name.split(".")[0] not in PACKAGES]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.ImportFrom]:
        if node.module == "__future__" or (node.module or "").split(".")[0] in PACKAGES:
            return []
        return [ast.ImportFrom(node.module, [alias], node.level) for alias in node.names]

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("module of ours") if _names_module(node) else node


def stage_modules() -> dict[str, str]:
    """Name of every stage -> the module that runs it: `stages/NAME.py`, or `stages/NAME/stage.py`."""
    single = {path.stem: f"stages.{path.stem}" for path in (ROOT / "stages").glob("[!_]*.py")}
    folders = {path.parent.name: f"stages.{path.parent.name}.stage" for path in (ROOT / "stages").glob("*/stage.py")}
    return dict(sorted((single | folders).items()))


def main() -> None:
    """Write the digest of every stage's code to `data/code/<stage>.txt`, for DVC to compare."""
    for name, module in stage_modules().items():
        files = sorted(file for pattern in RESOURCES.get(name, ()) for file in ROOT.glob(pattern))
        found = [code_of(module), *map(file_sha256, files)]
        write_text(CODE / f"{name}.txt", "\n".join(found) + "\n")


if __name__ == "__main__":
    main()

"""What a result was made from, as short strings: code revision, parameters, data version, manifests."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import yaml

from pipeline.core.fingerprint import digest, file_sha256

MAX_CHANGES = 1 << 20


def code_revision(folder: Path = Path()) -> str | None:
    """Git commit of `folder`, with "+changed" where tracked files differ from it; None outside a git repository."""
    head = _git(folder, "rev-parse", "HEAD")
    if head is None:
        return None
    return head + ("+changed" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")


def data_version(folder: Path = Path(), stages: Iterable[str] | None = None) -> str | None:
    """Digest of `dvc.lock`, or of the entries of `stages` in it; None where there is no lock file yet."""
    lock = folder / "dvc.lock"
    if not lock.is_file():
        return None
    if stages is None:
        return file_sha256(lock)
    entries = (yaml.safe_load(lock.read_text()) or {}).get("stages", {})
    return digest({name: entries.get(name) for name in stages})


def dvc_output(path: Path, folder: Path = Path()) -> str | None:
    """DVC's hash of the output `path` (relative to `folder`), as `dvc.lock` has it; None where it has none."""
    lock = folder / "dvc.lock"
    if not lock.is_file():
        return None
    stages = (yaml.safe_load(lock.read_text()) or {}).get("stages", {})
    outs = [out for stage in stages.values() for out in stage.get("outs", [])]
    return next((out.get("md5") for out in outs if out["path"] == path.as_posix()), None)


def run_tags(folder: Path = Path()) -> dict[str, str]:
    """Tags for every tracked run: code revision and data version, as far as they are there."""
    found = {"code_revision": code_revision(folder), "dvc_lock_sha256": data_version(folder)}
    return {name: value for name, value in found.items() if value is not None}


def environment() -> dict[str, Any]:
    """Python, system, processor count and every installed package with its version."""
    packages = {one.metadata["Name"]: one.version for one in distributions() if one.metadata["Name"]}
    return {"python": platform.python_version(), "system": platform.platform(), "machine": platform.machine(),
            "cpus": os.cpu_count(), "packages": dict(sorted(packages.items(), key=lambda one: one[0].lower()))}


def code_changes(folder: Path = Path()) -> str | None:
    """How tracked files differ from the commit, as a patch of at most 1 MB; None where they do not."""
    found = _git(folder, "diff", "HEAD")
    return found[:MAX_CHANGES] + "\n" if found else None


def file_digests(paths: Iterable[Path]) -> dict[str, str]:
    """sha256 of each path that is a file; the others are left out."""
    return {path.as_posix(): file_sha256(path) for path in sorted(paths) if path.is_file()}


def tree_digest(folder: Path) -> str:
    """Digest of the names and bytes of all files under `folder`; raises FileNotFoundError where there is none."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    if not files:
        raise FileNotFoundError(f"{folder} holds no file")
    return digest([(path.relative_to(folder).as_posix(), file_sha256(path)) for path in files])


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        result = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10,
                                check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None

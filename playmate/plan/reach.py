"""Which stages of dvc.yaml a run reaches, and which of them stand as they are with the present parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil
import yaml

DVC, LOCK, PARAMS = Path("dvc.yaml"), Path("dvc.lock"), Path("params.yaml")
BESIDE = {"outputs", "code", "sources"}   # they look and make nothing
DOWNSTREAM = {"-p", "--pipeline", "--downstream", "--force-downstream"}   # more than the targets want

Stages = dict[str, dict[str, Any]]   # name -> entry of dvc.yaml, upstream first


class _LockLoader(yaml.CSafeLoader):
    """Reads `1e-05` as a number, as DVC writes it (YAML 1.2)."""


_LockLoader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+[eE][-+]?\d+$"), [*"-+0123456789"])


def load_stages() -> Stages:
    """All stages of dvc.yaml, which names none before what it depends on; one with `foreach` once."""
    return yaml.safe_load(DVC.read_text())["stages"]


def targeted_stages(stages: Stages) -> list[str]:
    """The stages of the `dvc repro` that started this process: its targets and what they depend on; else all.

    DVC tells its commands nothing of targets, so they are read from its own command line.
    """
    words = {word for process in psutil.Process().parents() for word in _dvc_command(process)}
    targets = {word.split("@")[0].split(":")[-1] for word in words} & set(stages)
    return upstream(stages, targets) if targets and not words & DOWNSTREAM else list(stages)


def _dvc_command(process: psutil.Process) -> list[str]:
    """The words of `dvc repro ...` or `dvc exp run ...`; none of any other process."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return []
    return words if any(Path(word).name == "dvc" for word in words[:3]) and {"repro", "exp"} & set(words) else []


def upstream(stages: Stages, names: Iterable[str]) -> list[str]:
    """`names` and all that they depend on, in the order of dvc.yaml."""
    made = {out: name for name in stages for out in _outs(stages[name])}
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            deps = stages[name].get("do", stages[name]).get("deps", [])
            waiting += [made[out] for dep in deps for out in made if _touch(dep, out)]
    return [name for name in stages if name in found]


def _touch(dep: str, out: str) -> bool:
    """Whether one is the other or lies in it."""
    dep, out = (f"{path.split('/$')[0]}/" for path in (dep, out))   # before what `foreach` puts in
    return dep.startswith(out) or out.startswith(dep)


def standing(stages: Stages) -> set[str]:
    """The stages that DVC finished with the present parameters, as all did that they depend on.

    A look into dvc.lock alone: data and code may have changed, which DVC finds when it gets there.
    """
    text = LOCK.read_text() if LOCK.is_file() else ""
    lock = (yaml.load(text, _LockLoader) or {}).get("stages", {})  # noqa: S506 (a safe loader)
    params = yaml.safe_load(PARAMS.read_text())
    done: set[str] = set()
    for name, entry in stages.items():
        runs = [f"{name}@{item}" for item in params["corpora"]] if "foreach" in entry else [name]
        above = set(upstream(stages, [name])) - {name} - BESIDE
        if above <= done and all(run in lock and _is_unchanged(lock[run], params) for run in runs):
            done.add(name)
    return done


def _is_unchanged(entry: dict[str, Any], params: dict[str, Any]) -> bool:
    recorded = entry.get("params", {}).get("params.yaml", {})
    return (all(_value(params, key) == value for key, value in recorded.items())
            and all(Path(out["path"]).exists() for out in entry.get("outs", [])))


def _value(params: Any, key: str) -> Any:
    for part in key.split("."):
        params = params.get(part) if isinstance(params, dict) else None
    return params


def _outs(entry: dict[str, Any]) -> list[str]:
    stage = entry.get("do", entry)
    outs = [out for kind in ("outs", "metrics", "plots") for out in stage.get(kind, [])]
    return [out if isinstance(out, str) else next(iter(out)) for out in outs]

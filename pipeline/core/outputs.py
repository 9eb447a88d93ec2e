"""Nothing of a user's is deleted: DVC empties the outputs of a stage before it runs it, whoever put the files there.

Every file that a stage writes into an output is noted in `.playmate/made.jsonl` before it appears (`note`, called by
`pipeline.core.atomic`). What is neither noted, with this size and time, nor known to DVC by its bytes is somebody's
own: `check` names it. It runs before all stages (`playmate.outputs`) and after each, so that DVC never goes on to one.
No stage can refuse for its own outputs: DVC has emptied them when it starts the stage. So `dvc repro --single-item` and
`--downstream`, which leave the first stage out, are not covered.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pipeline.core.paths import DATA, REPORTS, WORK

NOTES = Path(".playmate") / "made.jsonl"      # of this folder, also where DVC runs an experiment in a copy
VARIABLE = "PLAYMATE_MADE"                    # tells the processes of a stage where its notes are
UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}(\.\w+)?")   # a file that a killed stage was writing
NAMED = 5                                     # files that a message names

Known = set[tuple[str, int, int]]             # path, bytes, mtime in ns


class NotOurs(ValueError):
    """Files in the outputs that no stage made; the message names them."""


def begin_notes() -> None:
    """From here on this process and those that it starts note what they write into outputs of this folder."""
    os.environ[VARIABLE] = str(NOTES.absolute())


def note(path: Path, said: os.stat_result) -> None:
    """Note that a stage is about to put a file of this size and time at `path`; outside of stages nothing happens."""
    notes = os.environ.get(VARIABLE)
    if notes is None:
        return
    name = os.path.relpath(os.path.abspath(path), Path(notes).parents[1])
    if name.split(os.sep)[0] in (str(DATA), str(REPORTS)):
        _add(Path(notes), name, said)


def outputs(folder: Path = Path()) -> dict[str, list[str]]:
    """Stage, one of `foreach` as `stage@corpus`, -> what DVC deletes before it: from dvc.yaml and params.yaml."""
    import yaml

    if not (folder / "dvc.yaml").is_file():
        return {}
    stages = yaml.safe_load((folder / "dvc.yaml").read_text())["stages"]
    params = yaml.safe_load((folder / "params.yaml").read_text()) if (folder / "params.yaml").is_file() else {}
    found: dict[str, list[str]] = {}
    for name, stage in stages.items():
        if "do" in stage:
            found |= {f"{name}@{key}": [out.replace("${key}", str(key)) for out in _outs(stage["do"])]
                      for key in params.get("corpora") or {}}
        else:
            found[name] = _outs(stage)
    return found


def check(apart: str | None = None) -> None:
    """Raise NotOurs for files in any output that no stage made; `apart`: the stage whose outputs are just made."""
    if Path(".playmate") != WORK:   # an experiment's copy, which DVC made and deletes
        return
    known, strange = _read_notes(), []
    for stage, outs in outputs().items():
        strange += [] if stage == apart else [name for out in outs for name in _files(out) if not _ours(name, known)]
    if strange:
        more = f" and {len(strange) - NAMED} more" if len(strange) > NAMED else ""
        raise NotOurs(f"not made here, or changed since: {', '.join(map(_printable, strange[:NAMED]))}{more}. The "
                      "pipeline deletes what lies in its outputs before it makes them anew: move what is yours "
                      "elsewhere, delete what is not needed")


def _outs(stage: dict) -> list[str]:
    """Paths that DVC deletes: all but those that `persist`."""
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]
    each = [(entry, {}) if isinstance(entry, str) else next(iter(entry.items())) for entry in entries]
    return [path for path, said in each if not (said or {}).get("persist")]


def _files(out: str) -> Iterator[str]:
    """Files and links at or below an output."""
    if os.path.islink(out) or os.path.isfile(out):
        yield out
    for folder, folders, names in os.walk(out):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        yield from (os.path.join(folder, name) for name in (*names, *links))


def _ours(name: str, known: Known) -> bool:
    said = os.lstat(name)
    if (name, said.st_size, said.st_mtime_ns) in known or UNFINISHED.fullmatch(os.path.basename(name)):
        return True
    if not os.path.isfile(name) or not os.access(name, os.R_OK):
        return False
    with open(name, "rb") as file:
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if md5 not in _locked_md5() and not (_cache() / md5[:2] / md5[2:]).is_file():
        return False
    _add(NOTES, name, said)   # looked at once
    return True


def _add(notes: Path, name: str, said: os.stat_result) -> None:
    notes.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps([name, said.st_size, said.st_mtime_ns]) + "\n"
    file = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())   # in one piece: several processes write
    finally:
        os.close(file)


def _read_notes() -> Known:
    """What was noted; a line that a kill or a full disk cut short is none."""
    found: Known = set()
    if NOTES.is_file():
        for line in NOTES.read_text().splitlines():
            try:
                name, size, mtime_ns = json.loads(line)
            except ValueError:
                continue
            found.add((name, size, mtime_ns))
    return found


@cache
def _locked_md5() -> frozenset[str]:
    """md5 of the single files that dvc.lock names: those that DVC does not keep are there alone."""
    text = Path("dvc.lock").read_text() if Path("dvc.lock").is_file() else ""
    return frozenset(re.findall(r"\bmd5: ([0-9a-f]{32})\b", text))


@cache
def _cache() -> Path:
    """Where DVC keeps files by their md5."""
    said = subprocess.run([sys.executable, "-m", "dvc", "cache", "dir"], capture_output=True, text=True, check=False)
    return Path(said.stdout.strip() or ".dvc/cache") / "files" / "md5"


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()

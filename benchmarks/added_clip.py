"""One added clip against the whole, on the clock: `python -m benchmarks.added_clip [CORPUS ...]`.

Run it in a project folder whose crops and face space are made. In a temporary project with the same crops the stage
runs as DVC runs it, three times: on all clips but one, on all clips (one is new), and again (nothing is new). `start`
is the time until the first clip is in work, Ray's start and loading the models, which both computing runs pay; a run
without new clips starts neither. Only worth looking at on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline.clip_table import read_clip_table, write_clip_table
from pipeline.imports import ROOT
from pipeline.paths import CROPS, FACE_SPACE


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("corpora", nargs="*", default=["mead", "avspeech"])
    corpora = arguments.parse_args().corpora
    print(f"load average {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = copied(corpora, folder)
        added = next(row for row in rows[corpora[0]] if row["status"] == "kept")
        write_clip_table(table_of(corpora[0], folder), [row for row in rows[corpora[0]] if row is not added])
        whole_s, start_s = run(corpora, folder)
        write_clip_table(table_of(corpora[0], folder), rows[corpora[0]])
        one_s, one_start_s = run(corpora, folder)
        nothing_s, _ = run(corpora, folder)
    report([row["frames"] for corpus in corpora for row in rows[corpus] if row["status"] == "kept"], added["frames"],
           {"whole": (whole_s, start_s), "one added clip": (one_s, one_start_s), "nothing new": (nothing_s, 0.0)})


def table_of(corpus: str, folder: Path) -> Path:
    return folder / CROPS / corpus / "clips.parquet"


def copied(corpora: list[str], folder: Path) -> dict[str, list[dict]]:
    """A project of `corpora` in `folder`, its crops linked; the rows of each clip table."""
    shutil.copyfile("params.yaml", folder / "params.yaml")
    shutil.copytree(FACE_SPACE, folder / FACE_SPACE)
    for corpus in corpora:
        (folder / CROPS / corpus).mkdir(parents=True)
        for path in (CROPS / corpus).iterdir():
            (folder / CROPS / corpus / path.name).symlink_to(path.resolve())
        table_of(corpus, folder).unlink()
        shutil.copyfile(CROPS / corpus / "clips.parquet", table_of(corpus, folder))
    return {corpus: read_clip_table(CROPS / corpus / "clips.parquet") for corpus in corpora}


def run(corpora: list[str], folder: Path) -> tuple[float, float]:
    """Seconds of the stage over all corpora, and those until the first clip was in work."""
    began = time.monotonic()
    for corpus in corpora:
        subprocess.run([sys.executable, "-m", "stages.extract", corpus], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(ROOT)})
    rates = json.loads((folder / ".playmate/rates.json").read_text())
    return time.monotonic() - began, rates["start_s"]


def report(frames: list[int], added: int, took: dict[str, tuple[float, float]]) -> None:
    """Print the three runs and their ratio, with and without the start."""
    print(f"{len(frames)} clips, {sum(frames)} frames; the added one has {added}, {added / sum(frames):.1%} of them")
    for name, (seconds, start) in took.items():
        print(f"{name:15} {seconds:6.1f} s, {start:5.1f} s of it start")
    (whole, start), (one, one_start), (nothing, _) = took.values()
    work, one_work = whole - start - nothing, one - one_start - nothing
    print(f"one added clip takes {one / whole:.2f} of the whole; without start and what a run without news takes, "
          f"{one_work:.1f} s of {work:.1f} s: {one_work / work:.1%}")


if __name__ == "__main__":
    main()

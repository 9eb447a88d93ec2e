"""One added clip against the whole: `python -m benchmarks.added_clip [CORPUS ...]`.

Run it in a project folder whose crops and face space are made. In a temporary project with the same crops the stage
runs as DVC runs it, three times: on all clips but one, on all clips (one is new), and again (nothing is new). Each time
seconds on the clock and processor seconds of all its processes, Ray's too. `start` is the time until the first clip is
in work (Ray's start, loading the models), which both computing runs pay; a run without new clips starts neither.
Seconds on the clock are only worth looking at on a quiet machine.
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
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipeline.core.clip_table import read_clip_table, write_clip_table
from pipeline.core.fingerprint import ROOT
from pipeline.core.paths import CROPS, FACE_SPACE

SAMPLE_S = 0.1  # between looks at the processes


@dataclass(frozen=True)
class Took:
    """Seconds of one run over all corpora: on the clock, of processors, and on the clock until the first clip."""

    clock_s: float
    processor_s: float
    start_s: float


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
        whole = run(corpora, folder)
        write_clip_table(table_of(corpora[0], folder), rows[corpora[0]])
        report([row["frames"] for corpus in corpora for row in rows[corpus] if row["status"] == "kept"],
               added["frames"], whole, run(corpora, folder), run(corpora, folder))


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


def run(corpora: list[str], folder: Path) -> Took:
    """The stage over all corpora."""
    began, processor_s = time.monotonic(), 0.0
    for corpus in corpora:
        with subprocess.Popen([sys.executable, "-m", "stages.extract.stage", corpus], cwd=folder,
                              stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(ROOT)}) as process:
            processor_s += processor_seconds(process)
        if process.returncode:
            sys.exit(f"extract {corpus} failed")
    rates = json.loads((folder / ".playmate/rates.json").read_text())
    return Took(time.monotonic() - began, processor_s, rates["start_s"])


def processor_seconds(process: subprocess.Popen) -> float:
    """Of a process and all below it, until it ends; each as it was seen last."""
    used: dict[int, float] = {}
    while process.poll() is None:
        try:
            parent = psutil.Process(process.pid)
            for one in [parent, *parent.children(recursive=True)]:
                times = one.cpu_times()
                used[one.pid] = times.user + times.system
        except psutil.NoSuchProcess:  # ended while we looked
            pass
        time.sleep(SAMPLE_S)
    return sum(used.values())


def report(frames: list[int], added: int, whole: Took, one: Took, nothing: Took) -> None:
    """Print the three runs and their ratio, with and without the start."""
    print(f"{len(frames)} clips, {sum(frames)} frames; the added one has {added}, {added / sum(frames):.1%} of them")
    for name, took in {"all but one": whole, "one added clip": one, "nothing new": nothing}.items():
        print(f"{name:15} {took.clock_s:6.1f} s on the clock, {took.processor_s:6.1f} processor seconds")
    work, one_work = (took.clock_s - took.start_s - nothing.clock_s for took in (whole, one))
    print(f"one added clip against the whole: {one.clock_s / whole.clock_s:.2f} on the clock, "
          f"{one.processor_s / whole.processor_s:.2f} of the processor seconds; without start ({whole.start_s:.1f} and "
          f"{one.start_s:.1f} s) and what a run without news takes {one_work:.1f} s of {work:.1f} s: "
          f"{one_work / work:.1%}")


if __name__ == "__main__":
    main()

"""Is a fine-tuned model better? `python -m benchmarks.finetune FOLDER WORK`.

FOLDER holds one film a person (and perhaps its sound, of the same name). Each of at least `--min-s` is cut in time: the
last third is for testing, and `playmate finetune` gets the rest. Then for each person all the others together train
and all of that person's film is for testing. Models and projects lie in WORK.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean

from pipeline.media.container import open_media
from playmate.finetune import SEEDS
from playmate.tuned_share import SHARES

FILMS = (".mp4", ".mov", ".mkv", ".webm")
ROWS = LAST_THIRD, OTHERS = "last-third", "others"


def main() -> None:
    """Print a row a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--min-s", type=float, default=18.0)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS)
    given = parser.parse_args()
    films = {path.stem: _seconds(path) for path in sorted(given.folder.iterdir()) if path.suffix.lower() in FILMS}
    films = {name: seconds for name, seconds in films.items() if seconds >= given.min_s}
    columns = ("model", f"r left out at {', '.join(f'{share:.0%}' for share in SHARES)}", "taken", "tested, s",
               "base r", "wrong speech", "new r", "wrong speech", "gain", "wall s", "core s")
    print(f"{SEEDS} seeds\n| {' | '.join(columns)} |", flush=True)
    for name, seconds in films.items() if LAST_THIRD in given.rows else ():
        cut = 2 * seconds / 3
        rows = [(name, 0.0, cut, "train"), (name, cut, seconds, "test")]
        _one(given, f"{LAST_THIRD}-{name}"[:64], rows)
    for name in films if OTHERS in given.rows else ():
        _one(given, f"without-{name}"[:64], [(other, 0.0, seconds, "test" if other == name else "train")
                                             for other, seconds in films.items()])


def _one(given: argparse.Namespace, model: str, rows: list[tuple[str, float, float, str]]) -> None:
    data = given.work / "data" / model
    data.mkdir(parents=True, exist_ok=True)
    names = {name: next(path.name for path in given.folder.glob(f"{name}.*") if path.suffix.lower() in FILMS)
             for name, *_ in rows}
    for path in given.folder.iterdir():
        if path.stem in names:
            shutil.copyfile(path, data / path.name)
    with (data / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file_name", "person", "start_s", "end_s", "split"), *(
            (names[name], name, f"{start:.2f}", f"{end:.2f}", split) for name, start, end, split in rows)])
    models = (given.work / "models").resolve()
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with (given.work / f"{model}.log").open("w") as log:
        subprocess.run([Path(sys.executable).with_name("playmate"), "finetune", "--data", data, "--name", model],
                       check=True, env=os.environ | {"PLAYMATE_MODELS": str(models)}, stdout=log, stderr=log)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    core = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told = json.loads((models / model / "finetune.json").read_text())
    left_out = ", ".join(f"{mean(r):.3f}" for r in told["chosen"]["r"])
    print(f"| {model} | {left_out} | {told['chosen']['share']:.0%} | {told['seconds']:.0f} | {told['base_r']:.3f} | "
          f"{told['base_r_wrong_speech']:.3f} | {told['r']:.3f} | {told['r_wrong_speech']:.3f} | "
          f"{told['r'] - told['base_r']:+.3f} | {wall:.0f} | {core:.0f} |", flush=True)


def _seconds(path: Path) -> float:
    with open_media(path) as container:
        return float(container.duration or 0) / 1e6


if __name__ == "__main__":
    main()

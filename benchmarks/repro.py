"""What `dvc repro` costs where there is nothing to do, in a finished project: `python -m benchmarks.repro [FOLDER]`.

Processor seconds of DVC and all that it starts, the least of three runs after one that is not counted; and of the
stages that run each time, each started alone.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path

RUNS = {"dvc repro": ["-m", "dvc", "repro", "-q"], "outputs": ["-m", "playmate.outputs"],
        "sources": ["-m", "stages.sources"], "code (when a file of ours changed)": ["-m", "pipeline.core.fingerprint"]}


def main() -> None:
    """Print a line for each command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, nargs="?", default=Path())
    folder = parser.parse_args().folder
    for name, arguments in RUNS.items():
        _, *each = (seconds(arguments, folder) for _ in range(4))
        print(f"{name}: {min(each):.2f} s ({', '.join(f'{one:.2f}' for one in each)})")


def seconds(arguments: list[str], folder: Path) -> float:
    """Processor time of one Python process and its children, user and system."""
    before = _used_s()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True, env={**os.environ, "PATH": path})
    return _used_s() - before


def _used_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()

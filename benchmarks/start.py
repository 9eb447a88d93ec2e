"""Start and speed of the shipped model by ONNX Runtime and by PyTorch, beside `import torch`.

`python -m benchmarks.start [--rounds N]`.
Each in a process of its own, one after the other, processor seconds of all its threads: a shared machine stretches
the wall's. Printed for each round: start to first frame, as a share of `import torch`; a film's frames a processor
second; and what the first frame of a stream costs once its speech is there.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from pipeline.components.graphs import GRAPHS
from pipeline.core.paths import SHIPPED

SECONDS = 8
EMOTION = "happy"


def main() -> None:
    """Print a line a round and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        print(json.dumps(measured(Path(given.child))))
        return
    with tempfile.TemporaryDirectory() as folder:
        by_torch = Path(folder) / "torch"
        shutil.copytree(SHIPPED, by_torch, ignore=shutil.ignore_patterns(GRAPHS))
        print("round  run by       first frame, s  of `import torch`  film, frames/s  first frame of a stream, s")
        for number in range(given.rounds):
            unit = float(_child("-c", "import time, torch; print(time.process_time())"))
            for name, bundle in (("ONNX Runtime", SHIPPED), ("PyTorch", by_torch)):
                found = json.loads(_child("-m", "benchmarks.start", "--child", str(bundle)))
                print(f"{number:5}  {name:12} {found['start']:14.2f}  {found['start'] / unit:17.2f}  "
                      f"{found['fps']:14.1f}  {found['stream']:26.2f}", flush=True)


def _child(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()[-1]


def measured(bundle: Path) -> dict[str, float]:
    """One process: scikit-image's astronaut, read as a file, and noise as loud and soft as speech."""
    from importlib.util import find_spec

    from pipeline.animate.animator import Animator
    from pipeline.animate.stream import AnimatorStream

    found = find_spec("skimage")  # the picture without the package's import
    if found is None or found.origin is None:
        raise ImportError("the portrait comes with scikit-image: install the extra `demo`")
    random = np.random.default_rng(0)
    loud = np.repeat(random.random(20 * SECONDS), 800)
    speech = (0.1 * loud * random.standard_normal(len(loud))).astype(np.float32)
    animator = Animator.from_bundle(bundle)
    portrait = animator.portrait(Path(found.origin).parent / "data" / "astronaut.png")
    film = iter(animator.animate(portrait, speech, emotion=EMOTION))
    next(film)
    start = time.process_time()
    frames = sum(1 for _ in film)
    fps = frames / (time.process_time() - start)
    with AnimatorStream(animator, portrait, emotion=EMOTION, window=10) as stream:
        needed = round(16000 * stream.first_delay_s)
        stream.push(speech[:needed - 640])
        before = time.process_time()
        assert stream.push(speech[needed - 640:needed])
        first = time.process_time() - before
    return {"start": start, "fps": fps, "stream": first}


if __name__ == "__main__":
    main()

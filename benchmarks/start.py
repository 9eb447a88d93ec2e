"""Start and speed of the shipped model by ONNX Runtime and by PyTorch, beside `import torch`.

`python -m benchmarks.start [--rounds N]`.
Each in a process of its own, one after the other, processor seconds of all its threads: a shared machine stretches
the wall's. Printed for each round: start to first frame, as a share of `import torch`; a film's frames a processor
second; and what the first frame of a stream costs once its speech is there. Then the command `playmate animate`, with
the process that decodes for it, from start to end, for a film of five frames, as a share of a process that imports
torch, from its start to its end. PYTHONPYCACHEPREFIX names a folder for bytecode, where a package has none beside it.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import wave
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from pipeline.components.graphs import GRAPHS
from pipeline.core.paths import SHIPPED

SECONDS = 8
EMOTION = "happy"
SUBREAPER = 36   # of prctl(2): whose parent has ended becomes our child, and its seconds are counted


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
            torch, command = _seconds("-c", "import torch"), _seconds("-m", "playmate", "animate", *_film(Path(folder)))
            print(f"{number:5}  the command {command:15.2f}  {command / torch:17.2f}", flush=True)


def _child(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()[-1]


def _seconds(*arguments: str) -> float:
    """Processor seconds of a process and of all that it starts, until the last of them has ended."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stderr=subprocess.DEVNULL)
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _film(folder: Path) -> list[str]:
    """Options that animate the astronaut with a fifth of a second of noise."""
    noise = 3000 * np.random.default_rng(0).standard_normal(3200)
    with wave.open(str(folder / "noise.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(noise.astype("<i2").tobytes())
    return ["--portrait", str(_portrait()), "--speech", str(folder / "noise.wav"), "--any-sound", "-o",
            str(folder / "film.mp4")]


def _portrait() -> Path:
    """scikit-image's astronaut, without the package's import."""
    found = find_spec("skimage")
    if found is None or found.origin is None:
        raise ImportError("the portrait comes with scikit-image: install the extra `demo`")
    return Path(found.origin).parent / "data" / "astronaut.png"


def measured(bundle: Path) -> dict[str, float]:
    """One process: scikit-image's astronaut, read as a file, and noise as loud and soft as speech."""
    from pipeline.animate.animator import Animator
    from pipeline.animate.stream import AnimatorStream

    random = np.random.default_rng(0)
    loud = np.repeat(random.random(20 * SECONDS), 800)
    speech = (0.1 * loud * random.standard_normal(len(loud))).astype(np.float32)
    animator = Animator.from_bundle(bundle)
    portrait = animator.portrait(_portrait())
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

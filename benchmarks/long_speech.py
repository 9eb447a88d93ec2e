"""Memory of motion generation against the length of the speech: `python -m benchmarks.long_speech`.

The shipped model with an emotion, fed with a second of features at a time, none kept. Each length has a process of its
own; printed is the largest resident set of that process, all libraries included, and the processor time.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import torch

from models.generation.request import Request
from models.motion.emotions import emotion_weights
from pipeline.components.bundle import load_bundle
from pipeline.core.paths import SHIPPED

FPS = 25
LENGTHS_S = (5, 60, 600)


def pieces(seconds: int, dim: int) -> Iterator[np.ndarray]:
    """Features [25, dim] of one second after the other."""
    for second in range(seconds):
        yield np.random.default_rng(second).standard_normal((FPS, dim)).astype(np.float32)


def generate(seconds: int) -> None:
    """Print one row: seconds, frames, peak MB, frames per CPU second."""
    torch.set_num_threads(1)
    bundle = load_bundle(SHIPPED)
    maker, shape = bundle.generator(), bundle.config.model
    request = Request(pieces(seconds, shape.speech_dim), np.zeros((shape.num_keypoints, 3), np.float32),
                      bundle.statistics.pose_mean, emotion_weights({"happy": 1.0}, maker.labels))
    began = time.process_time()
    frames = sum(len(window) for window in maker.stream(request))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate = frames / (time.process_time() - began)
    print(f"{seconds:5} s {frames:6} frames {peak_mb:7.1f} MB {rate:6.0f} frames per CPU second")


def main() -> None:
    """One process a length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, help="this length alone, in this process")
    chosen = parser.parse_args()
    if chosen.seconds:
        generate(chosen.seconds)
    for seconds in () if chosen.seconds else LENGTHS_S:
        subprocess.run([sys.executable, "-m", "benchmarks.long_speech", "--seconds", str(seconds)], check=True)


if __name__ == "__main__":
    main()

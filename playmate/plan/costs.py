"""What one frame or clip costs, as it was measured or assumed, each with its source.

Times are of one core of the machine that benchmarks/RESULTS.md was measured on, so ratios say more than hours.
"""

from __future__ import annotations

from dataclasses import dataclass

CAPACITY, RESULTS, PAPER = "docs/capacity.md", "benchmarks/RESULTS.md", "docs/paper.md"
FPS = 25


@dataclass(frozen=True)
class Figure:
    """A number and where it stands."""

    value: float
    source: str


CLIP_S = Figure(10.0, f"{CAPACITY}: assumed of a clip whose length is not known")
EMBEDDED_CLIP_S = Figure(4.2, f"{RESULTS}: 24 embedded clips have 2,486 frames")
# core milliseconds a frame
EMBEDDED_MS = Figure(12.4 + 27.0, f"{RESULTS}: 81 frames rendered a CPU second; voices 0.7 s of a core a second")
LOOK_MS = Figure(10.7, f"{PAPER}: preprocessing with the small detector")
BUFFALO_MS = Figure(60.0, f"{PAPER}: at most, from the operations of buffalo_l")
SYNC_MS = Figure(41.0, f"{PAPER}: SyncNet, seeded weights")
LANDMARK_MS = Figure(7.2, f"{RESULTS}: 138 frames a second, landmarks and Whisper")
LIVEPORTRAIT_MS = Figure(212.4 + 6.3, f"{CAPACITY}: LivePortrait's M and Wav2Vec2")
JUDGED_MS = Figure(70.9, f"{RESULTS}: evaluation, 14.1 frames a processor second")
LIVEPORTRAIT_RENDER_MS = Figure(2 * (93.0 + 1177.0 + 3324.0), f"{RESULTS}: M, W and G on two threads")
GPU_RENDER_MS = Figure(12.8, f"{PAPER}: published for an RTX 4090, compiled; without the judges")
# operations
EXTRACT_GFLOP = Figure(12.2, f"{CAPACITY}: M and Wav2Vec2, a frame")
EXTRACT_GFLOPS = Figure(15e3, f"{CAPACITY}: a GPU of 60 TFLOP/s used at 25 %")
TUNE_GFLOP = Figure(8.1e3, f"{PAPER}: a pair of eq. 2-4")
TUNE_PAIR_GB = Figure(4.6, f"{PAPER}: stored activations of a pair")
GPU_GFLOPS = Figure(94e3, f"{PAPER}: an A100 used at 30 %")
CORE_GFLOPS = Figure(75.0, f"{RESULTS}: 0.99 steps a second of 4 windows at the paper's size on two threads")
# bytes
CROP_BYTES = Figure(2534.0, f"{CAPACITY}: a frame of a crop")
SPEECH_BYTES = Figure(32000 / FPS, f"{CAPACITY}: 16 kHz, 16 bit, a frame")
GPU_GB = Figure(80.0, "a GPU of 80 GB, where none is here to ask")

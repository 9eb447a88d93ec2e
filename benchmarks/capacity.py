"""What the paper's 110,000 clips cost: `python -m benchmarks.capacity [--clips N ...] > docs/capacity.md`.

Measures the processor time of one frame in each step on this machine (one thread, CPU seconds, so that a busy machine
counts no less), the networks' operations and the bytes of our crops, and prints the page with its formula.
GPU time is not measured: it is operations over an assumed share of a card's peak, and marked so.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FPS, PX = 25, 256
FRAMES = 100  # of the clip that is measured
MOTION_BYTES, SPEECH_DIM = 4 * 70, 768


@dataclass(frozen=True)
class Assumed:
    """What cannot be measured here; every one is an option of the command."""

    clips: int = 110_000        # the paper: about 80,000 of stage 1 and 30,000 of stage 2
    mean_s: float = 10.0        # of a clip: 3 to 30 s
    source_fps: float = 28.0    # of raw media, mean of 25 and 30
    source_px: int = 720
    gpu_tflops: float = 60.0    # dense TF32 of the card: NVIDIA L4
    mfu: float = 0.25           # share of it that these small networks reach
    core_hour: float = 0.02     # USD, spot
    gpu_hour: float = 0.35      # USD, spot, one card with its cores
    gb_month: float = 0.023     # USD, object storage


@dataclass(frozen=True)
class Measured:
    """Core milliseconds of a frame, giga-operations of a frame, bytes of a frame."""

    raw_decode_ms: float
    crop_encode_ms: float
    crop_decode_ms: float
    motion_ms: float
    speech_ms: float
    motion_gflop: float
    speech_gflop: float
    crop_bytes: float


def cpu_ms(work: Callable[[], object], frames: int) -> float:
    """Best of three runs, processor milliseconds a frame."""
    def once() -> float:
        began = time.process_time()
        work()
        return (time.process_time() - began) * 1000 / frames
    once()
    return min(once() for _ in range(3))


def measure(clip: Path | None) -> Measured:
    """`clip`: a crop of ours (256 px, 25 fps); without one a moving noise pattern, which compresses worse."""
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        pictures = _pictures(clip)
        encode_ms, crop, raw = _media(pictures, Path(folder))
        from pipeline.media.crops import read_crop

        motion, speech = _motion_network(), _speech_network()
        batch = torch.zeros(4, 3, PX, PX)
        second = torch.zeros(1, 16000)
        with torch.inference_mode():
            return Measured(
                raw_decode_ms=cpu_ms(lambda: _decode(raw), FRAMES), crop_encode_ms=encode_ms,
                crop_decode_ms=cpu_ms(lambda: read_crop(crop), len(pictures)),
                motion_ms=cpu_ms(lambda: motion(batch), len(batch)), speech_ms=cpu_ms(lambda: speech(second), FPS),
                motion_gflop=gflop(lambda: motion(batch)) / len(batch),
                speech_gflop=gflop(lambda: speech(second)) / FPS,
                crop_bytes=(clip or crop).stat().st_size / len(pictures))


def _pictures(clip: Path | None) -> np.ndarray:
    if clip is not None:
        from pipeline.media.crops import read_crop

        return read_crop(clip)
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (FRAMES // 5, 8, 8, 3), dtype=np.uint8)
    return np.stack([np.kron(coarse[i // 5], np.ones((PX // 8, PX // 8, 1), np.uint8)) for i in range(FRAMES)])


def _media(pictures: np.ndarray, folder: Path) -> tuple[float, Path, Path]:
    """Encode the crop; and a 720p film as raw media are."""
    import cv2

    from pipeline.media.film import write_video

    crop, raw = folder / "crop.mp4", folder / "raw.mp4"
    encode_ms = cpu_ms(lambda: write_video(crop, pictures, FPS, crf=14), len(pictures))
    wide = (cv2.resize(pictures[i % len(pictures)], (1280, 720)) for i in range(FRAMES))
    write_video(raw, wide, FPS, crf=23)
    return encode_ms, crop, raw


def _decode(path: Path) -> int:
    import av

    with av.open(str(path)) as file:
        file.streams.video[0].thread_count = 1
        return sum(frame.to_ndarray(format="rgb24").shape[0] > 0 for frame in file.decode(video=0))


def _motion_network():
    """LivePortrait's motion extractor, untrained: the same operations."""
    from models.liveportrait.motion_extractor import MotionExtractor

    return MotionExtractor().eval()


def _speech_network():
    """Wav2Vec2 base, untrained: the same operations."""
    from torch.nn.utils.parametrize import remove_parametrizations
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    network = Wav2Vec2Model(Wav2Vec2Config()).eval()
    remove_parametrizations(network.encoder.pos_conv_embed.conv, "weight")  # FlopCounterMode trips over it
    return network


def gflop(work: Callable[[], object]) -> float:
    """Giga floating-point operations, a multiplication and an addition counted as two."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() / 1e9


def page(measured: Measured, assumed: Assumed) -> str:
    """docs/capacity.md."""
    frames = assumed.clips * assumed.mean_s * FPS
    raw_frames = assumed.clips * assumed.mean_s * assumed.source_fps
    core_h = {"preprocess: decode raw 720p": raw_frames * measured.raw_decode_ms,
              "preprocess: encode crops": frames * measured.crop_encode_ms,
              "extract: decode crops": frames * measured.crop_decode_ms}
    core_h = {name: ms / 3.6e6 for name, ms in core_h.items()}
    on_cpu_h = frames * (measured.motion_ms + measured.speech_ms) / 3.6e6
    gflops = measured.motion_gflop + measured.speech_gflop
    gpu_h = frames * gflops / (assumed.gpu_tflops * 1e3 * assumed.mfu) / 3600
    gb = {"crops (H.264, crf 14)": measured.crop_bytes, "motion (70 float32)": MOTION_BYTES,
          "speech features (768 float16)": 2 * SPEECH_DIM, "speech (16 kHz, 16 bit)": 32000 / FPS}
    gb = {name: frames * size / 1e9 for name, size in gb.items()}
    rows = [*(f"| {name} | {hours:,.0f} core hours | {hours * assumed.core_hour:,.0f} |" for name, hours in
              core_h.items()),
            f"| extract: models on GPUs (not measured: {assumed.gpu_tflops:g} TFLOP/s at {assumed.mfu:.0%}) | "
            f"{gpu_h:,.1f} GPU hours | {gpu_h * assumed.gpu_hour:,.0f} |",
            f"| or: models on CPUs | {on_cpu_h:,.0f} core hours | {on_cpu_h * assumed.core_hour:,.0f} |"]
    stored = [f"| {name} | {size:,.0f} GB | {size * assumed.gb_month:,.1f} a month |" for name, size in gb.items()]
    decoders = core_h["extract: decode crops"] / gpu_h
    features = gb["motion (70 float32)"] + gb["speech features (768 float16)"]
    a = assumed
    return f"""# Capacity: the paper's {assumed.clips:,} clips

Printed by `python -m benchmarks.capacity`; times are processor time of one thread on the machine that ran it, so
ratios count more than hours. Assumed, each an option of the command: clips of {a.mean_s:g} s on average, raw media of
{a.source_px} lines at {a.source_fps:g} frames a second, USD {a.core_hour:g} a core hour, {a.gpu_hour:g} a GPU hour,
{a.gb_month:g} a GB and month.

    frames      = clips x mean seconds x {FPS}                    = {frames / 1e6:,.1f} million
    core hours  = frames x milliseconds a frame / 3.6e6
    GPU hours   = frames x GFLOP a frame / (peak TFLOP/s x 1000 x share of it) / 3600
    gigabytes   = frames x bytes a frame / 1e9
    hours on the clock >= max(core hours / cores, GPU hours / GPUs, gigabytes read / (GB/s x 3600))

| measured, a frame | |
|---|---|
| decode raw media, 720 lines, H.264 to RGB | {measured.raw_decode_ms:.2f} ms |
| encode a 256 px crop | {measured.crop_encode_ms:.2f} ms |
| decode a 256 px crop | {measured.crop_decode_ms:.2f} ms |
| motion: LivePortrait's M at 256 px, fp32 | {measured.motion_ms:.1f} ms, {measured.motion_gflop:.1f} GFLOP |
| speech: Wav2Vec2 base, fp32, its share of a second | {measured.speech_ms:.2f} ms, {measured.speech_gflop:.2f} GFLOP |
| bytes of the crop | {measured.crop_bytes:,.0f} |

| step | work | USD |
|---|---|---|
{chr(10).join(rows)}

| stored | size | USD |
|---|---|---|
{chr(10).join(stored)}

Face detection every fifth frame, quality measures and training are not in the table. One GPU at this rate wants
{decoders:.1f} cores that decode (`extract.decode_actors`); decoded frames in flight take {PX * PX * 3 / 1e6:.2f} MB
each. Features alone are {features:,.0f} GB: training reads them from one machine's disk or page cache.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, help="one of our crops, to measure on")
    for name, value in vars(Assumed()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = vars(parser.parse_args())
    print(page(measure(options.pop("clip")), Assumed(**options)), end="")


if __name__ == "__main__":
    main()

"""What docs/paper.md estimates, measured on a GPU within eight minutes: `python -m benchmarks.gpu [--out rows.md]`.

Networks of the paper's profile at full size with seeded weights: trainings (a step of each at several batches, memory,
bf16, `torch.compile`), extraction, rendering by F, M, W and G, sampling, judges, and the feed of batches (cores). Rows
are printed as they come, as a table for benchmarks/RESULTS.md: the median of a few rounds after a first one that does
not count, and the most memory that PyTorch had taken. What a GPU has no room for is a row that says so. When the time
is over, what is left is named. `--toy`: all of it with small networks, for a look at whether it runs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks import training
from benchmarks.gpu_bench import Bench, Row, Size
from benchmarks.liveportrait import PARTS, prepared
from models.diffusion.schedule import alpha_bars
from models.generation.generator import MotionGenerator
from models.generation.request import Request, SampleSettings
from models.generation.torch_network import TorchNetwork
from models.judges.efficientnet_lite0 import EfficientNetLite0
from models.judges.i3d import I3d
from models.judges.inception import FidInception
from models.judges.syncnet import SyncNet
from models.judges.vgg import VggFeatures
from models.liveportrait.networks import seeded_networks
from models.liveportrait.runtime import Runtime
from models.liveportrait.space import LivePortraitFaceSpace
from models.liveportrait.torch_space import torch_space
from models.liveportrait.widths import PUBLISHED, TOY
from models.motion.motion import RHO_DIM
from models.motion.normalization import MotionStatistics, Normalizer
from models.speech.huggingface import HuggingFaceSpeechEncoder, untrained_network
from models.transformer.motion_transformer import MotionTransformer
from pipeline.compute.device import which_device
from pipeline.core.config import load_params
from training.decoupling.learner import Learner as Tuner
from training.decoupling.pairs import PairBatch
from training.engine.context import PlainContext
from training.motion.learner import Learner

FPS, SAMPLES_PER_FRAME = 25, 640


PAPER = Size(replace(training.PAPER, window=100, conv_kernel=31, dropout=0.1), PUBLISHED, {}, 64, (64, 128, 256, 512),
             (2, 8), 250, 8, 50, (1, 16), 16,
             True, 5)
SMALL = Size(replace(training.PAPER, dim=16, heads=2, layers=1, conv_kernel=5, window=10), TOY, None, 4, (2, 4), (1,),
             12, 2, 2, (1,), 1, False, 1)


def training_steps(bench: Bench) -> Iterator[Row]:
    """Gradients and update of stage 1 and, at the largest batch, stage 2; batches lie on the device."""
    for batch in bench.size.batches:
        yield stage(bench, "train_audio", batch, bench.half, False, 0)
    yield stage(bench, "train_audio", batch, "fp32", False, 0)
    yield stage(bench, "train_emotion", batch, bench.half, False, 8)
    if bench.size.compiled:
        yield stage(bench, "train_audio", batch, bench.half, True, 0)


def stage(bench: Bench, what: str, batch: int, precision: str, compiled: bool, emotions: int) -> Row:
    shape = replace(bench.size.shape, num_emotions=emotions)

    def make() -> Callable[[], None]:
        with tempfile.TemporaryDirectory() as folder:
            job = training.make_job(Path(folder), 1, shape, batch, precision=precision, compile=compiled)
            if emotions:
                for parameter in job.model.stage_one_parameters():
                    parameter.requires_grad_(False)
                job = replace(job, objective=replace(job.objective, use_emotion=True),
                              batches=replace(job.batches, num_emotions=emotions))
            learner = Learner(job, PlainContext(bench.device))
        one = learner.make_batch(0).to(learner.context.device)

        def step() -> None:
            learner.gradients(one, 0)
            learner.update(0)

        return step

    setting = f"step, batch {batch}, {precision}{', compiled' if compiled else ''}"
    return bench.row(what, setting, make, batch, "windows/s")


def tuning_steps(bench: Bench) -> Iterator[Row]:
    """Eq. 2-4: a step as `face_space.tune` of params.yaml has it, in half precision."""
    settings = load_params().face_space.tune.model_copy(update={"precision": bench.half})
    for pairs in bench.size.pairs:
        def make(pairs: int = pairs) -> Callable[[], None]:
            learner = Tuner(seeded_networks(bench.size.widths, 0), VggFeatures("vgg19", bench.size.vgg_width), [], [],
                            settings, 0, PlainContext(bench.device))
            pictures = torch.zeros(2, pairs, 3, 256, 256, dtype=torch.uint8)
            one = PairBatch(["a"] * pairs, torch.zeros(pairs, 2), *pictures).to(learner.context.device)

            def step() -> None:
                learner.gradients(one, 0)
                learner.update(0)

            return step

        yield bench.row("face_space.tune", f"step, {pairs} pairs, {settings.precision}", make, pairs, "pairs/s")


def space_of(bench: Bench, runtime: Runtime) -> LivePortraitFaceSpace:
    return torch_space(seeded_networks(bench.size.widths, 0), runtime, bench.device)


def extraction(bench: Bench) -> Iterator[Row]:
    """A clip's pictures through M, and its speech through Wav2Vec2, from the machine's memory and back."""
    frames, size = bench.size.frames, bench.size
    pictures = np.zeros((frames, 256, 256, 3), np.uint8)
    for batch in (size.render_batch, 8 * size.render_batch):
        yield bench.row("extract, motion", f"{batch} frames at once",
                        lambda batch=batch: _extracts(bench, pictures, batch), frames, "frames/s")
    sound = np.random.default_rng(0).standard_normal(frames * SAMPLES_PER_FRAME).astype(np.float32)
    yield bench.row("extract, speech", f"{frames / FPS:.0f} s at once", lambda: _encodes(bench, sound), frames,
                    "frames/s")


def _extracts(bench: Bench, pictures: np.ndarray, batch: int) -> Callable[[], object]:
    space = space_of(bench, Runtime(batch=batch, channels_last=True))
    return lambda: space.extract(pictures)


def _encodes(bench: Bench, sound: np.ndarray) -> Callable[[], object]:
    if bench.size.speech is None:
        network = untrained_network("wav2vec2")
    else:
        from transformers import Wav2Vec2Config, Wav2Vec2Model

        network = Wav2Vec2Model(Wav2Vec2Config(**bench.size.speech)).eval().requires_grad_(False)
    encoder = HuggingFaceSpeechEncoder(network, 2, 30.0, 2.0, bench.device)
    return lambda: encoder.encode(sound, len(sound) // SAMPLES_PER_FRAME)


def rendering(bench: Bench) -> Iterator[Row]:
    """F, M, W and G apart, then whole films, as they are and compiled."""
    batch, device = bench.size.render_batch, torch.device(bench.device)
    for runtime, name in (
            (Runtime("fp32", False), "fp32"), (Runtime(bench.half, True), f"{bench.half}, channels last")):
        for part in PARTS:
            yield bench.row(f"LivePortrait's {part}", f"{batch} pictures, {name}",
                            lambda part=part, way=runtime: prepared(way, batch, device, bench.size.widths)[part],
                            batch, "pictures/s")
    for compiled in (False, True) if bench.size.compiled else (False,):
        yield bench.row("render", f"{bench.size.frames} frames, {bench.half}{', compiled' if compiled else ''}",
                        lambda compiled=compiled: _renders(bench, compiled), bench.size.frames, "frames/s")


def _renders(bench: Bench, compiled: bool) -> Callable[[], object]:
    space = space_of(bench, Runtime(bench.half, True, compiled, bench.size.render_batch))
    appearance = space.appearance(np.zeros((256, 256, 3), np.uint8))
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (bench.size.frames, 21, 3))
    return lambda: space.render(appearance, points[0], points)


def sampling(bench: Bench) -> Iterator[Row]:
    """Motion with an emotion by DDIM: two motions a window (models/generation/generator.py)."""
    for count in bench.size.requests:
        setting = f"{count} clips of {bench.size.frames / FPS:.0f} s, {bench.size.steps} steps, emotion"
        yield bench.row("sample", setting,
                        lambda count=count: _samples(bench, count), count * bench.size.frames, "frames/s")


def _samples(bench: Bench, count: int) -> Callable[[], object]:
    shape = replace(bench.size.shape, num_emotions=8)
    points = 3 * shape.num_keypoints
    statistics = MotionStatistics(Normalizer.of(np.zeros(points), np.ones(points), 1e-4), np.zeros(RHO_DIM),
                                  np.ones(RHO_DIM), np.zeros(RHO_DIM), np.ones(RHO_DIM), "clip", 1e-4)
    network = TorchNetwork(MotionTransformer(shape).to(bench.device))
    maker = MotionGenerator(network, alpha_bars("linear", 1000), "eps", statistics,
                            tuple("abcdefgh"),
                            SampleSettings("ddim", bench.size.steps, 1.5, 1.5, 10.0, 8, 3.0, 1.0, 1.0, 1))
    requests = [Request(np.zeros((bench.size.frames, shape.speech_dim), np.float32),
                        np.zeros((shape.num_keypoints, 3), np.float32), np.zeros(RHO_DIM, np.float32),
                        np.eye(9, dtype=np.float32)[1], seed=seed) for seed in range(count)]
    return lambda: maker.generate_batch(requests)


def judging(bench: Bench) -> Iterator[Row]:
    """The judges of pictures and clips, one batch each, as `models/judges` asks them."""
    kinds: list[tuple[str, Callable[[], torch.nn.Module], tuple[int, ...], int]] = [
        ("FID", FidInception, (3, 299, 299), 1), ("FVD", I3d, (3, 16, 224, 224), 16),
        ("fd_efficientnet_lite0", EfficientNetLite0, (3, 224, 224), 1),
        ("Sync-C/D, lips", SyncNet, (3, 5, 224, 224), 1)]
    for name, kind, shape, frames in kinds:
        yield bench.row(f"judge, {name}", f"{bench.size.judged} at once",
                        lambda kind=kind, shape=shape: _judges(bench, kind, (bench.size.judged, *shape)),
                        bench.size.judged * frames, "frames/s")


def _judges(bench: Bench, kind: Callable[[], torch.nn.Module], shape: tuple[int, ...]) -> Callable[[], object]:
    network, pictures = kind().eval().to(bench.device), torch.zeros(shape, device=bench.device)
    ask = getattr(network, "lips", network)

    def call() -> None:
        with torch.inference_mode():
            ask(pictures)

    return call


PARTS_OF_ALL = (training_steps, tuning_steps, extraction, rendering, sampling, judging)


def main() -> None:
    """Print the rows; write them to `--out` as well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true")
    parser.add_argument("--minutes", type=float, default=6.0, help="no measurement begins later")
    parser.add_argument("--out", type=Path, help="a file for the rows")
    given = parser.parse_args()
    bench = Bench(which_device(), SMALL if given.toy else PAPER, given.minutes)
    name = torch.cuda.get_device_name() if bench.device == "cuda" else f"{os.cpu_count()} cores, no GPU"
    lines = [f"`{' '.join(['python -m benchmarks.gpu', *sys.argv[1:]])}`, {name}, torch {torch.__version__}:", "",
             "| what | setting | ms | rate | GB at most |", "|---|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    for line in measured(bench):
        print(line, flush=True)
        lines.append(line)
    if given.out:
        given.out.write_text("\n".join(lines) + "\n")
    training.feed(1 if given.toy else 5, *((8, 4, 120) if given.toy else ()))


def measured(bench: Bench) -> Iterator[str]:
    """Rows of all parts as lines; one that names the parts that no time was left for."""
    late = []
    for part in PARTS_OF_ALL:
        rows = part(bench)
        while time.monotonic() < bench.end:
            row = next(rows, None)
            if row is None:
                break
            yield str(row)
        else:
            late.append(part.__name__)
    if late:
        yield f"| no time was left for all of: {', '.join(late)} | | | | |"


if __name__ == "__main__":
    main()

"""The diffusion transformer against a plain one: `python -m benchmarks.model [--size paper] [--device cuda] ...`.

Parameters, operations, training steps a second, frames generated a second with emotion control and both guidances.
The reference below has the same widths and no idea but the obvious one: multi-head attention modules, PyTorch's AdamW,
three passes for eq. 8, all conditions computed again in every step. Each measurement is the best of some rounds that
alternate with the other's, in wall time (the ratio is what counts on a busy machine).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from models.diffusion.denoise import guide
from models.diffusion.sampler import ddim_step, sampling_times
from models.diffusion.schedule import add_noise, alpha_bars
from models.generation.generator import MotionGenerator
from models.generation.request import Request, SampleSettings
from models.generation.torch_network import TorchNetwork
from models.motion.emotions import CORE8, emotion_weights
from models.motion.motion import RHO_DIM
from models.motion.normalization import MotionStatistics, Normalizer
from models.transformer.conditions import time_frequencies
from models.transformer.motion_transformer import MotionTransformer
from models.transformer.shape import ModelShape
from training.engine.optimiser import AdamW

COMMON = {"dropout": 0.0, "audio_align_layers": 1, "previous": 10, "emotion_blocks": 2, "conv_norm": "layer",
          "num_emotions": len(CORE8)}
SIZES = {
    "embedded": (ModelShape(dim=96, heads=4, layers=2, conv_kernel=15, mlp_ratio=2, window=50, num_keypoints=70,
                            speech_dim=384, **COMMON), 32),
    "paper": (ModelShape(dim=512, heads=8, layers=8, conv_kernel=31, mlp_ratio=4, window=100, num_keypoints=21,
                         speech_dim=768, **COMMON), 512)}
ALPHA_BAR = alpha_bars("linear", 1000)


class PlainConformerBlock(nn.Module):
    """Gulati's block out of PyTorch's own modules, without positions."""

    def __init__(self, shape: ModelShape):
        super().__init__()
        dim, hidden = shape.dim, shape.mlp_ratio * shape.dim
        self.feeds = nn.ModuleList(nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.SiLU(),
                                                 nn.Linear(hidden, dim)) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(4))
        self.attention = nn.MultiheadAttention(dim, shape.heads, batch_first=True)
        self.expand, self.out = nn.Conv1d(dim, 2 * dim, 1), nn.Conv1d(dim, dim, 1)
        self.depthwise = nn.Conv1d(dim, dim, shape.conv_kernel, padding=shape.conv_kernel // 2, groups=dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + 0.5 * self.feeds[0](x)
        y = self.norms[0](x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        y = self.depthwise(functional.glu(self.expand(self.norms[1](x).transpose(1, 2)), dim=1))
        y = self.out(functional.silu(self.norms[2](y.transpose(1, 2)).transpose(1, 2)))
        x = x + y.transpose(1, 2)
        return self.norms[3](x + 0.5 * self.feeds[1](x))


class PlainModel(nn.Module):
    """Everything in one forward: audio [B, L, A], identity, previous, noisy motion, time, emotion -> [B, W, D]."""

    def __init__(self, shape: ModelShape):
        super().__init__()
        dim = shape.dim
        self.shape = shape
        self.audio, self.motion = nn.Linear(shape.speech_dim, dim), nn.Linear(shape.motion_dim, dim)
        self.align_norm, self.align = nn.LayerNorm(dim), nn.MultiheadAttention(dim, shape.heads, batch_first=True)
        self.identity, self.time = (nn.Sequential(nn.Linear(size, dim), nn.SiLU(), nn.Linear(dim, dim))
                                    for size in (shape.expression_dim, 256))
        self.null_audio, self.labels = nn.Parameter(torch.zeros(dim)), nn.Embedding(shape.num_emotions + 1, dim)
        self.blocks = nn.ModuleList(PlainConformerBlock(shape) for _ in range(shape.layers))
        self.emotion = nn.ModuleList(PlainConformerBlock(shape) for _ in range(shape.emotion_blocks))
        self.heads = nn.ModuleList(nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, size))
                                   for size in (shape.expression_dim, RHO_DIM))

    def forward(self, noisy: Tensor, time_: Tensor, speech: Tensor, identity: Tensor, previous: Tensor,
                label: Tensor, drop_audio: bool = False) -> Tensor:
        audio = self.audio(speech)
        y = self.align_norm(audio)
        audio = audio + self.align(y, y, y, need_weights=False)[0]
        if drop_audio:
            audio = self.null_audio.expand_as(audio)
        step = self.time(time_frequencies(time_).to(audio))
        hidden = self.motion(torch.cat([previous, noisy], 1)) + audio + (step + self.identity(identity))[:, None]
        for block in self.blocks:
            hidden = block(hidden)
        expression = hidden + (self.labels(label) + step)[:, None]
        for block in self.emotion:
            expression = block(expression)
        window = slice(self.shape.previous, None)
        return torch.cat([self.heads[0](expression[:, window]), self.heads[1](hidden[:, window])], -1)


def inputs(shape: ModelShape, batch: int, device: torch.device) -> list[Tensor]:
    """noisy, time, speech, identity, previous of standard normal numbers."""
    random = torch.Generator().manual_seed(0)
    frames = shape.previous + shape.window
    sizes = [(shape.window, shape.motion_dim), (frames, shape.speech_dim), (shape.expression_dim,),
             (shape.previous, shape.motion_dim)]
    noisy, speech, identity, previous = (torch.randn(batch, *size, generator=random).to(device) for size in sizes)
    return [noisy, torch.randint(1000, (batch,), generator=random).to(device), speech, identity, previous]


def training_step(model: nn.Module, call: Callable[[list[Tensor]], Tensor], values: list[Tensor],
                  update: Callable[[], None], half: bool) -> Callable[[], None]:
    """One whole step: noise, forward, mean squared error, backward, clipping, AdamW."""
    clean, levels = values[0].clone(), torch.from_numpy(ALPHA_BAR).to(values[0].device)

    def step() -> None:
        level = levels[values[1]][:, None, None].float()
        noisy = add_noise(clean, torch.randn_like(clean), level)
        with torch.autocast(clean.device.type, torch.bfloat16, enabled=half):
            prediction = call([noisy, *values[1:]])
        functional.mse_loss(prediction.float(), clean).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        update()

    return step


def plain_generation(model: PlainModel, speech: Tensor, steps: int, scale: float) -> Callable[[], None]:
    """DDIM window by window, eq. 8 in three passes, joined by previous frames alone."""
    shape = model.shape
    times = sampling_times(1000, steps)
    levels = [*ALPHA_BAR[times].tolist(), 1.0]
    happy, null = (torch.tensor([label], device=speech.device) for label in (5, shape.num_emotions))

    @torch.inference_mode()
    def generate() -> None:
        previous = torch.zeros(1, shape.previous, shape.motion_dim, device=speech.device)
        identity = torch.zeros(1, shape.expression_dim, device=speech.device)
        for start in range(0, len(speech) - shape.previous - shape.window + 1, shape.window):
            heard = speech[None, start:start + shape.previous + shape.window]
            x = torch.randn(1, shape.window, shape.motion_dim, device=speech.device)
            for index, t in enumerate(times):
                given = (x, torch.full((1,), t, device=speech.device), heard, identity, previous)
                branches = model(*given, null, drop_audio=True), model(*given, null), model(*given, happy)
                x0 = guide(*branches, scale, scale)
                x = ddim_step(x, x0, levels[index], levels[index + 1])
            previous = x[:, -shape.previous:]

    return generate


def best(runs: dict[str, Callable[[], None]], rounds: int, device: torch.device) -> dict[str, float]:
    """Seconds of the fastest of `rounds` calls of each, in turns, after one that does not count."""
    found = dict.fromkeys(runs, float("inf"))
    for round_ in range(rounds + 1):
        for name, run in runs.items():
            _wait(device)
            began = time.perf_counter()
            run()
            _wait(device)
            if round_:
                found[name] = min(found[name], time.perf_counter() - began)
    return found


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def operations(model: MotionTransformer, shape: ModelShape) -> float:
    """Multiplications and additions of one pass over one window, per frame of the window."""
    values = [value.cpu() for value in inputs(shape, 1, torch.device("cpu"))]
    emotion = torch.from_numpy(emotion_weights({"happy": 1.0}, CORE8))[None, None]
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        model.cpu()(*values, torch.ones(1, dtype=torch.bool), emotion=emotion)
    return counter.get_total_flops() / shape.window


def statistics(shape: ModelShape) -> MotionStatistics:
    zero, one = np.zeros(RHO_DIM), np.ones(RHO_DIM)
    expression = Normalizer.of(np.zeros(shape.expression_dim), np.ones(shape.expression_dim), 1e-4)
    return MotionStatistics(expression, zero, one, zero, one, "clip", 1e-4)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="embedded")
    parser.add_argument("--batch", type=int, help="windows of a training step; by default the size's own")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--compile", action="store_true", help="both, for training and for generation")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="of DDIM")
    parser.add_argument("--seconds", type=int, default=20, help="of speech to generate for")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    report(chosen)


def report(chosen: argparse.Namespace) -> None:
    shape, batch = SIZES[chosen.size]
    batch, device = chosen.batch or batch, torch.device(chosen.device)
    torch.manual_seed(0)
    ours, plain = MotionTransformer(shape), PlainModel(shape)
    per_frame = operations(ours, shape)
    ours, plain = ours.to(device), plain.to(device)
    train = train_times(ours, plain, batch, device, chosen)
    generate = generate_times(ours.eval(), plain.eval(), device, chosen)
    frames = 25 * chosen.seconds
    print(f"{chosen.size} size, batch {batch}, {device}, {'bf16' if chosen.bf16 else 'fp32'}"
          f"{', compiled' if chosen.compile else ''}, {chosen.threads} threads")
    sizes = [sum(p.numel() for p in model.parameters()) / 1e6 for model in (ours, plain)]
    print(f"parameters {sizes[0]:.2f} M (plain {sizes[1]:.2f} M), {per_frame / 1e6:.1f} M floating-point operations a "
          "frame and pass")
    rows = (("training", train, "steps/s", 1), ("generation", generate, "frames/s", frames))
    for name, seconds, unit, amount in rows:
        print(f"{name:10} {amount / seconds['ours']:9.2f} {unit}, plain {amount / seconds['plain']:9.2f}, ratio "
              f"{seconds['plain'] / seconds['ours']:.2f}")


def train_times(ours: MotionTransformer, plain: PlainModel, batch: int, device: torch.device,
                chosen: argparse.Namespace) -> dict[str, float]:
    """Seconds of a step of both, stage 1 and the emotion module trained together."""
    values = inputs(ours.shape, batch, device)
    known = torch.ones(batch, dtype=torch.bool, device=device)
    emotion = torch.from_numpy(emotion_weights({"happy": 1.0}, CORE8)).to(device).expand(batch, 1, -1)
    label = torch.full((batch,), 5, device=device)
    models = [torch.compile(model) if chosen.compile else model for model in (ours, plain)]
    adam, theirs = AdamW(list(ours.parameters()), 0.0), torch.optim.AdamW(plain.parameters(), lr=1e-4)

    def update_ours() -> None:
        for parameter in adam.parameters:  # what this loss does not reach: the learned start, the null audio
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        adam.step(1e-4)

    def update_theirs() -> None:
        theirs.step()
        theirs.zero_grad()

    return best({"ours": training_step(ours, lambda v: models[0](*v, known, emotion=emotion), values, update_ours,
                                       chosen.bf16),
                 "plain": training_step(plain, lambda v: models[1](*v, label), values, update_theirs, chosen.bf16)},
                chosen.rounds, device)


def generate_times(ours: MotionTransformer, plain: PlainModel, device: torch.device,
                   chosen: argparse.Namespace) -> dict[str, float]:
    """Seconds for the same speech, each in its own way; ours also keeps the pose free of the emotion."""
    shape, frames = ours.shape, 25 * chosen.seconds
    speech = np.random.default_rng(0).standard_normal((frames, shape.speech_dim)).astype(np.float32)
    maker = MotionGenerator(TorchNetwork(ours), ALPHA_BAR, "x0", statistics(shape), CORE8,
                            SampleSettings("ddim", chosen.steps, 1.5, 1.5, 10.0, 8, 3.0, 1.0, 1.0, 1))
    request = Request(speech, np.zeros((shape.num_keypoints, 3), np.float32), np.zeros(RHO_DIM),
                      emotion_weights({"happy": 1.0}, CORE8))
    padded = np.pad(speech, ((shape.previous, -frames % shape.window), (0, 0)))
    theirs = plain_generation(plain, torch.from_numpy(padded).to(device), chosen.steps, 1.5)
    half = torch.autocast(device.type, torch.bfloat16, enabled=chosen.bf16)
    if chosen.compile:
        ours.trunk, ours.expression = torch.compile(ours.trunk), torch.compile(ours.expression)
        plain.compile()

    def under(run: Callable[[], object]) -> Callable[[], None]:
        def wrapped() -> None:
            with half:
                run()

        return wrapped

    return best({"ours": under(lambda: maker.generate(request)), "plain": under(theirs)}, chosen.rounds, device)


if __name__ == "__main__":
    main()

"""LivePortrait at its published size, every way to run it: `python -m benchmarks.liveportrait [--device cuda] ...`.

Operations of F, M, W and G, milliseconds a picture, and how far each way's output is from plain float32 (root mean
square over the output's own deviation). Weights are seeded, not trained: times are those of the released ones; errors
of G are not, as an untrained G saturates (tests/models/liveportrait/test_golden.py has bf16's for weights that do not).
Rounds of all ways take turns; the best counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from models.liveportrait.networks import Networks, seeded_networks
from models.liveportrait.runtime import Runtime, ready
from models.liveportrait.widths import INPUT_PX, NUM_KEYPOINTS, PUBLISHED, Widths

PARTS = ("F", "M", "W", "G")
WAYS = {"float32": Runtime(), "channels-last": Runtime(channels_last=True), "bf16": Runtime(precision="bf16"),
        "bf16, channels-last": Runtime(precision="bf16", channels_last=True)}
COMPILED = {"float32, compiled": Runtime(compile=True),
            "bf16, channels-last, compiled": Runtime(precision="bf16", channels_last=True, compile=True)}


def calls(networks: Networks, dtype: torch.dtype, batch: int, device: torch.device) -> dict[str, Callable[[], Tensor]]:
    """One call of every network, as the face space makes it; W and G work on what the one before gave."""
    random = torch.Generator().manual_seed(0)
    pictures = torch.rand(batch, 3, INPUT_PX, INPUT_PX, generator=random).to(device)
    source, driving = (torch.rand(2, batch, NUM_KEYPOINTS, 3, generator=random) - 0.5).to(device)
    volume = networks.appearance(pictures.to(dtype)).clone()
    warped = networks.warping(volume, driving, source)["out"].clone()
    return {"F": lambda: networks.appearance(pictures.to(dtype)),
            "M": lambda: networks.head_motion(pictures).keypoints(),
            "W": lambda: networks.warping(volume, driving, source)["out"],
            "G": lambda: networks.generator(warped)}


def prepared(runtime: Runtime, batch: int, device: torch.device,
             widths: Widths = PUBLISHED) -> dict[str, Callable[[], Tensor]]:
    networks = ready(seeded_networks(widths, 0), runtime, device)
    return calls(networks, torch.bfloat16 if runtime.precision == "bf16" else torch.float32, batch, device)


def seconds(call: Callable[[], Tensor], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def error(found: Tensor, wanted: Tensor) -> float:
    """Root mean square of the difference over the deviation of `wanted`."""
    return ((found.float() - wanted).square().mean().sqrt() / wanted.std()).item()


@torch.inference_mode()
def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=1, help="pictures at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="torch.compile as well")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    report(chosen, torch.device(chosen.device))


def report(chosen: argparse.Namespace, device: torch.device) -> None:
    ways = {**WAYS, **(COMPILED if chosen.compile else {})}
    runs = {way: prepared(runtime, chosen.batch, device) for way, runtime in ways.items()}
    wanted = {part: runs["float32"][part]().float() for part in PARTS}
    errors = {way: {part: error(run[part](), wanted[part]) for part in PARTS} for way, run in runs.items()}
    best = {way: dict.fromkeys(PARTS, float("inf")) for way in runs}
    for _ in range(chosen.rounds):
        for way, run in runs.items():
            for part in PARTS:
                best[way][part] = min(best[way][part], seconds(run[part], device))
    print(f"{device}, {chosen.batch} pictures at once, {chosen.threads} threads: ms a picture, (error)")
    counted = [f"{operations(runs['float32'][part]) / chosen.batch:.1f}" for part in PARTS]
    print_row("GFLOP a picture", counted)
    for way in runs:
        print_row(way, [f"{1000 * best[way][part] / chosen.batch:.1f} ({errors[way][part]:.1e})" for part in PARTS])


def print_row(name: str, cells: list[str]) -> None:
    print(f"{name:30}" + " ".join(f"{part} {cell:>20}" for part, cell in zip(PARTS, cells, strict=True)))


def operations(call: Callable[[], Tensor]) -> float:
    """Multiplications and additions, in 1e9."""
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() / 1e9


if __name__ == "__main__":
    main()

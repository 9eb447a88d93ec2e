"""Solvers: quality against steps. `python -m benchmarks.solvers` in a project whose `dvc repro` has run.

The model made there denoises windows of the test corpus from one noise, with an emotion and both guidances. Printed is
the root mean square distance from DDIM with 250 steps, in deviations, and r of expression with the true motion.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from feature_store.reader import FeatureStore, open_store
from models.diffusion.denoise import Conditions, Denoiser
from models.diffusion.sampler import Solver, even_snr_times, sampling_times
from models.generation.generator import MotionGenerator
from models.motion.emotions import emotion_weights
from models.motion.motion import RHO_DIM
from pipeline.components.bundle import load_bundle
from pipeline.core.paths import SHIPPED

STEPS = (3, 5, 8, 10, 15, 25, 50)
REFERENCE_STEPS = 250
WAYS = {"DDIM": ("ddim", sampling_times), "DPM-Solver++": ("dpmpp", even_snr_times),
        "DDIM, even SNR": ("ddim", even_snr_times), "DPM-Solver++, even t": ("dpmpp", sampling_times)}


def windows(store: FeatureStore, maker: MotionGenerator, count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Conditions of `count` windows spread over the stored clips, and their true normalised motion [B, W, D]."""
    shape, rows = maker.network.shape, []
    size = shape.previous + shape.window
    for clip in store.clips():
        found = store.load(clip.clip_id)
        motion = found.motion.astype(np.float64)
        pose = maker.statistics.pose_of(motion[:, -RHO_DIM:].mean(0), motion[:, -RHO_DIM:].std(0))
        normal = maker.statistics.normalize(motion, pose).astype(np.float32)
        speech = found.speech.astype(np.float32)
        rows += [(speech[start:start + size], found.x_c.reshape(-1), normal[start:start + size])
                 for start in range(0, clip.frames - size + 1, size)]
    chosen = [rows[index] for index in np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)]
    speech, identity, motion = (np.stack(part) for part in zip(*chosen, strict=True))
    return {"speech": speech, "identity": maker.near_face(identity, maker.settings.identity_limit),
            "previous": motion[:, :shape.previous]}, motion[:, shape.previous:]


def conditions(values: dict[str, np.ndarray], maker: MotionGenerator, audio_scale: float,
               emotion_scale: float) -> Conditions:
    """All windows with the same emotion."""
    count = len(values["speech"])
    happy = np.tile(emotion_weights({"happy": 1.0}, maker.labels), (count, 1, 1))
    return Conditions(**values, has_previous=np.ones(count, bool), mask=None, emotion=happy,
                      audio_scale=np.append(np.full(maker.network.shape.motion_dim - RHO_DIM, audio_scale, np.float32),
                                            np.full(RHO_DIM, audio_scale * maker.settings.pose_share, np.float32)),
                      emotion_scale=emotion_scale)


def denoised(maker: MotionGenerator, given: Conditions, noise: np.ndarray, solver: Solver,
             times: list[int]) -> np.ndarray:
    """[B, W, D], normalised."""
    denoiser = Denoiser(maker.network, maker.alpha_bar, maker.target, solver, times, maker.settings.limit)
    return denoiser.run(given, noise, None, None)[0]


def correlation(found: np.ndarray, true: np.ndarray) -> float:
    """Mean over windows and moving expression dimensions of r over time."""
    a, b = (x[..., :-RHO_DIM] - x[..., :-RHO_DIM].mean(1, keepdims=True) for x in (found, true))
    scale = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return float(((a * b).sum(1)[scale > 0] / scale[scale > 0]).mean())


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--windows", type=int, default=16)
    parser.add_argument("--audio-scale", type=float, default=1.5)
    parser.add_argument("--emotion-scale", type=float, default=2.5)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    maker = load_bundle(chosen.model).generator("cpu")
    values, true = windows(open_store(["hdtf"]), maker, chosen.windows)
    given = conditions(values, maker, chosen.audio_scale, chosen.emotion_scale)
    noise = np.random.default_rng(0).standard_normal(true.shape, np.float32)
    wanted = denoised(maker, given, noise, "ddim", sampling_times(len(maker.alpha_bar), REFERENCE_STEPS))
    print(f"{len(true)} windows: distance from {REFERENCE_STEPS} DDIM steps (r; its {correlation(wanted, true):.3f})")
    print("steps " + " ".join(f"{name:>20}" for name in WAYS))
    for steps in STEPS:
        cells = []
        for solver, schedule in WAYS.values():
            over = maker.alpha_bar if schedule is even_snr_times else len(maker.alpha_bar)
            found = denoised(maker, given, noise, solver, schedule(over, steps))
            alive = maker.network.motion_mask > 0
            error = np.sqrt(((found - wanted)[..., alive] ** 2).mean())
            cells.append(f"{error:.3f} ({correlation(found, true):.3f})")
        print(f"{steps:5} " + " ".join(f"{cell:>20}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()

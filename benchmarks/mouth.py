"""Does the generated mouth follow the speech of extracted clips? `python -m benchmarks.mouth --model BUNDLE`.

In a project folder whose features are extracted (landmark face space). Nothing is rendered: the mouth opening of
sampled motion is compared with that of the stored true motion, at the best lag of each clip, and at that same lag the
opening generated from another clip's speech. The clip gives its face and its first pose, all else comes from the model.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from evaluation.jobs.training_clips import stored_curves
from evaluation.metrics.curves import face_curves
from evaluation.metrics.lip_sync import fill_gaps
from evaluation.metrics.motion import mouth_correlation
from feature_store.reader import ClipFeatures, open_store
from models.generation.generator import MotionGenerator
from models.generation.request import Request
from models.motion.clock import FPS
from models.motion.motion import RHO_DIM
from pipeline.components.bundle import load_bundle
from pipeline.core.config import load_params


def main() -> None:
    """Print a line a clip and the means."""
    params = load_params()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=Path, help="a bundle folder")
    parser.add_argument("--corpora", nargs="+", default=params.used_for("test"))
    parser.add_argument("--identities", nargs="+", help="these people alone, as in split.test_identities")
    parser.add_argument("--samples", type=int, default=params.evaluate.samples)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each clip, at most")
    parser.add_argument("--audio-scale", type=float, default=params.sample.audio_scale)
    given = parser.parse_args()
    torch.set_num_threads(1)
    store, generator = open_store(given.corpora), load_bundle(given.model).generator()
    clips = [store.load(row.clip_id) for row in store.clips()
             if given.identities is None or row.identity in given.identities]
    if len(clips) < 2:
        raise SystemExit(f"{len(clips)} clip of {', '.join(given.corpora)}: another clip's speech is needed, too")
    rows = [_measured(generator, clip, other, given, params.evaluate.max_lag_frames)
            for clip, other in zip(clips, clips[1:] + clips[:1], strict=True)]
    r, wrong = np.mean(rows, axis=0)
    print(f"{len(rows)} clips: r {r:.3f}, wrong speech {wrong:.3f}")


def _measured(generator: MotionGenerator, clip: ClipFeatures, other: ClipFeatures, given: argparse.Namespace,
              max_lag: int) -> tuple[float, float]:
    true = fill_gaps(stored_curves(clip).mouth)[:round(given.seconds * FPS)]  # [T]
    own, wrong = [], []
    for seed in range(given.samples):
        found = mouth_correlation(true, _generated(generator, clip, clip.speech[:len(true)], seed, given), max_lag)
        own.append(found)
        wrong.append(_at_lag(true, _generated(generator, clip, other.speech[:len(true)], seed, given), found.lag))
    r, by_chance = float(np.mean([one.r for one in own])), float(np.mean(wrong))
    lags = ", ".join(str(one.lag) for one in own)
    print(f"{clip.clip.identity:28} {len(true) / FPS:5.1f} s  r {r:6.3f} at lag {lags}; wrong speech {by_chance:6.3f}")
    return r, by_chance


def _generated(generator: MotionGenerator, clip: ClipFeatures, speech: np.ndarray, seed: int,
               given: argparse.Namespace) -> np.ndarray:
    """Mouth opening [T] of one sample."""
    request = Request(np.asarray(speech, np.float32), clip.x_c, clip.motion[0, -RHO_DIM:], seed=seed)
    motion = generator.generate(request, audio_scale=given.audio_scale)
    return face_curves(clip.x_c + motion[:, :-RHO_DIM].reshape(len(motion), -1, 3)).mouth


def _at_lag(true: np.ndarray, made: np.ndarray, lag: int) -> float:
    """r of a curve that may be shorter than the true one, `lag` frames late."""
    true, made = true[max(-lag, 0):], made[max(lag, 0):]
    count = min(len(true), len(made))
    return mouth_correlation(true[:count], made[:count], 0).r


if __name__ == "__main__":
    main()

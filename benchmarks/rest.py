"""Does the mouth rest where nobody speaks? `python -m benchmarks.rest FACE.png VOICE.wav`.

Mouth opening of generated motion, nothing rendered, with the listener of `playmate animate` and without it
(`--any-sound`): of each sound alone, and of its middle where the talk goes on before and after it. At rest is what
opens no further than the 5 % quantile of the talk and moves by no more than a tenth of its deviation. Then the same
talk at other levels, and how much the mouth moves from frame to frame where encoded minutes meet.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from evaluation.metrics.curves import face_curves
from models.motion.clock import FPS, SAMPLE_RATE_HZ
from models.motion.motion import RHO_DIM
from pipeline.animate.animator import Animator, Portrait, frame_count
from pipeline.animate.direction import Direction
from pipeline.animate.features import PIECE_FRAMES, whole_features
from pipeline.animate.load import load_animator
from pipeline.animate.speech import read_speech

SOUND_S, EDGE_S = 8.0, 2.5   # of each sound; left out at its ends, where the mouth may shut and open
GAINS = (0.01, 0.1, 10.0)
OFFSET = 0.2


def main() -> None:
    """Print a row a sound, a row a level, and the joints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portrait", type=Path)
    parser.add_argument("speech", type=Path)
    parser.add_argument("--model", help="as in `playmate animate`")
    parser.add_argument("--seconds", type=float, default=9.0, help="of the talk")
    parser.add_argument("--pause-s", type=float, default=150.0, help="of the long silence")
    given = parser.parse_args()
    torch.set_num_threads(1)
    animator, which = load_animator(given.model)
    portrait = animator.portrait(given.portrait)
    talk = read_speech(given.speech).waveform[:round(given.seconds * SAMPLE_RATE_HZ)]
    said = mouth(animator, portrait, talk, rest=True)
    print(f"model {which}; talk: 5 % quantile {np.quantile(said, 0.05):.4f}, deviation {said.std():.4f}\n"
          "| sound | where | listener | mean opening | deviation, of the talk's | at rest |\n|---|---|---|---|---|---|")
    for name, sound in sounds(np.sqrt(np.mean(talk ** 2)), given.pause_s):
        for where, waveform, start in (("alone", sound, 0), ("within", np.concatenate([talk, sound, talk]), len(talk))):
            for rest in (True, False):
                first, last = (int((start + at) / SAMPLE_RATE_HZ * FPS) for at in (0, len(sound)))
                edge = int(EDGE_S * FPS)
                found = mouth(animator, portrait, waveform, rest)[first + edge:last - edge]
                still = found.mean() <= np.quantile(said, 0.05) and found.std() <= said.std() / 10
                print(f"| {name} | {where} | {'yes' if rest else 'no'} | {found.mean():.4f} | "
                      f"{found.std() / said.std():.2f} | {'yes' if still else 'no'} |", flush=True)
    for name, waveform in [*((f"gain {gain:g}", talk * gain) for gain in GAINS), (f"offset {OFFSET}", talk + OFFSET)]:
        change = np.abs(mouth(animator, portrait, waveform, rest=True) - said).mean() / said.std()
        print(f"{name}: mouth differs by {change:.4f} of its deviation")
    _print_joints(animator, portrait, talk)


def sounds(level: float, pause_s: float) -> Iterator[tuple[str, np.ndarray]]:
    """Names and waveforms of what is not speech, beside a talk whose RMS is `level`."""
    rng, time_s = np.random.default_rng(0), np.arange(round(SOUND_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    yield "digital silence", np.zeros(len(time_s), np.float32)
    for db in (-60, -45):
        yield f"noise at {db} dB", (10 ** (db / 20) * rng.standard_normal(len(time_s))).astype(np.float32)
    yield "hum of 50 Hz", (0.1 * level * np.sin(2 * np.pi * 50 * time_s)).astype(np.float32)
    yield "plucked chords", _chords(time_s, level)
    yield f"{pause_s:g} s of silence", np.zeros(round(pause_s * SAMPLE_RATE_HZ), np.float32)


def _chords(time_s: np.ndarray, level: float) -> np.ndarray:
    """A chord every second: three tones with overtones, each dying away."""
    wave = np.zeros(len(time_s))
    for start_s, root_hz in zip(np.arange(0, SOUND_S, 1.0), np.tile([220.0, 174.6, 196.0, 164.8], 2), strict=True):
        since_s = time_s - start_s
        struck = np.where(since_s >= 0, np.exp(-3 * np.maximum(since_s, 0)), 0)
        for tone in (1.0, 1.25, 1.5):
            for overtone in (1, 2, 3):
                wave += struck * np.sin(2 * np.pi * root_hz * tone * overtone * since_s) / overtone
    return (wave * level / np.sqrt(np.mean(wave ** 2))).astype(np.float32)


def mouth(animator: Animator, portrait: Portrait, waveform: np.ndarray, rest: bool) -> np.ndarray:
    """Opening of the lips [T], of the distance of the eye corners, of what `playmate animate` would render."""
    asked = Direction(rest=rest)
    frames = frame_count(waveform)
    features, awake = whole_features(animator.encoder, waveform, frames), animator.awake(asked)
    heard = features if awake is None else awake.along(features, waveform)
    motions = animator.motions(portrait, heard, None, "generated", asked, frames=frames)
    motion = np.concatenate(list(animator.rest_mouth(portrait, motions, awake)))
    return face_curves(portrait.source.x_c + motion[:, :-RHO_DIM].reshape(len(motion), -1, 3)).mouth


def _print_joints(animator: Animator, portrait: Portrait, talk: np.ndarray) -> None:
    """Two minutes and more of the talk over and over: change between frames where pieces meet, against all others."""
    waveform = np.tile(talk, int(np.ceil(2.2 * PIECE_FRAMES / FPS * SAMPLE_RATE_HZ / len(talk))))
    change = np.abs(np.diff(mouth(animator, portrait, waveform, rest=True)))
    joints = [PIECE_FRAMES * number for number in (1, 2)]
    print("change between frames where minutes meet: "
          + ", ".join(f"{change[joint - 2:joint + 2].max():.4f}" for joint in joints)
          + f"; 99th percentile of all {np.quantile(change, 0.99):.4f}")


if __name__ == "__main__":
    main()

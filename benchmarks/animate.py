"""Speed of `playmate animate` per part and whole, and sampling steps against quality: `python -m benchmarks.animate`.

    python -m benchmarks.animate                       # speed, with a synthetic voice and a portrait from scikit-image
    python -m benchmarks.animate --live                        # the same speech as a stream, for several windows
    python -m benchmarks.animate --curve data/features/hdtf    # steps against held-out motion, of a finished run

Parts run one after the other on one thread; processor seconds count, because a shared machine stretches the wall's.
Real time is 25 frames a second. Quality is r of sampled and true motion, each clip's mean taken out, as in training's
validation: `expression` over all moving dimensions in units of their deviation, `lips` of the opening of the lips.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from models.face.points import positions
from models.generation.generator import MotionGenerator
from models.generation.request import Request
from models.motion.clock import FPS, SAMPLE_RATE_HZ
from models.motion.motion import RHO_DIM
from pipeline.animate.animator import CRF, Animator, Portrait, frame_count
from pipeline.animate.emotion import as_weights
from pipeline.animate.features import whole_features
from pipeline.animate.load import load_animator
from pipeline.animate.provenance import generation_facts, metadata_tags, signing
from pipeline.animate.speech import read_speech
from pipeline.animate.stream import AnimatorStream
from pipeline.media.film import write_video

STEPS = (2, 3, 5, 10, 25, 50)
WINDOWS = (50, 25, 10)  # frames of a stream that are generated at once
CHUNK = 640             # samples that a microphone gives at a time: 40 ms
LIPS = positions((13, 14))  # middles of the inner lips


class Clock:
    """Processor and wall seconds since it was made."""

    def __init__(self):
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def __str__(self) -> str:
        return f"{self.cpu_s:7.2f} s CPU {time.perf_counter() - self._wall:7.2f} s wall"

    @property
    def cpu_s(self) -> float:
        return time.process_time() - self._cpu


def main() -> None:
    """Print the tables that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="as in `playmate animate`")
    parser.add_argument("--portrait", help="an image; default: scikit-image's astronaut")
    parser.add_argument("--speech", help="a sound file; default: a synthetic voice")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--emotion", help="as in `playmate animate`; costs a second pass of the network")
    parser.add_argument("--live", action="store_true", help="as a stream: delay of the first frame, real-time factor")
    parser.add_argument("--curve", type=Path, help="features of held-out clips: data/features/<corpus>")
    parser.add_argument("--clips", type=int, default=8)
    given = parser.parse_args()
    torch.set_num_threads(1)
    clock = Clock()
    animator, which = load_animator(given.model)
    print(f"model {which}\nloading {clock}")
    if given.curve is not None:
        return curve(animator.head.generator, given.curve, given.clips, given.emotion)
    waveform = (synthetic_speech() if given.speech is None else read_speech(given.speech).waveform)
    waveform = np.resize(waveform, int(given.seconds * SAMPLE_RATE_HZ))
    if given.live:
        return live(animator, given.portrait, waveform, given.emotion)
    return speed(animator, given.portrait, waveform, given.emotion)


def speed(animator: Animator, picture: str | None, waveform: np.ndarray, emotion: str | None) -> None:
    """Every part alone, then all of them as the command runs them."""
    clock = Clock()
    source = portrait_of(animator, picture)
    print(f"portrait (once) {clock}")
    frames = frame_count(waveform)
    weights = as_weights(emotion, animator.labels, frames, FPS)
    features = _timed("speech", frames,
                      lambda: np.concatenate(list(whole_features(animator.encoder, waveform, frames))))
    vectors = _timed("sampling", frames, lambda: np.concatenate(list(
        animator.motions(source, iter([features]), weights, "generated"))))
    pictures = _timed("rendering", frames, lambda: list(animator.render(source, iter([vectors]))))
    with tempfile.TemporaryDirectory() as folder:
        out, facts = Path(folder) / "a.mp4", generation_facts(animator.version)
        _timed("encoding", frames, lambda: write_video(out, pictures, FPS, waveform, SAMPLE_RATE_HZ, CRF,
                                                       metadata_tags(facts)))
        _timed("signing", frames, lambda: signing(facts, True)(out))
        _timed("whole", frames, lambda: animator.animate_to_file(source, waveform, out, emotion=emotion))
        _timed("whole, pasted back", frames, lambda: animator.animate_to_file(source, waveform, out, emotion=emotion,
                                                                              paste_back=True))


def portrait_of(animator: Animator, picture: str | None) -> Portrait:
    """The portrait of a file, or of scikit-image's astronaut."""
    if picture is None:
        from skimage.data import astronaut

        return animator.portrait(astronaut())
    return animator.portrait(picture)


def live(animator: Animator, picture: str | None, waveform: np.ndarray, emotion: str | None) -> None:
    """Speech in chunks of 40 ms: what the first frame waits for, what the costliest chunk and all of them cost."""
    source = portrait_of(animator, picture)
    print("window  speech before the first frame  its CPU s  costliest chunk, CPU s  CPU s per second of speech")
    for window in WINDOWS:
        with AnimatorStream(animator, source, emotion, window=window) as stream:
            costs, first = [], None
            for start in range(0, len(waveform), CHUNK):
                clock = Clock()
                frames = stream.push(waveform[start:start + CHUNK])
                costs.append(clock.cpu_s)
                if frames and first is None:
                    first = costs[-1]
            delay_s = stream.first_delay_s
        print(f"{window:6}  {delay_s:27.2f} s  {first:9.2f}  {max(costs):22.2f}  "
              f"{sum(costs) * SAMPLE_RATE_HZ / len(waveform):27.2f}", flush=True)


def _timed(name: str, frames: int, work):
    clock = Clock()
    made = work()
    print(f"{name:20} {clock} {frames / max(clock.cpu_s, 1e-9):8.0f} frames per CPU second", flush=True)
    return made


def synthetic_speech() -> np.ndarray:
    """Sentences of the embedded corpora by a synthetic voice, [N] at 16 kHz."""
    from stages.corpora.sentences import held_out_sentence
    from stages.corpora.speech import Voice, speak

    said = speak(" ".join(held_out_sentence(i) for i in range(8)), Voice("en-us", 160, 50, 50), seed=1)
    at = np.arange(0, len(said.waveform), said.rate_hz / SAMPLE_RATE_HZ)
    return np.interp(at, np.arange(len(said.waveform)), said.waveform).astype(np.float32)


def curve(generator: MotionGenerator, folder: Path, clips: int, emotion: str | None) -> None:
    """Sampling steps against r, jitter and processor time over held-out clips."""
    from feature_store.reader import FeatureStore

    store = FeatureStore([folder])
    chosen = [store.load(row.clip_id) for row in store.clips()[:clips]]
    frames = sum(len(clip.motion) for clip in chosen)
    print(f"{len(chosen)} clips, {frames} frames of {folder}, seeds 0 and 1, emotion {emotion}")
    print("steps  expression r  lips r  jitter (true: 1)  frames per CPU second")
    for steps in STEPS:
        clock = Clock()
        made = [(clip, _sampled(generator, clip, steps, seed, emotion)) for clip in chosen for seed in (0, 1)]
        rate = 2 * frames / clock.cpu_s
        moved = generator.statistics.expression.normalize
        expression = _r([(moved(motion[:, :-RHO_DIM]), moved(clip.motion[:, :-RHO_DIM])) for clip, motion in made])
        lips = _r([(opening(motion), opening(clip.motion)) for clip, motion in made])
        jitter = np.mean([_jitter(motion) / _jitter(clip.motion) for clip, motion in made])
        print(f"{steps:5}  {expression:12.3f}  {lips:6.3f}  {jitter:16.2f}  {rate:20.0f}", flush=True)


def _sampled(generator: MotionGenerator, clip, steps: int, seed: int, emotion: str | None) -> np.ndarray:
    weights = as_weights(emotion, generator.labels, len(clip.motion), FPS)
    return generator.generate(Request(clip.speech.astype(np.float32), clip.x_c, clip.motion[:, -RHO_DIM:].mean(axis=0),
                                      weights, seed=seed), steps=steps)


def opening(motion: np.ndarray) -> np.ndarray:
    """Distance of the inner lips' middles [T, 1] in the head's frame."""
    delta = motion[:, :-RHO_DIM].reshape(len(motion), -1, 3)
    return (delta[:, LIPS[1], 1] - delta[:, LIPS[0], 1])[:, None]


def _r(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    centred = [[x - x.mean(axis=0) for x in pair] for pair in pairs]
    ours, true = (np.concatenate([pair[i].ravel() for pair in centred]) for i in (0, 1))
    return float(ours @ true / np.sqrt((ours @ ours) * (true @ true)))


def _jitter(motion: np.ndarray) -> float:
    return float(np.abs(np.diff(opening(motion), n=2, axis=0)).mean())


if __name__ == "__main__":
    main()

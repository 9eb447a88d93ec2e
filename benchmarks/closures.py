"""Do lips close where the sound says so? `python -m benchmarks.closures`.

The held-out person of the embedded corpora says held-out sentences, whose phonemes have known times. Three mouths are
measured, all alike: the true film, rendered and followed by landmarks, which bounds what can be found; the motion that
the model generates for the same sound; and its rendered frames. A bilabial (p b m) counts as closed where the lips come
together within its span, one frame of tolerance on either side: the gap of the inner lips falls below `CLOSED` of the
film's 95th percentile. Wide vowels, counted alike, say how often that happens by chance; they are short, so their spans
reach into their neighbours, and the middle frame of each phoneme tells more.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from scipy.signal import resample_poly

from benchmarks.animate import opening
from models.landmark.space import LandmarkFaceSpace
from models.motion.clock import FPS, SAMPLE_RATE_HZ
from pipeline.animate.animator import Animator, frame_count
from pipeline.animate.direction import Direction
from pipeline.animate.emotion import as_weights
from pipeline.animate.features import whole_features
from pipeline.animate.load import load_animator
from pipeline.weights.table import weight_path
from stages.corpora.identities import make_identities
from stages.corpora.performance import perform, soundtrack, speak_plan
from stages.corpora.plan import ClipPlan, make_plans
from stages.corpora.portrait import prepare_sitter
from stages.corpora.speech import Phoneme

CLOSED, TOLERANCE_FRAMES = 0.15, 1
BILABIAL, WIDE = "pbm", "ɑaæʌɔ"
SEED, RENDER_PX = 20250507, 320  # of the demo's corpora


def main() -> None:
    """Print the shares over all sentences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="as in `playmate animate`")
    parser.add_argument("--sentences", type=int, default=6)
    parser.add_argument("--emotion")
    given = parser.parse_args()
    torch.set_num_threads(1)
    animator, which = load_animator(given.model)
    print(f"model {which}")
    plans = [plan for plan in make_plans(make_identities(10, SEED), 9 * given.sentences, 0, RENDER_PX, SEED,
                                     "kokoro")
             if plan.corpus == "hdtf" and plan.sound != "none"]
    found: dict[tuple[str, str], list[bool]] = {}
    for plan in plans[:given.sentences]:
        for key, hits in _film(animator, plan, given.emotion).items():
            found.setdefault(key, []).extend(hits)
    for (where, sound), hits in sorted(found.items()):
        print(f"{where:16} {sound:19} closed in {sum(hits):3} of {len(hits):3}: {np.mean(hits):.0%}")


def closed_spans(gap: np.ndarray, phonemes: tuple[Phoneme, ...], sounds: str, middle: bool = False) -> list[bool]:
    """For every phoneme of `sounds`, whether the gap [T] at 25 fps comes below `CLOSED` of its 95th percentile, within
    its span or in its `middle` frame."""
    limit = CLOSED * np.percentile(gap, 95)
    hits = []
    for phoneme in phonemes:
        if any(sound in phoneme.ipa for sound in sounds):
            first = max(0, int(phoneme.start_s * FPS) - TOLERANCE_FRAMES)
            last = min(len(gap), int(np.ceil(phoneme.end_s * FPS)) + 1 + TOLERANCE_FRAMES)
            if middle:
                first = min(int((phoneme.start_s + phoneme.end_s) / 2 * FPS), len(gap) - 1)
                last = first + 1
            hits.append(bool(gap[first:last].min(initial=np.inf) < limit))
    return hits


def _film(animator: Animator, plan: ClipPlan, emotion: str | None) -> dict[tuple[str, str], list[bool]]:
    space = LandmarkFaceSpace(weight_path("face_landmarker"))
    speech, sitter = speak_plan(plan), prepare_sitter(plan.identity, space)
    waveform = resample_poly(soundtrack(plan, speech), SAMPLE_RATE_HZ // 100, plan.audio_hz // 100).astype(np.float32)
    frames = frame_count(waveform)
    take = perform(plan, speech, sitter, np.arange(frames) / FPS)
    true = space.render(sitter.appearance, sitter.x_source, take.keypoints.astype(np.float32))
    source = animator.portrait(sitter.picture)
    motion = np.concatenate(list(animator.motions(
        source, whole_features(animator.encoder, waveform, frames), as_weights(emotion, animator.labels, frames, FPS),
        "generated", Direction(seed=plan.number))))
    pictures = np.stack(list(animator.render(source, iter([motion]))))
    gaps = {"true film": opening(space.extract(true).vector()), "generated motion": opening(motion),
            "generated frames": opening(animator.head.space.extract(pictures).vector())}
    return {(where, f"{name}, {part}"): closed_spans(gap[:, 0], speech.phonemes, sounds, part == "middle")
            for where, gap in gaps.items() for part in ("span", "middle")
            for name, sounds in (("p b m", BILABIAL), ("wide vowels", WIDE))}


if __name__ == "__main__":
    main()

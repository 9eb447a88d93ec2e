"""Do emotions show on faces that no training saw? `python -m benchmarks.emotions FOLDER_OF_PORTRAITS VOICE.wav`.

Every portrait says the same in every emotion. "By shift": the classifier's label that gains most against the neutral
film of the same portrait, of those that the classifier knows. "Displacement": the label whose mean displacement from
neutral in the labelled clips of the project (run it where features are extracted) is nearest to the film's, by cosine.
With `--strengths`, how far the film is along its label's displacement at each strength.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from evaluation.metrics import measure
from evaluation.metrics.emotion import NEUTRAL, label_shifts, scores
from evaluation.metrics.judges import load_judges
from feature_store.reader import open_store
from models.motion.clock import FPS, SAMPLE_RATE_HZ
from models.motion.motion import RHO_DIM
from pipeline.animate.animator import Animator, Portrait, frame_count
from pipeline.animate.direction import Direction
from pipeline.animate.emotion import as_weights
from pipeline.animate.features import whole_features
from pipeline.animate.load import load_animator
from pipeline.animate.speech import read_speech
from pipeline.core.config import load_params

PICTURES = (".jpg", ".jpeg", ".png")
JUDGE, STRIDE = "emo_facex", 5


def main() -> None:
    """Print a row a label."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portraits", type=Path)
    parser.add_argument("speech", type=Path)
    parser.add_argument("--model", help="as in `playmate animate`")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--strengths", nargs="+", type=float, default=[0.3, 0.6, 1.0])
    given = parser.parse_args()
    torch.set_num_threads(1)
    animator, which = load_animator(given.model)
    judges, true = load_judges(FPS, [JUDGE]), true_displacements()
    waveform = read_speech(given.speech).waveform[:round(given.seconds * SAMPLE_RATE_HZ)]
    portraits = [animator.portrait(path) for path in sorted(given.portraits.iterdir()) if path.suffix in PICTURES]
    labels = [label for label in animator.labels if label != NEUTRAL]
    by_shift: dict[str, list[str]] = {label: [] for label in labels}
    nearest: dict[str, list[str]] = {label: [] for label in labels}
    along: dict[str, list[list[float]]] = {label: [] for label in labels}
    for portrait in portraits:
        rest = generate(animator, portrait, waveform, NEUTRAL, 1.0)
        before = _logs(animator, portrait, rest, judges)
        for label in labels:
            made = [generate(animator, portrait, waveform, label, strength) for strength in given.strengths]
            moved = [(motion - rest)[:, :-RHO_DIM].mean(0) for motion in made]
            nearest[label].append(max(true, key=lambda name: _cosine(moved[-1], true[name])))
            if label in true:
                along[label].append([float(one @ true[label] / (true[label] @ true[label])) for one in moved])
            if label in judges.expression_labels:
                shifts = label_shifts(_logs(animator, portrait, made[-1], judges), before)
                by_shift[label].append(max(shifts, key=lambda name: shifts[name]))
        print(f"{len(by_shift[labels[0]])} of {len(portraits)} portraits", flush=True)
    print(f"model {which}; strengths {given.strengths}\n| label | by shift | nearest displacement | along it |\n"
          "|---|---|---|---|")
    for label in labels:
        seen, near, far = by_shift[label], nearest[label], np.mean(along[label], axis=0) if along[label] else ()
        print(f"| {label} | {f'{seen.count(label)} of {len(seen)}' if seen else 'unknown to it'}: {', '.join(seen)} | "
              f"{near.count(label)} of {len(near)}: {', '.join(near)} | {', '.join(f'{one:.2f}' for one in far)} |")


def generate(animator: Animator, portrait: Portrait, waveform: np.ndarray, label: str, strength: float) -> np.ndarray:
    """Motion [T, 3K + 7] of one portrait with one emotion."""
    frames = frame_count(waveform)
    weights = as_weights({label: strength}, animator.labels, frames, FPS)
    features = whole_features(animator.encoder, waveform, frames)
    return np.concatenate(list(animator.motions(portrait, features, weights, "generated", Direction(), frames=frames)))


def true_displacements() -> dict[str, np.ndarray]:
    """Mean delta [3K] of each label's clips less that of the neutral ones, in this project's features."""
    store = open_store(load_params().used_for("emotion"))
    means: dict[str, list[np.ndarray]] = {}
    for row in store.clips():
        if row.emotion:
            means.setdefault(row.emotion, []).append(store.load(row.clip_id).motion[:, :-RHO_DIM].mean(0))
    return {label: np.mean(clips, 0) - np.mean(means[NEUTRAL], 0)
            for label, clips in sorted(means.items()) if label != NEUTRAL}


def _logs(animator: Animator, portrait: Portrait, motion: np.ndarray, judges) -> dict[str, float]:
    frames = np.stack(list(animator.render(portrait, iter([motion[::STRIDE]]))))
    seen = measure.look_at(frames, judges)
    return scores(measure.expression_probabilities(seen, judges, 1), judges.expression_labels)[1]


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


if __name__ == "__main__":
    main()

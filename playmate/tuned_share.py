"""How far to go from the shipped model to what was trained on a little data: told by clips that no training saw.

The base itself, its own mean expression too, is one of the candidates. It is kept unless the trained weights, or the
mean of both, follow speech better where they were not trained, in the very measure that the verdict uses, by more than
chance makes of so few parts. A validation loss, and r of all expression, have been seen to rank steps wrongly
(docs/LOG.md#real-clips).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from evaluation.jobs.mouth import follow, means
from feature_store.reader import ClipFeatures
from pipeline.components.bundle import Bundle
from training.motion.fit import MASK, between

SHARES = (0.0, 0.5, 1.0)
SEEDS = 3
MAX_CLIPS, MAX_FRAMES = 6, 250   # of a part, and of a clip, that are listened to: sampling them must not last
FEWEST = 3         # parts: two give an error of one degree of freedom, which says nothing
CHANCE = 0.1       # at most, that a candidate no better than the base is believed


@dataclass(frozen=True)
class Choice:
    """A share of SHARES and r of the mouth opening [share][part] where it was not trained on."""

    share: float
    r: tuple[tuple[float, ...], ...]

    def __str__(self) -> str:
        parts = len(self.r[0])
        kept = {0.0: "the base model stays as it is", 1.0: "the trained weights are taken"}
        said = kept.get(self.share, f"weights {self.share:.0%} of the way are taken")
        if parts < FEWEST:
            return f"left out of a training: {parts} parts, {FEWEST} are wanted to tell which is better; {said}"
        figures = ", ".join(f"{np.mean(r):.3f} at {share:.0%}" for share, r in zip(SHARES, self.r, strict=True))
        return f"r on {parts} parts that no training saw: {figures} of the training; {said}"


def choose_share(r: np.ndarray) -> Choice:
    """By r [shares, parts]."""
    share = SHARES[best(r)] if r.shape[1] else 0.0
    return Choice(share, tuple(tuple(row) for row in r.tolist()))


def listen(base: Bundle, tuned: Bundle, parts: Sequence[Sequence[ClipFeatures]], max_lag_frames: int) -> np.ndarray:
    """r of the mouth opening [shares, parts], mean over seeds and over frames of a part's clips, of both and of what
    lies between, which has the statistics of the tuned one."""
    end = {name: value.clone() for name, value in tuned.model.state_dict().items()}
    start = base.model.state_dict() | {MASK: end[MASK]}
    r = []
    for share in SHARES:
        tuned.model.load_state_dict(between(start, end, share))
        generator = (tuned if share else base).generator()
        r.append([means(list(follow(generator, part[:MAX_CLIPS], SEEDS, max_lag_frames, MAX_FRAMES)))[0]
                  for part in parts])
    tuned.model.load_state_dict(end)
    return np.array(r)


def best(r: np.ndarray) -> int:
    """Of candidates with r [candidates, parts] the one of highest mean whose gain over the first, part by part, is
    above what Student's t allows chance with so few parts; else the first.

    Seeds and frames of one part are no independent evidence: the parts are.
    """
    gains = r - r[0]
    parts = gains.shape[1]
    if parts < FEWEST:
        return 0
    error = gains.std(axis=1, ddof=1) / np.sqrt(parts)
    worth = np.where(gains.mean(axis=1) > t.ppf(1 - CHANCE, parts - 1) * error, gains.mean(axis=1), 0.0)
    return int(worth.argmax())

"""How far to go from the shipped model to what was trained on a little data: told by validation clips.

The base itself, its own mean expression too, is one of the candidates. It is kept unless the trained weights, or the
mean of both, follow speech better on clips that no step saw, in the very measure that the verdict uses, by more than
the standard error of the difference. A validation loss, and r of all expression, have been seen to rank steps wrongly
(docs/LOG.md#real-clips).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.jobs.mouth import follow
from feature_store.reader import ClipFeatures
from pipeline.components.bundle import Bundle
from training.motion.fit import MASK, between

SHARES = (0.0, 0.5, 1.0)
SEEDS = 3
MAX_CLIPS, MAX_FRAMES = 6, 250   # of validation clips that are listened to: sampling them must not last


@dataclass(frozen=True)
class Choice:
    """A share of SHARES and r of the mouth opening on validation clips of each; no `r` where there is no such clip."""

    share: float
    r: tuple[float, ...] = ()

    def __str__(self) -> str:
        if not self.r:
            return "no clip validates: the trained weights are taken as they are"
        kept = {0.0: "the base model stays as it is", 1.0: "the trained weights are taken"}
        said = kept.get(self.share, f"weights {self.share:.0%} of the way are taken")
        figures = ", ".join(f"{r:.3f}" for r in self.r)
        return (f"validation clips: r {figures} at {', '.join(f'{share:.0%}' for share in SHARES)} of the training; "
                f"{said}")


def choose_share(base: Bundle, tuned: Bundle, clips: Sequence[ClipFeatures], max_lag_frames: int) -> Choice:
    """Listen to both and to what lies between, which has the statistics of the tuned one."""
    if not clips:
        return Choice(1.0)
    end = {name: value.clone() for name, value in tuned.model.state_dict().items()}
    start = base.model.state_dict() | {MASK: end[MASK]}
    r = []
    for share in SHARES:
        tuned.model.load_state_dict(between(start, end, share))
        bundle = tuned if share else base
        rows = follow(bundle.generator(), clips[:MAX_CLIPS], SEEDS, max_lag_frames, MAX_FRAMES)
        r.append([row.r_of_seeds for row in rows])
    tuned.model.load_state_dict(end)
    values = np.array(r)   # [shares, clips, seeds]
    return Choice(SHARES[best(values)], tuple(values.mean(axis=(1, 2)).tolist()))


def best(r: np.ndarray) -> int:
    """Of candidates with r [candidates, clips, seeds] the one of highest mean whose gain over the first, pair by pair,
    is above its standard error; else the first."""
    gains = (r - r[0]).reshape(len(r), -1)   # [candidates, pairs]
    error = gains.std(axis=1, ddof=1) / np.sqrt(gains.shape[1])
    worth = np.where(gains.mean(axis=1) > error, gains.mean(axis=1), 0.0)
    return int(worth.argmax())

"""Which clip a sample of a run takes, and which worker computes it: a pure function of (seed, step, index).

Sample n = step * batch + index of the whole run takes the next clip of its epoch's permutation, so every clip comes
once an epoch. Worker r of R computes the indices floor(r * batch / R) to floor((r + 1) * batch / R), so any number of
workers up to the batch's size sees the same batches in the same order.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def clip_order(seed: int, step: int, batch: int, clips: int) -> np.ndarray:
    """Clip indices [batch] of one step; consecutive steps walk through one permutation an epoch."""
    samples = np.arange(step * batch, (step + 1) * batch)
    return np.array([_permutation(seed, int(n // clips), clips)[n % clips] for n in samples])


def share_of(batch: int, rank: int, world_size: int) -> range:
    """The indices in a global batch that worker `rank` of `world_size` computes."""
    return range(rank * batch // world_size, (rank + 1) * batch // world_size)


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, clips: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch, clips]).permutation(clips)

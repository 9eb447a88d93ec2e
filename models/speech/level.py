"""One loudness for all speech before the networks hear it: a quiet recording moves the mouth as a loud one does.

The level is gated as in ITU-R BS.1770-4, without its filters: the mean power of 40 ms blocks, and again of those within
10 dB of that mean, so that silences do not count. What never changes its level is no speech (hiss, hum) and stays as it
is. Blocks are counted in a histogram, so that hours, or a stream without an end, take no memory.
"""

from __future__ import annotations

import numpy as np

BLOCK = 640                   # samples: 40 ms
TARGET_RMS = 0.1              # of the gated level
MAX_GAIN = 300.0              # 50 dB: beyond it, a recording is noise of its converter
SILENCE_DB = -90.0            # blocks below it are digital silence
RELATIVE_GATE_DB = -10.0
STEADY_DB = 6.0               # between the level and the 10th percentile of all blocks: less is no speech
OFFSET_POLE = 0.992           # of a high-pass at 20 Hz: no voice has sound there
_STEP_DB = 0.1
_BINS = 10 * 110              # from SILENCE_DB to +20 dB


class LevelMeter:
    """Hears samples [n] piece by piece, and says by which factor they come to `TARGET_RMS`."""

    def __init__(self) -> None:
        self._counts, self._silent, self._rest = np.zeros(_BINS, np.int64), 0, np.zeros(0, np.float32)

    def hear(self, samples: np.ndarray) -> None:
        """Count the blocks of `samples`; what fills no block waits for the next call."""
        held = np.concatenate([self._rest, samples])
        whole = len(held) // BLOCK * BLOCK
        self._rest = held[whole:]
        power = held[:whole].reshape(-1, BLOCK).astype(np.float64).var(1)  # a constant offset is no sound
        level_db = 10 * np.log10(np.maximum(power, 1e-20))
        heard_db = level_db[level_db >= SILENCE_DB]
        self._silent += len(level_db) - len(heard_db)
        bins = np.floor((heard_db - SILENCE_DB) / _STEP_DB).astype(int)
        self._counts += np.bincount(np.minimum(bins, _BINS - 1), minlength=_BINS)

    def gain(self) -> float:
        """1 where nothing was heard yet, or nothing but steady noise."""
        if not self._counts.any():
            return 1.0
        levels_db = SILENCE_DB + _STEP_DB * (np.arange(_BINS) + 0.5)
        power = 10 ** (levels_db / 10)
        gate_db = _mean_db(self._counts, power) + RELATIVE_GATE_DB
        level_db = _mean_db(np.where(levels_db >= gate_db, self._counts, 0), power)
        blocks = self._silent + np.cumsum(self._counts)
        quiet_db = levels_db[np.searchsorted(blocks, 0.1 * blocks[-1])]
        if level_db - quiet_db < STEADY_DB:
            return 1.0
        return float(min(TARGET_RMS / 10 ** (level_db / 20), MAX_GAIN))


def _mean_db(counts: np.ndarray, power: np.ndarray) -> float:
    return float(10 * np.log10((counts * power).sum() / counts.sum()))


def bring_to_level(waveform: np.ndarray) -> np.ndarray:
    """A whole waveform [N] at the level that networks are given."""
    meter = LevelMeter()
    meter.hear(waveform)
    return np.asarray(waveform * np.float32(meter.gain()), np.float32)


def without_offset(waveform: np.ndarray) -> np.ndarray:
    """[N] without a constant offset or slow drift, as if the first sample had stood there for ever."""
    x = waveform.astype(np.float64)
    steps = np.pad(np.diff(x, prepend=x[:1]), (0, -len(x) % BLOCK)).reshape(-1, BLOCK) * (1 + OFFSET_POLE) / 2
    powers = OFFSET_POLE ** np.arange(BLOCK + 1)
    ages = np.arange(BLOCK)[:, None] - np.arange(BLOCK)
    alone = steps @ np.where(ages >= 0, powers[np.maximum(ages, 0)], 0.0).T   # y[n] = pole y[n - 1] + step, from rest
    before = np.zeros(len(alone))   # y at the end of the block before
    for block in range(1, len(alone)):
        before[block] = alone[block - 1, -1] + powers[BLOCK] * before[block - 1]
    return (alone + before[:, None] * powers[1:]).reshape(-1)[:len(x)].astype(np.float32)

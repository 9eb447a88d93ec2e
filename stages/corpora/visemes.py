"""From timed phonemes to mouth controls: a target per phoneme, coarticulation, closures that close.

Targets are held for a phoneme's span, a little before it sounds, and smoothed by a Gaussian of about one frame
(neighbours colour each other). Closures stay where they are heard.
Bilabials (p, b, m) and labiodentals (f, v) reach their place whatever their neighbours want: they have a plateau
of at least one frame at 24 fps. Coarticulation after Cohen and Massaro (1993), simplified.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stages.corpora.speech import Phoneme, Speech

GRID_HZ = 200
COARTICULATION_S = 0.045  # sigma
LOUDNESS_S = 0.08
MIN_PLATEAU_S = 0.044  # longer than a frame at 24 fps: every closure is seen closed at least once
ANTICIPATION_S = 0.07  # the mouth shapes a sound before it is heard: the lead that real talkers show (docs/LOG.md)
RAMP_S = 0.055  # lips close and part within this time

# jaw and opening as shares of a wide open vowel, width and pucker from -1 to 1
#        opening jaw  width pucker
_TARGETS: dict[str, tuple[float, float, float, float]] = {
    "ɑ": (1.00, 1.00, 0.00, 0.00), "a": (1.00, 0.95, 0.10, 0.00), "æ": (0.88, 0.80, 0.35, 0.00),
    "ʌ": (0.66, 0.60, 0.00, 0.00), "ɐ": (0.60, 0.55, 0.00, 0.00), "ə": (0.40, 0.35, 0.00, 0.00),
    "ɚ": (0.36, 0.30, -0.10, 0.30), "ɜ": (0.45, 0.35, -0.10, 0.30), "ᵻ": (0.36, 0.28, 0.25, 0.00),
    "ɛ": (0.62, 0.55, 0.35, 0.00), "e": (0.50, 0.42, 0.45, 0.00), "ɪ": (0.42, 0.32, 0.40, 0.00),
    "i": (0.30, 0.20, 0.75, 0.00), "ɔ": (0.78, 0.72, -0.20, 0.50), "o": (0.58, 0.52, -0.30, 0.70),
    "ɒ": (0.78, 0.74, -0.15, 0.40),
    "ʊ": (0.36, 0.30, -0.30, 0.65), "u": (0.26, 0.20, -0.45, 0.95), "w": (0.14, 0.16, -0.50, 1.00),
    "p": (0.00, 0.08, 0.00, 0.00), "b": (0.00, 0.08, 0.00, 0.00), "m": (0.00, 0.06, 0.00, 0.00),
    "f": (0.12, 0.10, 0.10, 0.00), "v": (0.12, 0.10, 0.10, 0.00), "θ": (0.30, 0.20, 0.10, 0.00),
    "ð": (0.28, 0.20, 0.10, 0.00), "t": (0.20, 0.12, 0.15, 0.00), "d": (0.22, 0.14, 0.15, 0.00),
    "n": (0.22, 0.14, 0.10, 0.00), "l": (0.30, 0.20, 0.10, 0.00), "ɾ": (0.28, 0.20, 0.10, 0.00),
    "s": (0.18, 0.05, 0.30, 0.00), "z": (0.18, 0.05, 0.30, 0.00), "ʃ": (0.26, 0.08, -0.15, 0.55),
    "ʒ": (0.26, 0.08, -0.15, 0.55), "k": (0.34, 0.28, 0.05, 0.00), "ɡ": (0.34, 0.28, 0.05, 0.00),
    "ŋ": (0.34, 0.26, 0.05, 0.00), "ɹ": (0.26, 0.20, -0.15, 0.45), "j": (0.26, 0.16, 0.50, 0.00),
    "h": (0.42, 0.40, 0.05, 0.00), "ʔ": (0.20, 0.15, 0.00, 0.00),
}
_REST = (0.0, 0.0, 0.0, 0.0)
_BILABIAL, _LABIODENTAL = "pbm", "fv"


@dataclass(frozen=True)
class MouthCurves:
    """Mouth controls at T times: each [T] float64.

    `opening` and `jaw` are shares of a wide open vowel, 0 is closed; `width` > 0 spread, `pucker` rounded and
    forward, `press` lips pressed together (p b m), `tuck` lower lip under the teeth (f v), `loudness` 0-1.
    """

    opening: np.ndarray
    jaw: np.ndarray
    width: np.ndarray
    pucker: np.ndarray
    press: np.ndarray
    tuck: np.ndarray
    loudness: np.ndarray


def mouth_curves(speech: Speech, times_s: np.ndarray) -> MouthCurves:
    """Mouth controls for `speech` at `times_s` [T] (seconds from its first sample; outside it the mouth rests)."""
    grid_s = np.arange(-0.3, speech.duration_s + 0.3, 1 / GRID_HZ)
    loud = loudness(speech, grid_s)
    held = _held_targets(speech.phonemes, grid_s + ANTICIPATION_S)
    targets = gaussian_filter1d(held, COARTICULATION_S * GRID_HZ, axis=0)
    press = _plateaus(speech.phonemes, grid_s, _BILABIAL)
    tuck = _plateaus(speech.phonemes, grid_s, _LABIODENTAL)
    effort = 0.75 + 0.35 * loud
    curves = np.column_stack([targets[:, 0] * effort * (1 - press) * (1 - 0.7 * tuck), targets[:, 1] * effort,
                              targets[:, 2:], press, tuck, loud])
    return MouthCurves(*(np.interp(times_s, grid_s, column, left=0.0, right=0.0) for column in curves.T))


def viseme_parts(ipa: str) -> list[str]:
    """The sounds of a phoneme that have a target, in order: a diphthong has two, stress and length marks none."""
    return [sound for sound in ipa if sound in _TARGETS]


def loudness(speech: Speech, times_s: np.ndarray) -> np.ndarray:
    """RMS over 80 ms at `times_s`, as a share of the sentence's loud parts (95th percentile), at most 1."""
    energy = np.concatenate([[0.0], np.cumsum(speech.waveform.astype(np.float64) ** 2)])
    half = LOUDNESS_S / 2
    first, last = (np.clip(np.round((times_s + side) * speech.rate_hz).astype(int), 0, len(speech.waveform))
                   for side in (-half, half))
    rms = np.sqrt((energy[last] - energy[first]) / (LOUDNESS_S * speech.rate_hz))
    return np.clip(rms / max(np.percentile(rms, 95), 1e-9), 0.0, 1.0)


def _held_targets(phonemes: tuple[Phoneme, ...], grid_s: np.ndarray) -> np.ndarray:
    held = np.tile(np.array(_REST), (len(grid_s), 1))
    for phoneme in phonemes:
        parts = viseme_parts(phoneme.ipa)
        edges = np.linspace(phoneme.start_s, phoneme.end_s, len(parts) + 1)
        stress = 1.1 if "ˈ" in phoneme.ipa else 1.0
        for sound, start, end in zip(parts, edges[:-1], edges[1:], strict=True):
            held[(grid_s >= start) & (grid_s < end)] = np.array(_TARGETS[sound]) * [stress, stress, 1, 1]
    return held


def _plateaus(phonemes: tuple[Phoneme, ...], grid_s: np.ndarray, sounds: str) -> np.ndarray:
    """1 while one of `sounds` is made, with raised-cosine flanks."""
    curve = np.zeros(len(grid_s))
    for phoneme in phonemes:
        if any(sound in sounds for sound in phoneme.ipa):
            centre = phoneme.start_s + 0.45 * (phoneme.end_s - phoneme.start_s)
            half = max(MIN_PLATEAU_S, 0.6 * (phoneme.end_s - phoneme.start_s)) / 2 + 1 / GRID_HZ
            away = np.clip((np.abs(grid_s - centre) - half) / RAMP_S, 0, 1)
            curve = np.maximum(curve, 0.5 + 0.5 * np.cos(np.pi * away))
    return curve

"""From timed phonemes to mouth controls: every sound has a target and a dominance, closures close, pauses stay open.

A control is the mean of the targets of the sounds around, weighted by a Gaussian over time and by how much each sound
insists on it: G * (d T) / G * d (after Cohen and Massaro, 1993). The tongue's consonants hardly mind what the lips do:
they take the shape of their neighbours; a vowel, a rounded or a lips' consonant has its own. Bilabials (p, b, m) and
labiodentals (f, v) reach their place whatever their neighbours want: a plateau of at least one frame at 24 fps.

People do not shut their mouth in a pause: they open it a little further towards the next phrase, and breathe in through
it. It rests, shut, before they begin, after they have ended, and in a long silence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stages.corpora.speech import Phoneme, Speech

GRID_HZ = 200
COARTICULATION_S = 0.045  # sigma of the Gaussian: about one frame; 30 to 80 ms agree as well with real mouths
ANTICIPATION_S = 0.07     # the mouth shapes a sound before it is heard: 60 to 80 ms in real talkers (docs/LOG.md)
CLOSURE_LEAD_S = 0.03     # closures come nearer to their sound: lips are nearest 0 to 40 ms before its middle
MIN_PLATEAU_S = 0.044     # longer than a frame at 24 fps: every closure is seen closed at least once
RAMP_S = 0.055            # lips close and part within this time
LOUDNESS_S = 0.08
PAUSE, BREATH = "", "↓"   # of Phoneme.ipa; the arrow is extIPA's sign of air drawn in

JAW_SHARE = 0.9           # of the opening that the lips have is the jaw's
JAW_IN_CLOSURE = 0.5      # of its drop is left when the lips are pressed or tucked: they close over a parted jaw

LONG_PAUSE_S = 1.5        # a silence from here on is no pause in a talk: the mouth rests in it
CLOSES_AFTER_S = 0.5      # from the last sound to where the mouth begins to shut
OPENS_BEFORE_S = 0.35     # from where it has opened again to the next sound, or breath
REST_RAMP_S = 0.3         # slower than lips close for a p: nothing waits for it

# opening as a share of a wide open vowel and its dominance; width (spread > 0) and pucker (rounded, forward) from -1 to
# 1 and theirs. Openings were found with the true phonemes of real films: +-0.15 on any class moves r by 0.002 to 0.017,
# pauses held shut cost 0.15 (docs/LOG.md). A shape's dominance follows the same rule: what the lips make insists on it.
_FREE = (0.0, 0.0, 0.1)   # a sound that does not care for the lips' shape
_VOWELS = {
    "a": (1.00, 1.0, 0.10, 0.00, 0.6), "æ": (1.00, 1.0, 0.35, 0.00, 0.8), "ɑ": (0.80, 1.0, 0.00, 0.00, 0.6),
    "ɒ": (0.80, 1.0, -0.15, 0.40, 0.8), "ɛ": (0.70, 1.0, 0.35, 0.00, 0.8), "e": (0.70, 1.0, 0.45, 0.00, 0.8),
    "ɔ": (0.60, 1.0, -0.20, 0.50, 1.0), "ʌ": (0.55, 0.7, 0.00, 0.00, 0.3), "ə": (0.55, 0.7, 0.00, 0.00, 0.3),
    "ɐ": (0.55, 0.7, 0.00, 0.00, 0.3), "ɪ": (0.50, 0.8, 0.40, 0.00, 0.7), "ᵻ": (0.50, 0.8, 0.25, 0.00, 0.5),
    "i": (0.40, 1.0, 0.75, 0.00, 1.0), "ɚ": (0.40, 0.8, -0.10, 0.30, 0.7), "ɜ": (0.40, 0.8, -0.10, 0.30, 0.7),
    "o": (0.40, 1.0, -0.30, 0.70, 1.0), "u": (0.22, 1.0, -0.45, 0.95, 1.0), "ʊ": (0.22, 1.0, -0.30, 0.65, 1.0),
}
_LIP_CONSONANTS = {
    "p": (0.00, 1.0, *_FREE), "b": (0.00, 1.0, *_FREE), "m": (0.00, 1.0, *_FREE),
    "f": (0.10, 1.0, 0.10, 0.00, 0.4), "v": (0.10, 1.0, 0.10, 0.00, 0.4), "w": (0.12, 1.0, -0.50, 1.00, 1.0),
    "ɹ": (0.28, 0.6, -0.15, 0.45, 0.5), "ʃ": (0.40, 0.6, -0.15, 0.55, 0.8), "ʒ": (0.40, 0.6, -0.15, 0.55, 0.8),
}
_TONGUE_CONSONANTS = {
    "s": (0.30, 0.4, 0.30, 0.00, 0.4), "z": (0.30, 0.4, 0.30, 0.00, 0.4), "t": (0.30, 0.2, *_FREE),
    "d": (0.30, 0.2, *_FREE), "n": (0.30, 0.2, *_FREE), "ɾ": (0.30, 0.2, *_FREE), "l": (0.40, 0.2, *_FREE),
    "θ": (0.35, 0.4, 0.10, 0.00, 0.2), "ð": (0.35, 0.4, 0.10, 0.00, 0.2), "k": (0.40, 0.15, *_FREE),
    "ɡ": (0.40, 0.15, *_FREE), "ŋ": (0.40, 0.15, *_FREE), "h": (0.50, 0.1, *_FREE), "ʔ": (0.40, 0.1, *_FREE),
    "j": (0.35, 0.4, 0.50, 0.00, 0.6),
}
_SILENCES = {PAUSE: (0.42, 0.1, *_FREE), BREATH: (0.75, 0.5, 0.00, 0.00, 0.3)}
_TARGETS = _VOWELS | _LIP_CONSONANTS | _TONGUE_CONSONANTS | _SILENCES
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
    opening, width, pucker = _shape(speech.phonemes, grid_s + ANTICIPATION_S)
    press = _plateaus(speech.phonemes, grid_s + CLOSURE_LEAD_S, _BILABIAL)
    tuck = _plateaus(speech.phonemes, grid_s + CLOSURE_LEAD_S, _LABIODENTAL)
    awake = 1 - rest_curve(speech.phonemes, grid_s)
    opening, width, pucker = opening * awake, width * awake, pucker * awake
    jaw = JAW_SHARE * opening * (1 - (1 - JAW_IN_CLOSURE) * np.maximum(press, tuck))
    curves = (opening * (1 - press) * (1 - 0.7 * tuck), jaw, width, pucker, press, tuck, loudness(speech, grid_s))
    return MouthCurves(*(np.interp(times_s, grid_s, curve, left=0.0, right=0.0) for curve in curves))


def viseme_parts(ipa: str) -> list[str]:
    """The sounds of a phoneme that have a target, in order: a diphthong has two, a pause itself, marks none."""
    return [sound for sound in ipa if sound in _TARGETS] if ipa else [PAUSE]


def loudness(speech: Speech, times_s: np.ndarray) -> np.ndarray:
    """RMS over 80 ms at `times_s`, as a share of the sentence's loud parts (95th percentile), at most 1."""
    energy = np.concatenate([[0.0], np.cumsum(speech.waveform.astype(np.float64) ** 2)])
    half = LOUDNESS_S / 2
    first, last = (np.clip(np.round((times_s + side) * speech.rate_hz).astype(int), 0, len(speech.waveform))
                   for side in (-half, half))
    rms = np.sqrt((energy[last] - energy[first]) / (LOUDNESS_S * speech.rate_hz))
    return np.clip(rms / max(np.percentile(rms, 95), 1e-9), 0.0, 1.0)


def rest_curve(phonemes: tuple[Phoneme, ...], times_s: np.ndarray) -> np.ndarray:
    """How far [T] the mouth is at rest: 1 before the first sound, after the last one and within a long silence."""
    sounds = [phoneme for phoneme in phonemes if phoneme.ipa != PAUSE]
    if not sounds:
        return np.ones(len(times_s))
    ends = [-np.inf, *(sound.end_s for sound in sounds)]
    starts = [*(sound.start_s for sound in sounds), np.inf]
    curve = np.zeros(len(times_s))
    for end, start in zip(ends, starts, strict=True):
        if start - end > LONG_PAUSE_S:
            shuts = _ease((times_s - end - CLOSES_AFTER_S) / REST_RAMP_S)
            curve = np.maximum(curve, np.minimum(shuts, _ease((start - OPENS_BEFORE_S - times_s) / REST_RAMP_S)))
    return curve


def _ease(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 0.0, 1.0)
    return share * share * (3 - 2 * share)


def _shape(phonemes: tuple[Phoneme, ...], grid_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Opening, width and pucker [T] at `grid_s`: means of targets, weighted by nearness and dominance."""
    held = np.tile(np.array(_TARGETS[PAUSE]), (len(grid_s), 1))  # [T, 5]
    for phoneme in phonemes:
        parts = viseme_parts(phoneme.ipa)
        edges = np.linspace(phoneme.start_s, phoneme.end_s, len(parts) + 1)
        for sound, start, end in zip(parts, edges[:-1], edges[1:], strict=True):
            held[(grid_s >= start) & (grid_s < end)] = _TARGETS[sound]
    opening, dominance, width, pucker, shape_dominance = held.T
    return (_weigh(opening, dominance), _weigh(width, shape_dominance), _weigh(pucker, shape_dominance))


def _weigh(target: np.ndarray, dominance: np.ndarray) -> np.ndarray:
    sigma = COARTICULATION_S * GRID_HZ
    return gaussian_filter1d(dominance * target, sigma) / gaussian_filter1d(dominance, sigma)


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

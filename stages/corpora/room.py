"""What a recording adds to a voice: a room's echo, a microphone's colour, noise, hum, music in the background, a level.

A model that has heard none of it takes it for speech.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import fftconvolve, lfilter

ROOM_SHARE, TILT_SHARE, CLEAN_SHARE, HUM_SHARE, MUSIC_SHARE = 0.7, 0.5, 0.1, 0.15, 0.15
DECAY_S, ECHO_S, ECHO_ENERGY = (0.03, 0.12), (0.1, 0.4), (0.1, 0.6)  # the energy is a share of the voice's
TILT = 0.6                        # coefficient of a first order filter, either way
NOISE_DB, HUM_DB, MUSIC_DB = (-45.0, -12.0), (-40.0, -15.0), (-35.0, -15.0)  # of the speech's level
GAIN_DB = (-6.0, 4.0)
PEAK = 0.98
_CHORD = (1.0, 1.26, 1.5, 2.0)    # a major triad and its octave, over a root
_ROOTS_HZ, _CHORD_S = (98.0, 220.0), 0.6


def record(voice: np.ndarray, level: float, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """A voice [N] whose speech has the RMS `level`, as a microphone in some room would have it -> [N] float32."""
    heard = voice.astype(np.float64)
    if rng.random() < ROOM_SHARE:
        heard = heard + _echo(heard, rate_hz, rng)
    if rng.random() < TILT_SHARE:
        heard = _at_rms(lfilter([1.0, rng.uniform(-TILT, TILT)], [1.0], heard), _rms(heard))
    added = np.zeros(len(heard))
    if rng.random() > CLEAN_SHARE:
        added += _at_rms(coloured_noise(len(heard), rng.uniform(0.0, 2.0), rng), level * _gain(rng, NOISE_DB))
    if rng.random() < HUM_SHARE:
        added += _at_rms(hum(len(heard), rate_hz, rng), level * _gain(rng, HUM_DB))
    if rng.random() < MUSIC_SHARE:
        added += _at_rms(music(len(heard), rate_hz, rng), level * _gain(rng, MUSIC_DB))
    return np.clip((heard + added) * _gain(rng, GAIN_DB), -PEAK, PEAK).astype(np.float32)


def _echo(voice: np.ndarray, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """The voice convolved with noise that dies away, at a share of its energy."""
    count = round(rng.uniform(*ECHO_S) * rate_hz)
    tail = rng.normal(size=count) * np.exp(-np.arange(count) / (rng.uniform(*DECAY_S) * rate_hz))
    return _at_rms(fftconvolve(voice, tail)[:len(voice)], _rms(voice) * np.sqrt(rng.uniform(*ECHO_ENERGY)))


def coloured_noise(count: int, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Noise [count] whose power falls as f^-slope: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(rng.normal(size=count))
    falling = np.maximum(np.arange(len(spectrum)), len(spectrum) / 400) ** (-slope / 2)  # flat below 1/400 of the band
    return np.fft.irfft(spectrum * falling, count)


def hum(count: int, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """The mains: 50 or 60 Hz and a few harmonics that fall off."""
    times_s = np.arange(count) / rate_hz
    base_hz = rng.choice([50.0, 60.0])
    return sum(np.sin(2 * np.pi * base_hz * n * times_s + rng.uniform(0, 2 * np.pi)) / n ** rng.uniform(0.8, 2.0)
               for n in range(1, 6))


def music(count: int, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """Plucked chords, one after the other."""
    track, step = np.zeros(count), round(_CHORD_S * rate_hz)
    for start in range(0, count, step):
        times_s = np.arange(min(2 * step, count - start)) / rate_hz
        root_hz = rng.uniform(*_ROOTS_HZ)
        notes = sum(np.sin(2 * np.pi * root_hz * ratio * n * times_s) / n for ratio in _CHORD for n in (1, 2, 3))
        track[start:start + len(times_s)] += notes * np.exp(-times_s / 0.4)
    return track


def _gain(rng: np.random.Generator, span_db: tuple[float, float]) -> float:
    return float(10 ** (rng.uniform(*span_db) / 20))


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


def _at_rms(samples: np.ndarray, level: float) -> np.ndarray:
    return samples * level / max(_rms(samples), 1e-12)

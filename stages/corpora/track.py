"""From spoken sentences to a track as people send one: silences, breaths, sentences, each sentence at one loudness."""

from __future__ import annotations

import numpy as np

from stages.corpora.speech import Phoneme, Speech
from stages.corpora.visemes import BREATH, PAUSE

LOUDNESS_RMS = 0.09
MIN_DURATION_S = 3.3         # shorter clips are left out by preprocessing: the last silence is made longer
LEAD_S, BETWEEN_S, TAIL_S = (0.1, 0.9), (0.15, 1.1), (0.1, 0.6)  # silences, besides those that a voice adds
LONG_LEAD_S, LONG_BETWEEN_S = (1.4, 2.4), (1.4, 3.0)             # the mouth learns there that it rests in a silence
LONG_LEAD_SHARE, LONG_BETWEEN_SHARE = 0.15, 0.3

BREATH_SHARE, BREATH_PAUSE_S = 0.6, 0.25   # of pauses so long, where a sentence follows
BREATH_S, BREATH_GAP_S = (0.25, 0.7), 0.05  # length; what is left of the pause before the sentence
BREATH_DB = (-32.0, -12.0)                 # of the speech's level
_LOW_HZ, _HIGH_HZ, _RESONANCE_HZ, _RESONANCE_WIDTH_HZ = (300, 900), (2500, 6000), (1200, 2200), 300.0


def make_track(sentences: list[Speech], rng: np.random.Generator) -> Speech:
    """Silence, sentence, silence ... at the sentences' own rate, before any room is heard."""
    rate_hz = sentences[0].rate_hz
    pieces, phonemes, at = [], [], 0
    for silence_s, sentence in zip(_silences_s(sentences, rng), [*sentences, None], strict=True):
        silence = np.zeros(round(silence_s * rate_hz))
        phonemes += _move((Phoneme(PAUSE, 0.0, len(silence) / rate_hz),), at / rate_hz)
        pieces.append(silence)
        at += len(silence)
        if sentence is not None:
            phonemes += _move(sentence.phonemes, at / rate_hz)
            pieces.append(_at_level(sentence.waveform))
            at += len(sentence.waveform)
    waveform, (*spoken, last) = np.concatenate(pieces), _join_pauses(phonemes)
    breathing = [part for phoneme in spoken for part in _add_breath(phoneme, waveform, rate_hz, rng)]
    return Speech(waveform.astype(np.float32), rate_hz, (*breathing, last))


def _silences_s(sentences: list[Speech], rng: np.random.Generator) -> list[float]:
    lead = rng.uniform(*(LONG_LEAD_S if rng.random() < LONG_LEAD_SHARE else LEAD_S))
    between = [rng.uniform(*(LONG_BETWEEN_S if rng.random() < LONG_BETWEEN_SHARE else BETWEEN_S))
               for _ in sentences[1:]]
    known = lead + sum(between) + sum(sentence.duration_s for sentence in sentences)
    return [lead, *between, max(rng.uniform(*TAIL_S), MIN_DURATION_S - known)]


def _at_level(waveform: np.ndarray) -> np.ndarray:
    samples = waveform.astype(np.float64)
    return samples * LOUDNESS_RMS / max(float(np.sqrt(np.mean(samples**2))), 1e-6)


def _move(phonemes: tuple[Phoneme, ...], by_s: float) -> list[Phoneme]:
    return [Phoneme(one.ipa, one.start_s + by_s, one.end_s + by_s) for one in phonemes]


def _join_pauses(phonemes: list[Phoneme]) -> list[Phoneme]:
    """Pauses that follow each other are one."""
    found: list[Phoneme] = []
    for one in phonemes:
        follows = found and one.ipa == found[-1].ipa == PAUSE
        found.append(Phoneme(PAUSE, found.pop().start_s, one.end_s) if follows else one)
    return found


def _add_breath(phoneme: Phoneme, waveform: np.ndarray, rate_hz: int, rng: np.random.Generator) -> list[Phoneme]:
    """The phoneme itself; of a pause sometimes pause, breath, pause, and the breath is added to the waveform [N]."""
    length_s = phoneme.end_s - phoneme.start_s
    if phoneme.ipa != PAUSE or length_s < BREATH_PAUSE_S or rng.random() > BREATH_SHARE:
        return [phoneme]
    end_s = phoneme.end_s - BREATH_GAP_S
    start_s = max(phoneme.start_s, end_s - rng.uniform(*BREATH_S))
    first, last = round(start_s * rate_hz), round(end_s * rate_hz)
    level = LOUDNESS_RMS * 10 ** (rng.uniform(*BREATH_DB) / 20)
    waveform[first:last] += level * breath_noise(last - first, rate_hz, rng)
    parts = [Phoneme(PAUSE, phoneme.start_s, start_s), Phoneme(BREATH, start_s, end_s),
             Phoneme(PAUSE, end_s, phoneme.end_s)]
    return [part for part in parts if part.end_s > part.start_s]


def breath_noise(count: int, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """Air drawn in, [count] of RMS 1: noise of a band with one resonance, which swells and fades."""
    hz = np.fft.rfftfreq(count, 1 / rate_hz)
    low, high, peak = (rng.uniform(*span) for span in (_LOW_HZ, _HIGH_HZ, _RESONANCE_HZ))
    band = 1 / np.sqrt((1 + (low / np.maximum(hz, 1.0)) ** 4) * (1 + (hz / high) ** 4))
    shape = band * (1 + 2 * np.exp(-0.5 * ((hz - peak) / _RESONANCE_WIDTH_HZ) ** 2))
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=count)) * shape, count) * np.sin(np.pi * np.arange(count) / count)
    return noise / max(float(np.sqrt(np.mean(noise**2))), 1e-9)

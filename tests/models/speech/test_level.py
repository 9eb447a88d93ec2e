"""The gate's level, by hand, and what changes nothing: gain, offset, silence around the speech."""

import numpy as np
import pytest

from models.motion.clock import SAMPLE_RATE_HZ
from models.speech.level import BLOCK, MAX_GAIN, TARGET_RMS, LevelMeter, bring_to_level, without_offset

TIMES_S = np.arange(4 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ


def bursts(level: float) -> np.ndarray:
    """A tone of 250 Hz (ten periods a block) and RMS `level`, half of the time; 60 dB less between."""
    on = (TIMES_S * 2.5).astype(int) % 2 == 0
    return (level * np.sqrt(2) * np.where(on, 1.0, 1e-3) * np.sin(2 * np.pi * 250 * TIMES_S)).astype(np.float32)


def gain(waveform: np.ndarray) -> float:
    meter = LevelMeter()
    meter.hear(waveform)
    return meter.gain()


def rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(waveform.astype(float) ** 2)))


def test_loud_parts_alone_set_the_level():
    """The blocks 60 dB down lie below the relative gate: the tone's own RMS is the level, to half a bin (0.05 dB)."""
    assert gain(bursts(0.02)) == pytest.approx(TARGET_RMS / 0.02, rel=0.007)
    assert rms(bring_to_level(bursts(0.4))[:round(0.4 * SAMPLE_RATE_HZ)]) == pytest.approx(TARGET_RMS, rel=0.015)


@pytest.mark.parametrize("factor", [0.01, 0.1, 3.0, 10.0])
def test_a_gain_an_offset_and_silence_change_nothing(factor):
    speech = bursts(0.05)
    np.testing.assert_allclose(bring_to_level(speech * factor), bring_to_level(speech), atol=0.03 * TARGET_RMS)
    assert gain(speech * factor + 0.3) * factor == pytest.approx(gain(speech), rel=0.03)
    quiet = np.concatenate([np.zeros(20 * SAMPLE_RATE_HZ, np.float32), speech * factor])
    assert gain(quiet) * factor == pytest.approx(gain(speech), rel=0.03)


@pytest.mark.parametrize("level", [1e-3, 5.6e-3, 0.3])
def test_steady_noise_hum_and_silence_are_left_as_they_are(level):
    noise = np.random.default_rng(0).normal(0, level, len(TIMES_S)).astype(np.float32)
    hum = (level * np.sin(2 * np.pi * 50 * TIMES_S)).astype(np.float32)
    for sound in (noise, hum, 0 * noise, noise[:BLOCK - 1]):
        assert gain(sound) == 1.0
        np.testing.assert_array_equal(bring_to_level(sound), sound)


def test_no_gain_beyond_fifty_decibels():
    assert gain(bursts(1e-4)) == MAX_GAIN


def test_a_meter_that_hears_in_pieces_says_the_same():
    speech, meter = bursts(0.03), LevelMeter()
    for piece in np.split(speech, [100, 641, 20000]):
        meter.hear(piece)
    assert meter.gain() == gain(speech)


def test_the_high_pass_takes_an_offset_away_and_leaves_a_voice():
    tone = np.sin(2 * np.pi * 200 * TIMES_S).astype(np.float32)
    np.testing.assert_allclose(without_offset(np.full(8000, 0.7, np.float32)), 0.0, atol=1e-6)
    assert rms(without_offset(tone)) == pytest.approx(rms(tone), rel=0.01)
    np.testing.assert_allclose(without_offset(tone + 0.5)[4000:], without_offset(tone)[4000:], atol=1e-4)


@pytest.mark.parametrize("samples", [1, 639, 640, 641, 5000])
def test_the_offset_s_filter_is_scipy_s(samples):
    from scipy.signal import lfilter, lfilter_zi

    from models.speech.level import OFFSET_POLE, without_offset

    waveform = np.random.default_rng(samples).normal(0.3, 0.2, samples).astype(np.float32)
    b, a = np.array([1.0, -1.0]) * (1 + OFFSET_POLE) / 2, np.array([1.0, -OFFSET_POLE])
    expected, _ = lfilter(b, a, waveform.astype(np.float64), zi=lfilter_zi(b, a) * waveform[0])
    np.testing.assert_allclose(without_offset(waveform), expected, atol=1e-6)

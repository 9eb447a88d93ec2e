import numpy as np
import pytest

from stages.corpora.head import LIMITS_DEG, HeadStyle, band_noise, blinks, emotion_envelope, gaze, head_motion

STYLE = HeadStyle((2.0, 4.0, 1.5), 0.015, 0.01, 2.0, 15.0)
TIMES = np.arange(0, 60, 0.02)


def rng(number: int = 0) -> np.random.Generator:
    return np.random.default_rng(number)


def test_noise_has_unit_variance_and_keeps_to_its_band():
    curves = band_noise(rng(), TIMES, 50)
    assert curves.var(0).mean() == pytest.approx(1.0, abs=0.15)
    power = np.abs(np.fft.rfft(curves * np.hanning(len(TIMES))[:, None], axis=0)) ** 2
    hz = np.fft.rfftfreq(len(TIMES), 0.02)
    assert power[hz > 1.0].sum() / power.sum() < 1e-3


def test_head_stays_within_its_limits_and_is_smooth():
    motion = head_motion(rng(), HeadStyle((9.0, 15.0, 9.0), 0.02, 0.01, 3.0, 15.0), TIMES, np.ones(len(TIMES)))
    assert np.all(np.abs(motion["angles_deg"]) <= LIMITS_DEG)
    assert np.abs(np.diff(motion["angles_deg"], axis=0)).max() / 0.02 < 120  # degrees a second


def test_loud_syllables_lower_the_chin():
    loud = (np.sin(2 * np.pi * TIMES / 3) > 0).astype(float)
    pitch = head_motion(rng(), STYLE, TIMES, loud)["angles_deg"][:, 0]
    assert pitch[loud == 1].mean() - pitch[loud == 0].mean() == pytest.approx(STYLE.nod_deg, abs=0.6)


def test_the_curves_do_not_depend_on_the_frame_rate():
    coarse, fine = (head_motion(rng(5), STYLE, np.arange(0, 4, step), np.zeros(round(4 / step)))
                    for step in (0.04, 0.02))
    assert np.allclose(coarse["angles_deg"], fine["angles_deg"][::2])
    shut = [blinks(rng(5), 15, 4.0, np.arange(0, 4, step)) for step in (0.04, 0.02)]
    assert np.allclose(shut[0], shut[1][::2])


def test_blinks_come_as_often_as_asked_and_last_150_to_250_ms():
    times = np.arange(0, 600, 0.005)
    closed = blinks(rng(), 15.0, 600.0, times) > 0
    starts, ends = (np.flatnonzero(np.diff(closed.astype(int)) == sign) for sign in (1, -1))
    assert 110 <= len(starts) <= 190  # 15 a minute for ten minutes
    lengths = (ends - starts[:len(ends)]) * 0.005
    assert lengths.min() >= 0.13
    assert lengths.max() <= 0.26


def test_a_blink_shuts_the_eye():
    assert blinks(rng(2), 20.0, 10.0, np.arange(0, 10, 0.001)).max() == 1.0


def test_emotion_begins_near_neutral_and_reaches_its_strength():
    times = np.arange(0, 4, 0.04)
    curve = emotion_envelope(rng(), 4.0, times, 0.8)
    assert curve[0] == 0.0
    assert 0.6 < curve[30:80].mean() < 1.0
    assert curve[30:80].std() > 0.01  # it varies
    assert np.all(emotion_envelope(rng(), 4.0, times, 0.0) == 0.0)


def test_gaze_jumps_are_small():
    eyes = gaze(rng(), 60.0, TIMES)
    assert eyes.shape == (len(TIMES), 2)
    assert 0.001 < np.abs(eyes).max() < 0.03

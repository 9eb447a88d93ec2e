"""Measures by hand and the order of reasons."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.config import load_params
from stages.faces.quality import blur, brightness, verdict
from stages.faces.voice import VoiceActivity
from tests.needs import weight

GOOD = {"detection_share": 1.0, "face_px": 200.0, "yaw_p95_deg": 10.0, "blur": 100.0, "brightness": 120.0,
        "speech_share": 0.8}


@pytest.fixture(scope="module")
def params(project):
    return load_params(project / "params.yaml").preprocess


def test_blur_and_brightness_by_hand():
    point = np.zeros((5, 5, 3), np.uint8)
    assert blur(point) == 0.0 and brightness(point) == 0.0
    point[2, 2] = 100
    # the Laplacian is -400 at the point and 100 at its four neighbours: mean 0, variance (160000 + 4 x 10000) / 25
    assert blur(point) == pytest.approx(8000.0) and brightness(point) == 4.0


@pytest.mark.parametrize(("measure", "value", "code"), [
    (None, None, None), ("detection_share", 0.0, "no_face"), ("detection_share", 0.5, "face_lost"),
    ("face_px", 20.0, "small_face"), ("yaw_p95_deg", 70.0, "turned_away"), ("blur", 1.0, "blurred"),
    ("brightness", 3.0, "too_dark"), ("brightness", 254.0, "too_bright"), ("speech_share", 0.05, "no_speech")])
def test_every_threshold(params, measure, value, code):
    reason = verdict(GOOD | ({measure: value} if measure else {}), params)
    assert (reason and reason["code"]) == code
    assert reason is None or (reason["value"] == value and measure in reason["detail"])


def test_what_is_not_known_yet_decides_nothing(params):
    assert verdict({"detection_share": 1.0}, params) is None


def test_voice_activity_on_noise_and_silence():
    voice = VoiceActivity(weight("silero_vad"))
    noise = np.random.default_rng(0).normal(0, 0.05, 16000 * 2).astype(np.float32)
    assert voice.speech_share(noise) < 0.1 and voice.speech_share(0 * noise) == 0.0
    assert voice.speech_share(np.zeros(0, np.float32)) == 0.0
    assert len(voice.probabilities(noise[:1000])) == 2


@pytest.mark.media
def test_voice_activity_on_speech(media):
    from pipeline.media import read_wav

    speech = read_wav(next((media / "talking").glob("styletalk_Obama*.wav")))
    assert VoiceActivity(weight("silero_vad")).speech_share(speech) > 0.6

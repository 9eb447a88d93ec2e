"""Measures by hand and the order of reasons."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from models.face.face import Face
from models.judges.voice import VoiceActivity
from pipeline.core.data_params import Thresholds
from stages.preprocess.quality import blur, brightness, inside_share, score_p05, thresholds, verdict
from tests.needs import weight

GOOD = {"detection_share": 1.0, "face_px": 200.0, "yaw_p95_deg": 10.0, "roll_deg": 5.0, "inside_share": 1.0,
        "score_p05": 0.8, "blur": 100.0, "brightness": 120.0, "speech_share": 0.8, "sync_confidence": 5.0,
        "sync_offset_frames": 1.0}


@pytest.fixture(scope="module")
def params(project):
    return Thresholds.model_validate(yaml.safe_load((project / "params.yaml").read_text())["preprocess"]["thresholds"])


def test_blur_and_brightness_by_hand():
    point = np.zeros((5, 5, 3), np.uint8)
    assert blur(point) == 0.0 and brightness(point) == 0.0
    point[2, 2] = 100
    # the Laplacian is -400 at the point and 100 at its four neighbours: mean 0, variance (160000 + 4 x 10000) / 25
    assert blur(point) == pytest.approx(8000.0) and brightness(point) == 4.0


@pytest.mark.parametrize(("measure", "value", "code"), [
    (None, None, None), ("detection_share", 0.0, "no_face"), ("detection_share", 0.5, "face_lost"),
    ("face_px", 20.0, "small_face"), ("yaw_p95_deg", 70.0, "turned_away"), ("roll_deg", 88.0, "on_its_side"),
    ("inside_share", 0.3, "cut_off"),
    ("score_p05", 0.2, "occluded"), ("blur", 1.0, "blurred"),
    ("brightness", 3.0, "too_dark"), ("brightness", 254.0, "too_bright"), ("speech_share", 0.05, "no_speech"),
    ("sync_confidence", 2.9, "not_in_sync"), ("sync_offset_frames", 4.0, "sound_early"),
    ("sync_offset_frames", -4.0, "sound_late")])
def test_every_threshold(params, measure, value, code):
    reason = verdict(GOOD | ({measure: value} if measure else {}), params, False)
    assert (reason and reason["code"]) == code
    assert reason is None or (reason["value"] == value and measure in reason["detail"])


def test_every_threshold_has_a_measure_that_is_a_column_of_the_table(params):
    from pipeline.core.clip_table import SCHEMA

    assert {t.measure for t in thresholds(params, False)} <= set(SCHEMA.names)
    assert {t.measure for t in thresholds(params, False)} == set(GOOD)


def test_a_face_at_the_edge_and_a_hidden_one():
    inside, half = np.array([0.0, 0, 10, 10]), np.array([-5.0, 0, 5, 10])
    faces = [Face(inside, 0.9, np.zeros((5, 2)))] * 10 + [Face(half, 0.5, np.zeros((5, 2)))] * 10
    assert inside_share(faces, 100, 100) == pytest.approx(0.5) and inside_share(faces[:10], 100, 5) == 0.5
    assert score_p05(faces) == pytest.approx(0.5) and score_p05(faces[:10]) == pytest.approx(0.9)


@pytest.mark.parametrize(("share", "sung", "spoken"), [(0.3, None, None), (0.09, None, "no_speech"),
                                                       (0.0, "no_speech", "no_speech")])
def test_a_singer_is_not_asked_to_speak(params, share, sung, spoken):
    """Silence is no song, though."""
    codes = [(verdict(GOOD | {"speech_share": share}, params, singing) or {}).get("code")
             for singing in (True, False)]
    assert codes == [sung, spoken]


def test_what_is_not_known_yet_decides_nothing(params):
    assert verdict({"detection_share": 1.0}, params, False) is None


def test_voice_activity_on_noise_and_silence():
    voice = VoiceActivity(weight("silero_vad"))
    noise = np.random.default_rng(0).normal(0, 0.05, 16000 * 2).astype(np.float32)
    assert voice.speech_share(noise) < 0.1 and voice.speech_share(0 * noise) == 0.0
    assert voice.speech_share(np.zeros(0, np.float32)) == 0.0
    assert len(voice.probabilities(noise[:1000])) == 2


@pytest.mark.media
def test_voice_activity_on_speech(media):
    from pipeline.media.crops import read_wav

    speech = read_wav(next((media / "talking").glob("styletalk_Obama*.wav")))
    assert VoiceActivity(weight("silero_vad")).speech_share(speech) > 0.6

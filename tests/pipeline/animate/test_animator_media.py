"""The animator's inputs with real portraits, speech and videos, and the real detector and landmarks."""

from __future__ import annotations

import numpy as np
import pytest

from models.face.detectors import InsightFaceDetector
from models.generation.talking_head import TalkingHead
from models.landmark.space import LandmarkFaceSpace
from pipeline.animate.animator import Animator
from pipeline.animate.pose import driving_pose
from pipeline.animate.speech import SpeechError, read_speech
from tests.needs import weight
from tests.pipeline.animate.fakes import FakeEncoder, FakeGenerator

pytestmark = pytest.mark.media
DURATIONS_S = {"ditto_audio_24k.wav": 24000, "fasterliveportrait_a-01_32k.wav": 32000, "hallo_1_44k_stereo.wav": 44100,
               "joyvasa_001_16k_mono.wav": 16000}


@pytest.fixture(scope="module")
def real() -> Animator:
    return Animator(TalkingHead(LandmarkFaceSpace(weight("face_landmarker")), FakeGenerator()), FakeEncoder(),
                    InsightFaceDetector(weight("scrfd"), 640), "test/1")


@pytest.mark.parametrize("name", ["hallo_2.jpg", "hallo_5.jpg", "s0.jpg", "s3.jpg"])
def test_portraits_are_cropped_as_liveportrait_does(media, real, name):
    """In LivePortrait's source crop the face spans 1 / 2.3 of the side; the crop may be tighter at picture borders."""
    portrait = real.portrait(media / "portraits" / name)
    points = portrait.source.keypoints[:, :2]
    width = np.ptp(points[:, 0]) / 2
    assert portrait.crop.shape == (512, 512, 3)
    assert 0.3 < width < 0.65
    assert np.abs(points[:, 0].mean()) < 0.2 and 0 < points[:, 1].mean() < 0.4


@pytest.mark.parametrize("name", DURATIONS_S)
def test_speech_of_any_rate(media, name):
    import soundfile

    info = soundfile.info(media / "speech" / name)
    wave = read_speech(media / "speech" / name).waveform
    assert info.samplerate == DURATIONS_S[name]
    assert abs(len(wave) - 16000 * info.duration) <= 2


def test_a_video_without_sound_is_refused(media):
    with pytest.raises(SpeechError, match="no sound track"):
        read_speech(media / "silent" / "liveportrait_d0_no_audio_stream.mp4")
    with pytest.raises(SpeechError, match="silent"):
        read_speech(media / "silent" / "liveportrait_d3_digital_silence_30fps.mp4")


def test_pose_of_a_real_video(media, real):
    source = np.array([1.0, 0, 0, 0, 0, 0, 0])
    rho = driving_pose(media / "talking" / "styletalk_Obama_clip1.mp4", 50, 25, source, real.head.space,
                       real.detector).rho
    assert rho.shape == (50, 7)
    assert np.abs(rho - source).max(axis=1).min() < 1e-4   # the driver's usual pose is the portrait's own
    assert 0.5 < np.ptp(rho[:, 4:], axis=0).max() < 40 and np.ptp(rho[:, 0]) < 0.3

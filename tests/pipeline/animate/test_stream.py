"""Live use: the frames of the same speech as a file, as soon as they can be, in memory that does not grow."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from models.generation.talking_head import TalkingHead
from pipeline.animate.animator import Animator
from pipeline.animate.speech import SpeechError
from pipeline.animate.stream import RIGHT_S, AnimatorStream
from tests.pipeline.animate.fakes import FakeDetector, FakeEncoder, FakeGenerator, FakeSpace

PORTRAIT = np.full((120, 100, 3), 200, np.uint8)


@pytest.fixture
def animator() -> Animator:
    return Animator(TalkingHead(FakeSpace(), FakeGenerator()), FakeEncoder(), FakeDetector(), "test/1")


def speech(seconds: float) -> np.ndarray:
    time_s = np.arange(int(seconds * 16000)) / 16000
    return ((0.8 + 0.2 * np.sin(time_s)) * np.sin(time_s * 900)).astype(np.float32)


@pytest.mark.parametrize("window", [None, 10])
@pytest.mark.parametrize("chunk", [640, 1000, 48000])
def test_the_same_frames_as_for_a_file(animator, chunk, window):
    wave = speech(7.03)
    whole = [frame[0, 0, 0] for frame in animator.animate(PORTRAIT, wave)]
    frames = []
    with AnimatorStream(animator, animator.portrait(PORTRAIT), emotion="happy", window=window) as stream:
        for start in range(0, len(wave), chunk):
            frames += stream.push(wave[start:start + chunk])
        frames += stream.finish()
    assert [frame[0, 0, 0] for frame in frames] == whole


def test_the_first_frames_come_after_a_window_and_its_right_context(animator):
    """Window 10: 10 + 10 frames of speech give 10 frames, and every 7 more give 7."""
    counts = []
    with AnimatorStream(animator, animator.portrait(PORTRAIT), window=10) as stream:
        assert stream.first_delay_s == pytest.approx(10 / 25 + RIGHT_S)
        counts += [len(stream.push(speech(0.04))) for _ in range(40)]
    assert [index + 1 for index, count in enumerate(counts) if count] == [20, 27, 34]
    assert [count for count in counts if count] == [10, 7, 7]


def test_chunks_are_checked(animator):
    with AnimatorStream(animator, animator.portrait(PORTRAIT)) as stream:
        for bad in (np.zeros((2, 100), np.float32), np.zeros(100, np.int16), np.zeros(31 * 16000, np.float32),
                    np.full(100, np.nan)):
            with pytest.raises(SpeechError):
                stream.push(bad)
        assert len(stream.finish()) == 1
        with pytest.raises(ValueError, match="has ended"):
            stream.push(speech(1))
    with pytest.raises(ValueError, match="generated or still"):
        AnimatorStream(animator, animator.portrait(PORTRAIT), pose="drive.mp4")


def test_emotion_can_change_on_the_way(animator):
    with AnimatorStream(animator, animator.portrait(PORTRAIT), emotion={"happy": 1.0}) as stream:
        stream.push(speech(1.0))
        stream.set_emotion("sad:0.5")
        np.testing.assert_allclose(animator.head.generator.requests[0].emotion, [0, 0, 0.5, 0.5])
    with AnimatorStream(animator, animator.portrait(PORTRAIT)) as stream, pytest.raises(ValueError, match="begin the"):
        stream.set_emotion("sad")


def test_an_error_inside_reaches_the_caller_and_no_thread_stays(animator, monkeypatch):
    monkeypatch.setattr(FakeSpace, "render", lambda *_: (_ for _ in ()).throw(ValueError("render broke")))
    with AnimatorStream(animator, animator.portrait(PORTRAIT), window=10) as stream:
        with pytest.raises(ValueError, match="render broke"):
            stream.push(speech(2.0))
        with pytest.raises(ValueError, match="has ended"):
            stream.finish()
    AnimatorStream(animator, animator.portrait(PORTRAIT)).close()  # never begun
    for thread in threading.enumerate():
        if thread.name == "animator-stream":
            thread.join(5)
            assert not thread.is_alive()

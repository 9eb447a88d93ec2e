"""Where nobody speaks the mouth rests; a pause within a talk stays the model's."""

import numpy as np
import pytest

from models.face.points import LIPS_INNER_LOWER, LIPS_INNER_UPPER, NUM_KEYPOINTS, positions
from models.judges.voice import WINDOW, VoiceActivity
from models.landmark.shutting import shut_lips
from pipeline.animate.rest import AFTER_S, BEFORE_S, RAMP_FRAMES, Awake, with_rest
from tests.needs import weight

FPS = 25


class Loud:
    """A voice is whatever is loud."""

    def listen(self):
        held = np.zeros(0, np.float32)

        class Stream:
            def hear(self, samples):
                nonlocal held
                held = np.concatenate([held, samples])
                whole = len(held) // WINDOW * WINDOW
                windows, held = held[:whole].reshape(-1, WINDOW), held[whole:]
                return (np.abs(windows).max(1) > 0.01).astype(float)

        return Stream()


def spoken(seconds: float, *spans: tuple[float, float]) -> np.ndarray:
    waveform = np.zeros(round(seconds * 16000), np.float32)
    for start, stop in spans:
        waveform[round(start * 16000):round(stop * 16000)] = 0.1
    return waveform


def shares(waveform: np.ndarray) -> np.ndarray:
    awake, frames = Awake(Loud()), round(len(waveform) / 640)
    list(awake.along([np.zeros((frames, 1))], waveform))
    return awake.take(frames)


def test_rest_before_after_and_in_a_long_silence_by_hand():
    """Voice from 2 to 3 s and from 6 to 7 s: open 0.4 s before (a window of 32 ms either way), shut 1.1 s after."""
    share = shares(spoken(10.0, (2.0, 3.0), (6.0, 7.0)))
    assert share[0] == 0.0 and share[:int((2.0 - BEFORE_S) * FPS) - 1].max() == 0.0
    for start, end in ((2.0, 3.0), (6.0, 7.0)):
        opens, shuts = round((start - BEFORE_S) * FPS), round((end + AFTER_S) * FPS)
        assert share[opens + RAMP_FRAMES + 1:shuts - 1].min() == 1.0
        assert share[shuts + RAMP_FRAMES + 2:shuts + RAMP_FRAMES + 10].max() == 0.0
    assert np.abs(np.diff(share)).max() == pytest.approx(1 / RAMP_FRAMES)


def test_pauses_below_a_second_and_a_half_are_the_models():
    assert shares(spoken(6.0, (0.0, 2.0), (3.4, 6.0))).min() == 1.0
    assert shares(spoken(6.0, (0.0, 2.0), (3.8, 6.0))).min() < 1.0


def test_a_stream_hears_the_same_as_a_file():
    waveform = spoken(12.0, (1.0, 3.0), (7.0, 8.0))
    awake, found = Awake(Loud()), []
    for chunk in awake.listening(np.split(waveform, np.arange(3000, len(waveform), 3000))):
        ready = int((awake._heard / 16000 - BEFORE_S) * FPS) - awake._frame - 1
        if chunk is not None and ready > 0:
            found.append(awake.take(ready))
    found.append(awake.take(300 - awake._frame))
    np.testing.assert_allclose(np.concatenate(found), shares(waveform))


def test_lips_meet_and_pose_stays():
    rng = np.random.default_rng(0)
    x_c, motion = rng.normal(0, 0.1, (NUM_KEYPOINTS, 3)), rng.normal(0, 0.01, (50, 3 * NUM_KEYPOINTS + 7))
    upper, lower = positions(LIPS_INNER_UPPER[1:-1]), positions(LIPS_INNER_LOWER)
    x_c[lower, 1] = x_c[upper, 1] + np.array([0.1, 0.1, 0.1, 0.1, -0.02])  # one pair is pressed together

    class Space:
        shut_mouth = staticmethod(shut_lips)

    awake = Awake(Loud())
    [rested] = with_rest(Space(), x_c, iter([motion]), awake)  # nothing was heard: it rests
    points = x_c + rested[:, :-7].reshape(50, -1, 3)
    np.testing.assert_allclose(points[:, upper], points[:, lower], atol=1e-12)
    np.testing.assert_array_equal(rested[:, -7:], motion[:, -7:])


def test_the_network_hears_the_same_in_pieces():
    voice = VoiceActivity(weight("silero_vad"))
    speech = np.random.default_rng(1).normal(0, 0.1, 16000).astype(np.float32)
    stream = voice.listen()
    pieces = np.concatenate([stream.hear(piece) for piece in np.split(speech, [100, 700, 9000])])
    np.testing.assert_array_equal(pieces, voice.probabilities(speech)[:len(pieces)])
    assert len(pieces) == 16000 // WINDOW

"""Features of whole speech and of speech in chunks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.animate.features import FADE_FRAMES, chunk_features, whole_features
from tests.pipeline.animate.fakes import FakeEncoder


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(samples).uniform(-1, 1, samples).astype(np.float32)


@given(st.lists(st.integers(0, 9000), min_size=1, max_size=30), st.integers(2, 50), st.integers(0, 30),
       st.integers(0, 12))
def test_chunks_of_any_size_give_the_features_of_the_whole(sizes, step, left, right):
    """The fake encoder needs no context, so nothing may be lost, doubled or moved at the joints."""
    speech = noise(sum(sizes))
    frames = max(1, round(len(speech) / 640))
    chunks = np.split(speech, np.cumsum(sizes)[:-1])
    pieces = list(chunk_features(FakeEncoder(), chunks, step + 1, step, left, right))
    np.testing.assert_array_equal(np.concatenate(pieces), FakeEncoder().encode(speech, frames))


def test_a_piece_comes_as_soon_as_its_right_context_is_there():
    """First 10 frames, then 8 each, 3 frames of context after them: after 13, 21, 29 frames of speech."""
    given_out, heard = [], 0

    def speech():
        nonlocal heard
        for _ in range(30):
            heard += 1
            yield noise(640)

    for piece in chunk_features(FakeEncoder(), speech(), 10, 8, 5, 3):
        given_out.append((heard, len(piece)))
    assert given_out == [(13, 10), (21, 8), (29, 8), (30, 4)]


def test_the_encoder_never_sees_more_than_its_contexts():
    encoder = FakeEncoder()
    for _ in chunk_features(encoder, (noise(1600) for _ in range(400)), 50, 49, 100, 10):
        pass
    assert max(encoder.pieces) == 100 + 49 + 10


@pytest.mark.parametrize("frames", [1, 1500, 1501, 3200])
def test_whole_speech_in_pieces(frames):
    speech = noise(frames * 640)
    pieces = list(whole_features(FakeEncoder(), speech, frames))
    assert max(len(piece) for piece in pieces) <= 1500
    np.testing.assert_array_equal(np.concatenate(pieces), FakeEncoder().encode(speech, frames))


class Leaning:
    """An encoder whose features depend on where its piece begins: the worst case for joints."""

    name, dim = "leaning", 1

    def encode(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        self.calls = getattr(self, "calls", 0) + 1
        return np.full((frames, 1), float(self.calls % 2), np.float32)


def test_pieces_of_a_whole_fade_into_each_other():
    """1 for the first minute, 0 for the second: 25 steps of 1/25 between them instead of one of 1."""
    pieces = list(whole_features(Leaning(), noise(3000 * 640), 3000))
    assert [len(piece) for piece in pieces] == [1500, 1500]
    change = np.diff(np.concatenate(pieces)[:, 0])
    assert np.abs(change).max() == pytest.approx(1 / FADE_FRAMES, rel=1e-4)
    assert np.concatenate(pieces)[1500 + FADE_FRAMES:].max() == 0.0


def test_chunks_fade_into_each_other():
    chunks = np.split(noise(640 * 200), 20)
    features = np.concatenate(list(chunk_features(Leaning(), chunks, 50, 50, 100, 10)))[:, 0]
    assert len(features) == 200
    assert np.abs(np.diff(features)).max() == pytest.approx(1 / 10, rel=1e-4)


def spoken(level: float) -> np.ndarray:
    """Bursts of noise: what rises and falls is taken for speech."""
    return (noise(640 * 250) * np.repeat(np.arange(10) % 2 + 0.001, 640 * 25) * level).astype(np.float32)


@pytest.mark.parametrize("factor", [0.01, 10.0])
def test_features_do_not_depend_on_the_loudness(factor):
    """The fake encoder's features are the size of the samples."""
    plain, other = (np.concatenate(list(whole_features(FakeEncoder(), spoken(level), 250)))
                    for level in (0.1, 0.1 * factor))
    np.testing.assert_allclose(other, plain, rtol=0.03)
    plain, other = (np.concatenate(list(chunk_features(FakeEncoder(), np.split(spoken(level), 50), 50, 49, 250, 10)))
                    for level in (0.1, 0.1 * factor))
    np.testing.assert_allclose(other, plain, rtol=0.03)

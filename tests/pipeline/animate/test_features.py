"""Features of whole speech and of speech in chunks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.animate.features import chunk_features, whole_features
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

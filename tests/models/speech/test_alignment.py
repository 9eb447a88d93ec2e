"""Where in time a feature lies."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from models.speech import huggingface
from models.speech.encoder import align, fit_length
from models.speech.log_mel import log_mel
from models.speech.pieces import encode_in_pieces, spans


def test_a_ramp_of_times_comes_back_as_the_frames_times():
    times = (0.01 + 0.02 * np.arange(100))[:, None]  # states that hold their own centre
    frames = align(times, 0.01, 50)[:, 0]
    assert frames[0] == 0.01  # nothing lies before the first state
    np.testing.assert_allclose(frames[1:], np.arange(1, 50) / 25, rtol=0, atol=1e-12)


def test_states_on_the_frames_are_taken_as_they_are():
    states = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    np.testing.assert_array_equal(align(states, 0.0, 10), states[::2])


def test_one_state_is_held():
    np.testing.assert_array_equal(align(np.array([[7.0]]), 0.0, 3), [[7.0]] * 3)


@pytest.mark.parametrize("frame", [3, 20, 47])
def test_a_click_at_a_frames_time_is_loudest_in_its_mel_window(frame):
    waveform = np.zeros(640 * 50, np.float32)
    waveform[640 * frame] = 1.0
    energy = (10 ** (4 * log_mel(waveform).astype(np.float64) - 4)).mean(0)  # [4 windows a frame]
    energy -= energy.min()
    windows = np.arange(len(energy)) * 160
    assert (energy * windows).sum() / energy.sum() == pytest.approx(640 * frame, abs=16)  # a millisecond


def test_the_convolutions_of_wav2vec2_see_a_click_where_we_say():
    """The published strides and kernels with weights of one: the response is centred on the click."""
    layers = zip((10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2), strict=True)
    click, frame = torch.zeros(1, 1, 640 * 50 + 2 * huggingface.MARGIN), 20
    click[0, 0, huggingface.MARGIN + 640 * frame] = 1.0
    for kernel, stride in layers:
        click = torch.nn.functional.conv1d(click, torch.ones(1, 1, kernel), stride=stride)
    states = click[0, 0].double().numpy()
    assert len(states) == 100
    centre_s = (states * (huggingface.FIRST_STATE_S + 0.02 * np.arange(100))).sum() / states.sum()
    assert centre_s == pytest.approx(frame / 25, abs=0.002)


def test_speech_is_cut_or_continued_by_silence():
    np.testing.assert_array_equal(fit_length(np.ones(1000), 1), np.ones(640))
    np.testing.assert_array_equal(fit_length(np.ones(500), 1), [1] * 500 + [0] * 140)


@pytest.mark.parametrize("waveform", [np.zeros((2, 100)), np.array([0.0, np.nan])])
def test_speech_that_is_no_speech_is_refused(waveform):
    with pytest.raises(ValueError, match="finite mono"):
        fit_length(waveform, 1)


def test_spans_cover_everything_in_equal_pieces():
    assert spans(100, 100, 10) == [(0, 100)]
    assert spans(101, 100, 10) == [(0, 56), (45, 101)]
    for states in (151, 1000, 1999):
        found = spans(states, 150, 20)
        assert found[0][0] == 0 and found[-1][1] == states
        assert all(later[0] + 20 <= earlier[1] for earlier, later in pairwise(found))
        assert {stop - start for start, stop in found} == {found[0][1]} and found[0][1] <= 150


def test_pieces_of_an_encoder_without_context_join_to_the_whole_exactly():
    whole = np.random.default_rng(1).normal(size=(1234, 4))
    joined = encode_in_pieces(lambda start, stop: whole[start:stop], 1234, piece_s=4.0, overlap_s=1.0)
    np.testing.assert_allclose(joined, whole, rtol=0, atol=1e-12)


def test_pieces_cross_fade():
    joined = encode_in_pieces(lambda start, stop: np.full((stop - start, 1), float(start > 0)), 150, 2.0, 0.5)
    assert joined[0] == 0 and joined[-1] == 1
    assert (np.diff(joined[:, 0]) >= 0).all() and np.diff(joined[:, 0]).max() < 0.05

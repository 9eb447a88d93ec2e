"""Flashes and clicks at the same moments of a file stay together, within half an output frame, to its end."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from models.crop import Square
from stages.media.cropping import crop_frames
from stages.media.sound import read_sound
from stages.media.steady import steady
from stages.media.video import Limits, probe
from tests.stages.media.makers import clicks, flash_times, flashes, irregular, regular, write, write_sound

LIMITS = Limits(4320, 14400.0)
HALF_FRAME_S = 0.0201


def onsets(levels: np.ndarray, threshold: float, hold: int) -> list[int]:
    """Indices where the level rises over the threshold after `hold` quiet ones."""
    loud = levels > threshold
    return [i for i in np.flatnonzero(loud) if not loud[max(0, i - hold):i].any()]


def measured(path: Path, seconds: float, sound: Path | None = None) -> tuple[list[float], list[float]]:
    """(flash times, click times) in the crop of a file, in s."""
    found = probe(path, LIMITS)
    zero = found.start_s if sound is None else Fraction(0)
    waveform = read_sound(sound or path, zero, seconds, 16000, own_clock=sound is not None)
    square = Square(found.width_px / 2, found.height_px / 2, 32)
    frames = crop_frames(path, found.start_s, 25, 0, int(seconds * 25), square, 16)
    light = np.array([frame.mean() for frame in frames])
    return [i / 25 for i in onsets(light, 128, 2)], [i / 16000 for i in onsets(np.abs(waveform), 0.2, 800)]


def check(path: Path, at: list[Fraction], seconds: float, sound: Path | None = None) -> None:
    flashed, clicked = measured(path, seconds, sound)
    assert len(flashed) == len(clicked) == len(at)
    assert np.allclose(clicked, [float(t) for t in at], atol=0.002)
    assert np.abs(np.array(flashed) - np.array(clicked)).max() <= HALF_FRAME_S + 0.002


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), 24, 25, Fraction(30000, 1001), 30, 50, 60, 15])
def test_constant_rates(tmp_path, fps):
    times = regular(fps, 6)
    at = flash_times(times)
    check(write(tmp_path / "a.mp4", flashes(times, at), times, clicks(at, 6, 48000)), at, 6)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_variable_rate(tmp_path, suffix):
    times = irregular(6)
    at = flash_times(times)
    check(write(tmp_path / f"a.{suffix}", flashes(times, at), times, clicks(at, 6, 44100), rate=44100), at, 6)


def test_long_file_does_not_drift(tmp_path):
    times = regular(Fraction(30000, 1001), 120)
    at = flash_times(times, 9)
    pictures = flashes(times, at, (32, 32))
    check(write(tmp_path / "a.mp4", pictures, times, clicks(at, 120, 16000), rate=16000, keys=250), at, 120)


@pytest.mark.parametrize("suffix", ["mp4", "ts", "mkv"])
def test_sound_that_begins_later(tmp_path, suffix):
    times = regular(30, 6)
    at = flash_times(times)
    late = Fraction(1, 4)
    sound = clicks([t - late for t in at], 5.75, 48000)
    check(write(tmp_path / f"a.{suffix}", flashes(times, at), times, sound, sound_start=late), at, 6)


@pytest.mark.parametrize("suffix", ["mp4", "ts", "mkv"])
def test_picture_that_begins_later(tmp_path, suffix):
    late = Fraction(1, 2)
    times = [t + late for t in regular(25, 6)]
    at = flash_times(times)
    path = write(tmp_path / f"a.{suffix}", flashes(times, at), times, clicks(at, 6.5, 48000))
    check(path, [t - late for t in at], 6)


def test_separate_sound_file(tmp_path):
    times = regular(30, 6)
    at = flash_times(times)
    video = write(tmp_path / "a.mp4", flashes(times, at), times)
    check(video, at, 6, write_sound(tmp_path / "a.m4a", clicks(at, 6, 48000), format="mp4"))
    check(video, at, 6, write_sound(tmp_path / "a.wav", clicks(at, 6, 16000), rate=16000, codec="pcm_s16le"))


def test_a_piece_in_the_middle_is_the_same_with_and_without_seeking(tmp_path):
    times = irregular(20, seed=3)
    shades = [np.full((32, 32, 3), 20 + i % 200, np.uint8) for i in range(len(times))]
    path = write(tmp_path / "a.mp4", shades, times, keys=40)
    square = Square(16, 16, 32)
    every = list(crop_frames(path, Fraction(0), 25, 0, 480, square, 16))
    piece = list(crop_frames(path, Fraction(0), 25, 300, 400, square, 16))  # 12 s in: reached by seeking
    assert len(piece) == 100
    assert all((a == b).all() for a, b in zip(every[300:400], piece, strict=True))


def test_steady_by_hand():
    at_30_fps = [(Fraction(i, 30), i) for i in range(7)]
    # output i shows the last picture before (i + 1/2) / 25 s: 0.02, 0.06, 0.1, 0.14, 0.18, 0.22
    assert list(steady(at_30_fps, 25)) == [(0, 0), (1, 1), (2, 2), (3, 4), (4, 5), (5, 6)]
    assert list(steady([(Fraction(i, 50), i) for i in range(6)], 25)) == [(0, 0), (1, 2), (2, 4), (3, 5)]


def test_steady_repeats_what_is_shown_over_a_hole_and_before_the_first_picture():
    assert list(steady([(Fraction(0), "a"), (Fraction(1, 5), "b")], 25))[-2:] == [(4, "a"), (5, "b")]
    late = list(steady([(Fraction(1, 10), "a"), (Fraction(1, 5), "b")], 25))
    assert late[:2] == [(0, "a"), (1, "a")]


def test_steady_from_a_later_frame_agrees():
    pictures = [(t, i) for i, t in enumerate(irregular(10, seed=5))]
    every = dict(steady(pictures, 25))
    tail = dict(steady([p for p in pictures if p[0] > 4], 25, first=130))
    assert all(every[i] == shown for i, shown in tail.items())

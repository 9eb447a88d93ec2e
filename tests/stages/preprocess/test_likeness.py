"""Fingerprints: by hand, and of one recording in another size, encoding and loudness."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stages.preprocess.likeness import different_share, moments, picture_hash, sound_hash
from tests.stages.preprocess.fakes import task, worker
from tests.stages.preprocess.makers import regular, write

RATE_HZ, SECONDS = 16000, 4


def sound(seed: int, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Tones that come and go: a spectrum that changes as speech does. The same seed at another rate is the same."""
    dice, time = np.random.default_rng(seed), np.arange(SECONDS * rate_hz) / rate_hz
    tones = [np.sin(2 * np.pi * hz * time) * np.interp(time, np.arange(0, SECONDS + 0.2, 0.1), dice.random(42) ** 3)
             for hz in dice.uniform(300, 3000, 25)]
    return (sum(tones) / 20).astype(np.float32)


def test_shares_and_moments_by_hand():
    assert different_share("00", "00") == 0 and different_share("0f", "00") == 0.5 and different_share("0", "00") == 1
    assert moments(80) == [5, 15, 25, 35, 45, 55, 65, 75]


def test_a_slope_is_all_ones_or_zeros():
    slope = np.tile(np.linspace(0, 255, 90).astype(np.uint8)[None, :, None], (80, 1, 3))
    assert picture_hash(slope) == "f" * 16 and picture_hash(slope[:, ::-1]) == "0" * 16


def test_loudness_and_noise_leave_a_sound_the_same_and_another_one_is_another():
    first, noise = sound(1), np.random.default_rng(0).normal(0, 0.002, SECONDS * RATE_HZ)
    assert len(sound_hash(first, RATE_HZ)) == 128
    assert different_share(sound_hash(first, RATE_HZ), sound_hash(first / 5, RATE_HZ)) < 0.01
    assert different_share(sound_hash(first, RATE_HZ), sound_hash(first + noise, RATE_HZ)) < 0.12
    assert 0.3 < different_share(sound_hash(first, RATE_HZ), sound_hash(sound(2), RATE_HZ)) < 0.7


def test_silence_is_nobodys_likeness_and_a_blink_of_sound_has_none():
    assert sound_hash(np.zeros(RATE_HZ, np.float32), RATE_HZ) == "0" * 128
    with pytest.raises(ValueError, match="too few"):
        sound_hash(np.zeros(33 * 64 - 1, np.float32), RATE_HZ)


def hashes(project, folder, size: int, gain: float, seed: int = 1, turned: bool = False, **more) -> dict:
    """The fingerprints that preprocessing takes of a portrait that moves, at this size and loudness."""
    portrait = pytest.importorskip("skimage.data").astronaut()[:320, 60:380]
    portrait = portrait[:, ::-1] if turned else portrait
    times = regular(25, SECONDS)
    pictures = [cv2.resize(np.roll(portrait, round(6 * np.sin(i / 9)), axis=1), (size, size),
                           interpolation=cv2.INTER_AREA) for i in range(len(times))]
    folder.mkdir()
    path = write(folder / "a.mp4", pictures, times, gain * sound(seed, 48000), **more)
    [piece] = worker(project)(task(path, folder)).pieces
    return piece


def test_one_recording_in_another_size_encoding_and_loudness(project, tmp_path):
    first = hashes(project, tmp_path / "first", 320, 1.0)
    again = hashes(project, tmp_path / "again", 144, 0.3, encoder={"crf": "34"})
    other = hashes(project, tmp_path / "other", 320, 1.0, seed=2, turned=True)
    for name in ("picture_hash", "sound_hash"):
        assert different_share(first[name], again[name]) <= 0.12, name
        assert different_share(first[name], other[name]) > 0.3, name

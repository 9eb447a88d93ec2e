"""Memory does not grow with the length of the speech."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import psutil
import pytest

from models.generation.talking_head import TalkingHead
from pipeline.animate.animator import Animator
from pipeline.animate.stream import AnimatorStream
from pipeline.core import paths
from tests.needs import weight
from tests.pipeline.animate.fakes import FakeDetector, FakeEncoder, FakeGenerator, FakeSpace

PORTRAIT = np.full((120, 100, 3), 200, np.uint8)
RATE = 16000
MINUTE_MB = 2.0  # what a minute more may cost: the index of the MP4


class SmallSpace(FakeSpace):
    """Renders frames of 16 px, so that the length is what counts."""

    def render(self, appearance, x_source, x_driving):
        return np.zeros((len(x_driving), 16, 16, 3), np.uint8)


def small() -> Animator:
    return Animator(TalkingHead(SmallSpace(), FakeGenerator()), FakeEncoder(), FakeDetector(), "test/1")


def voice(seconds: float) -> np.ndarray:
    time_s = np.arange(int(seconds * RATE), dtype=np.float32) / RATE
    return 0.4 * np.abs(np.sin(3 * time_s)) * np.sin(900 * time_s)


def peak_mb(frames) -> float:
    tracemalloc.start()
    for _ in frames:
        pass
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return peak


def test_a_file_of_ten_minutes_needs_what_two_need():
    peaks = []
    for minutes in (3, 12):
        animator, wave = small(), voice(60 * minutes)
        peaks.append(peak_mb(animator.animate(PORTRAIT, wave, emotion={"happy": 1.0})))
    assert peaks[1] < 1.1 * peaks[0] + 1


def test_a_stream_of_ten_minutes_needs_what_one_needs():
    def frames(minutes: int):
        with AnimatorStream(animator, animator.portrait(PORTRAIT), emotion="happy") as stream:
            for _ in range(60 * minutes):
                yield from stream.push(second)
            yield from stream.finish()

    animator, second = small(), voice(1.0)
    peaks = [peak_mb(frames(minutes)) for minutes in (2, 10)]
    assert peaks[1] < 1.1 * peaks[0] + 1


def memory_of_a_film(minutes: float, folder: Path) -> list[float]:
    """Memory of this process in MB after every minute of a film with the shipped model, without mapped files."""
    animator = Animator.from_bundle(paths.SHIPPED)
    used, seen = [], 0

    def watch(_frame) -> None:
        nonlocal seen
        seen += 1
        if seen % 1500 == 0:
            memory = psutil.Process().memory_full_info()
            used.append((memory.rss - memory.shared) / 2**20)

    from skimage.data import astronaut

    speech = np.resize(voice(30) + 0.05 * np.random.default_rng(0).standard_normal(30 * RATE), int(60 * minutes * RATE))
    count = animator.animate_to_file(astronaut(), speech.astype(np.float32), folder / "long.mp4", progress=watch,
                                     emotion="happy")
    assert count == 1500 * minutes
    return used


@pytest.mark.nightly
def test_an_hour_with_the_shipped_model(tmp_path, project, monkeypatch):
    monkeypatch.chdir(project)
    pytest.importorskip("skimage")
    for name in ("face_landmarker", "scrfd", "whisper_tiny_en"):
        weight(name)
    used = memory_of_a_film(60, tmp_path)
    assert len(used) == 60
    assert used[-1] < used[4] + MINUTE_MB * 55

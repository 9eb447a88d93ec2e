"""The line of progress: done, rejected, rate, time left."""

from __future__ import annotations

import pytest

from pipeline.compute import progress
from pipeline.compute.progress import Progress


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_rate_and_time_left_do_not_count_the_start(clock):
    """Ten clips of 100 frames; the first after 30 s, then one every 2 s: 50 frames a second."""
    said: list[str] = []
    telling = Progress("extract", 10, "clips", said.append, frames=1000)
    clock[0] += 28
    for clip in range(10):
        clock[0] += 2
        telling.add(100, rejected=clip == 3)
    assert said == ["extract: 1 of 10 clips, 100 frames, 3 frames/s, 270 s left",
                    "extract: 4 of 10 clips, 400 frames, 50 frames/s, 1 rejected, 12 s left",
                    "extract: 7 of 10 clips, 700 frames, 50 frames/s, 1 rejected, 6 s left",
                    "extract: 10 of 10 clips, 1000 frames, 50 frames/s, 1 rejected, 0 s left"]


def test_time_left_goes_by_items_where_frames_are_not_known(clock):
    said: list[str] = []
    telling = Progress("evaluate", 4, "videos", said.append)
    for _ in range(4):
        clock[0] += 6
        telling.add()
    assert said == [f"evaluate: {done} of 4 videos, {left} s left" for done, left in zip((1, 2, 3, 4), (18, 12, 6, 0),
                                                                                       strict=True)]


def test_an_item_without_frames_is_no_division_by_zero():
    said: list[str] = []
    Progress("extract", 1, "clips", said.append, frames=0).add()
    assert "1 of 1 clips, 0 frames" in said[0]

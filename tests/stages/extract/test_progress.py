"""The line of progress: done, rejected, rate, time left."""

from __future__ import annotations

from stages.extract import progress


def test_rate_and_time_left_do_not_count_the_start(monkeypatch):
    """Ten clips of 100 frames; the first after 30 s, then one every 2 s: 50 frames a second."""
    clock, said = [100.0], []
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    telling = progress._Telling(10, 1000, said.append)
    clock[0] += 28
    for clip in range(10):
        clock[0] += 2
        telling.one({"frames": 100, "reject": "{}" if clip == 3 else ""})
    assert said == ["extract: 1 of 10 clips, 100 frames, 3 frames/s, 0 rejected, 270 s left",
                    "extract: 4 of 10 clips, 400 frames, 50 frames/s, 1 rejected, 12 s left",
                    "extract: 7 of 10 clips, 700 frames, 50 frames/s, 1 rejected, 6 s left",
                    "extract: 10 of 10 clips, 1000 frames, 50 frames/s, 1 rejected, 0 s left"]


def test_a_clip_without_frames_is_no_division_by_zero():
    said: list[str] = []
    telling = progress._Telling(1, 0, said.append)
    telling.one({"frames": 0, "reject": ""})
    assert "1 of 1 clips" in said[0]

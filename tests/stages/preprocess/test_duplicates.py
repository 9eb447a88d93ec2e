"""Which of two clips goes: the one with the smaller face, where pictures and sound are one recording's."""

from __future__ import annotations

import numpy as np
import pytest

from stages.preprocess.duplicates import near_duplicates

LIMIT = 0.12


def bits(seed: int, count: int, flipped: float = 0.0) -> str:
    """Random hex digits; `flipped`: so many of their bits, anywhere, are turned."""
    values = np.random.default_rng(seed).integers(0, 2, count)
    values[np.random.default_rng(seed + 10**6).permutation(count)[:round(flipped * count)]] ^= 1
    return np.packbits(values.astype(np.uint8)).tobytes().hex()


def row(name: str, seed: int = 1, face_px: float = 200.0, source: str | None = None, start_s: float = 0.0,
        frames: int = 100, emotion: str | None = None, sound: float = 0.0, picture: float = 0.0) -> dict:
    return {"clip_id": name, "source": source or f"{name}.mp4", "start_s": start_s, "end_s": start_s + frames / 25,
            "frames": frames, "emotion": emotion, "face_px": face_px, "sound_hash": bits(seed, 512, sound),
            "picture_hash": bits(seed + 1000, 512, picture)}


def test_the_smaller_face_goes_and_of_equal_ones_the_higher_id():
    assert set(near_duplicates([row("a", face_px=100.0), row("b")], LIMIT)) == {"a"}
    assert set(near_duplicates([row("b"), row("a")], LIMIT)) == {"b"}


@pytest.mark.parametrize(("change", "repeats"), [
    ({"sound": 0.06, "picture": 0.1}, True), ({"sound": 0.2}, False), ({"picture": 0.2}, False), ({"seed": 2}, False),
    ({"frames": 103}, True), ({"frames": 104}, False), ({"emotion": "sad"}, False)])
def test_both_fingerprints_length_and_emotion_must_agree(change, repeats):
    found = near_duplicates([row("a"), row("b", **change)], LIMIT)
    assert set(found) == ({"b"} if repeats else set())
    if repeats:
        reason = found["b"]
        assert (reason["stage"], reason["code"]) == ("quality", "near_duplicate") and "clip a" in reason["detail"]
        assert reason["value"] == pytest.approx(change.get("picture", 0.0), abs=0.002)


@pytest.mark.parametrize(("start_s", "share"), [(0.0, 1.0), (1.9, 0.525), (2.0, None), (4.0, None)])
def test_the_same_seconds_of_one_file(start_s, share):
    """Two list rows may name one span of a whole video; more than half of the shorter one's time is a repeat."""
    found = near_duplicates([row("a", source="x"), row("b", seed=2, source="x", start_s=start_s)], LIMIT)
    assert (found["b"]["value"] if found else None) == (pytest.approx(share) if share else None)


def test_silent_clips_are_not_one_recording():
    first, second = row("a"), row("b")
    assert near_duplicates([first | {"sound_hash": "0" * 128}, second | {"sound_hash": "0" * 128}], LIMIT) == {}


def test_few_pairs_at_the_limit_escape_the_search_for_candidates():
    rows = [row(f"{seed:03d}{copy}", seed, sound=0.119 * copy) for seed in range(300) for copy in (0, 1)]
    found = near_duplicates(rows, LIMIT)
    assert len(found) >= 290 and all(name.endswith("1") for name in found)


def test_the_order_of_rows_does_not_matter_and_a_limit_of_zero_finds_exact_repeats():
    rows = [row(f"{seed}{copy}", seed, 100.0 + copy, sound=0.02 * copy) for seed in range(20) for copy in (0, 1)]
    expected = {f"{seed}0" for seed in range(20)}
    assert set(near_duplicates(rows, LIMIT)) == set(near_duplicates(rows[::-1], LIMIT)) == expected
    assert near_duplicates(rows, 0.0) == {} and set(near_duplicates([row("a"), row("b")], 0.0)) == {"b"}

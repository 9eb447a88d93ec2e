"""Blinks that are drawn: their rate, length and shape, the same however the film is cut into windows."""

import numpy as np
import pytest

from models.motion.blinks import FPS, BlinkSequence, blink_shape, with_blinks


def runs(closed: np.ndarray) -> np.ndarray:
    """Frames [n, 2] at which something is shut, first and last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (closed > 0).astype(int), [0]])))
    return edges.reshape(-1, 2)


def test_sixteen_a_minute_and_no_film_of_six_seconds_without_or_with_more_than_three():
    closed = BlinkSequence(3).take(600 * FPS)
    assert len(runs(closed)) / 10 == pytest.approx(16, abs=1.0)
    for seed in range(100):
        assert 1 <= len(runs(BlinkSequence(seed).take(6 * FPS))) <= 3


def test_short_films_have_the_rate_of_long_ones():
    """Were the first blink drawn as late as any interval, films of five seconds would show 14 a minute."""
    counts = [len(runs(BlinkSequence(seed).take(5 * FPS))) for seed in range(400)]
    assert np.mean(counts) * 12 == pytest.approx(16, abs=0.8)
    assert min(counts) == 1 and max(counts) == 2


def test_lids_shut_whole_and_for_150_to_400_ms():
    closed = BlinkSequence(1).take(300 * FPS)
    lengths_s = np.diff(runs(closed)[1:-1], axis=1) / FPS
    assert lengths_s.min() >= 0.15 and lengths_s.max() <= 0.4
    peaks = [closed[first:last].max() for first, last in runs(closed)[1:-1]]
    assert min(peaks) > 0.999


def test_windows_of_any_length_have_the_same_blinks():
    whole, cut = BlinkSequence(5).take(500), BlinkSequence(5)
    pieces = [cut.take(n) for n in (50, 49, 1, 150, 250)]
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-12)
    assert not np.array_equal(whole, BlinkSequence(6).take(500))


def test_the_shape_by_hand():
    """A third closing (smoothstep: a half at half of it), shut until a half, then opening."""
    share = np.array([-0.1, 0.0, 0.165, 0.33, 0.5, 0.75, 1.0, 1.2])
    assert blink_shape(share) == pytest.approx([0, 0, 0.5, 1, 1, 0.5, 0, 0])


class Eyes:
    """A face space whose first point is a lid, one above where it meets the other."""

    def shut_eyes(self, points, closed):
        moved = 0 * points
        moved[:, 0, 1] = closed * (1 - points[:, 0, 1])
        return moved


def test_motion_gets_the_blinks_and_keeps_its_pose():
    x_c, motion = np.array([[0.0, 0.2, 0.0], [0.0, 0.0, 0.0]]), np.arange(13.0 * 200).reshape(200, 13) / 1e4
    seen = np.concatenate(list(with_blinks(Eyes(), x_c, iter([motion[:80], motion[80:]]), seed=2)))
    np.testing.assert_array_equal(seen[:, -7:], motion[:, -7:])
    closed = BlinkSequence(2).take(200)
    lid = 0.2 + motion[:, 1]
    np.testing.assert_allclose(0.2 + seen[:, 1], lid + closed * (1 - lid))
    np.testing.assert_array_equal(np.delete(seen, 1, axis=1), np.delete(motion, 1, axis=1))


def test_a_rate_of_sixteen_is_the_rate_without_one():
    assert np.array_equal(BlinkSequence(4, np.array([16.0])).take(900), BlinkSequence(4).take(900))


def test_at_twice_the_rate_blinks_begin_in_half_the_time_and_last_as_long():
    own, fast = runs(BlinkSequence(4).take(2000)), runs(BlinkSequence(4, np.array([32.0])).take(1000))
    count = min(len(own), len(fast)) - 1
    np.testing.assert_allclose(fast[:count, 0], own[:count, 0] / 2, atol=1)
    assert np.median(np.diff(fast[:count])) == np.median(np.diff(own[:count]))


def test_a_rate_of_zero_is_none_and_what_began_before_it_ends():
    """40 a minute for the first minute, then none; in windows of any length."""
    rates = np.concatenate([np.full(1500, 40.0), [0.0]])
    whole, cut = BlinkSequence(8, rates).take(6000), BlinkSequence(8, rates)
    assert len(runs(whole)) == pytest.approx(40, abs=3) and runs(whole)[-1, 1] < 1500 + 10
    np.testing.assert_allclose(np.concatenate([cut.take(n) for n in (7, 1493, 1, 4499)]), whole, atol=1e-9)
    assert not BlinkSequence(8, np.zeros(1)).take(5000).any()

from __future__ import annotations

import pytest

from pipeline.compute.prefetch import prefetch


def test_items_and_their_order_are_kept():
    assert list(prefetch(iter(range(100)), 3)) == list(range(100))


def test_an_exception_comes_at_its_place():
    def items():
        yield 1
        raise KeyError("broken")

    stream = prefetch(items())
    assert next(stream) == 1
    with pytest.raises(KeyError, match="broken"):
        next(stream)


def test_the_source_is_closed_when_the_consumer_stops_and_never_runs_far_ahead():
    made, closed = [], []

    def items():
        try:
            for value in range(1000):
                made.append(value)
                yield value
        finally:
            closed.append(True)

    stream = prefetch(items(), ahead=2)
    next(stream)
    stream.close()
    assert closed == [True]
    assert len(made) < 20

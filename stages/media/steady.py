"""Any frame rate, constant or not -> a constant one, by presentation time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TypeVar

Picture = TypeVar("Picture")
HALF = Fraction(1, 2)


def steady(pictures: Iterable[tuple[Fraction, Picture]], fps: int, first: int = 0) -> Iterator[tuple[int, Picture]]:
    """(presentation time in s, picture), in order -> (i, picture) for i = first, first + 1, ...

    Output i shows the last picture that appears before (i + 1/2) / fps: each picture appears within half an output
    frame of its time, whatever the source rate. What is shown before the first picture is the first picture. The
    last picture is given once: the caller knows how long it lasts.
    """
    index, shown = first, None
    for time, picture in pictures:
        while shown is not None and (index + HALF) / fps <= time:
            yield index, shown
            index += 1
        shown = picture
    if shown is not None:
        yield index, shown

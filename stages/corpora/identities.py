"""Who appears: a few real portraits from packages, and variants of them in shape, colour, voice and manner.

The last identity is a portrait that no other identity uses: it speaks in HDTF alone, with sentences of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.corpora.head import HeadStyle
from stages.corpora.speech import Voice


@dataclass(frozen=True)
class Portrait:
    """A picture: `weight` in the weights table (None: scikit-image's astronaut) and the square to take from it."""

    weight: str | None
    x_px: int
    y_px: int
    side_px: int
    woman: bool


PORTRAITS: dict[str, Portrait] = {
    "f15": Portrait("portrait_pyfeat_f15", 0, 0, 512, True),
    "single": Portrait("portrait_pyfeat_single", 65, 60, 420, False),
    "f1": Portrait("portrait_pyfeat_f1", 0, 0, 512, True),
    "f13": Portrait("portrait_pyfeat_f13", 0, 0, 512, True),
    "astronaut": Portrait(None, 90, 0, 260, True),
}
HELD_OUT_PORTRAIT = "astronaut"
_CYCLE = ("f15", "single", "f1", "f13")
_WOMEN_VOICES = ("en-us+f2", "en+f3", "en-us+f4", "en-us+f1", "en-gb-x-rp+f2", "en-us+f5")
_MEN_VOICES = ("en-us+m3", "en+m1", "en-us+m7", "en-gb-scotland+m2")
_HELD_OUT_VOICE = "en-us+f3"

# mirrored, tint (lightness gain, a and b shift in Lab) of the first, second ... person made of one portrait
_VARIANTS = (
    (False, (1.00, 0.0, 0.0)),
    (True, (0.86, 3.0, 7.0)),
    (False, (1.08, -4.0, -5.0)),
    (True, (0.78, 5.0, 4.0)),
)


@dataclass(frozen=True)
class Identity:
    """One person of the corpora. `shape` scales the resting face: width of the jaw, length of the lower face,
    width of the mouth; `tint` is a lightness gain and shifts of a and b in Lab."""

    number: int
    portrait: str
    mirrored: bool
    stretch: float
    tint: tuple[float, float, float]
    shape: tuple[float, float, float]
    voice: Voice
    head: HeadStyle

    @property
    def woman(self) -> bool:
        return PORTRAITS[self.portrait].woman


def make_identities(count: int, seed: int) -> list[Identity]:
    """`count` >= 2 identities; the last one is held out. Same arguments, same people."""
    known = [_variant(number, _CYCLE[number % len(_CYCLE)], number // len(_CYCLE), seed)
             for number in range(count - 1)]
    return [*known, _variant(count - 1, HELD_OUT_PORTRAIT, 0, seed)]


def _variant(number: int, portrait: str, turn: int, seed: int) -> Identity:
    mirrored, tint = _VARIANTS[turn % len(_VARIANTS)]
    rng = np.random.default_rng([seed, 1, number])
    voices = _WOMEN_VOICES if PORTRAITS[portrait].woman else _MEN_VOICES
    name = _HELD_OUT_VOICE if portrait == HELD_OUT_PORTRAIT else voices[(turn * 3 + number) % len(voices)]
    voice = Voice(name, int(rng.integers(160, 178)), int(rng.integers(38, 62)), int(rng.integers(45, 65)))
    head = HeadStyle(tuple(rng.uniform([1.2, 2.0, 0.8], [2.4, 4.2, 1.8]).round(3).tolist()),
                     round(rng.uniform(0.010, 0.022), 4), round(rng.uniform(0.006, 0.014), 4),
                     round(rng.uniform(1.0, 3.0), 3), round(rng.uniform(12, 20), 2))
    stretch, *shape = rng.uniform([0.94, 0.96, 0.95, 0.94], [1.07, 1.04, 1.05, 1.08]).round(3).tolist()
    if turn == 0:  # the portrait as it is
        stretch, shape = 1.0, (1.0, 1.0, 1.0)
    return Identity(number, portrait, mirrored, stretch, tint, tuple(shape), voice, head)

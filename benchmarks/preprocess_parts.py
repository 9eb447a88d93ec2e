"""Which part of preprocessing the time goes to, by a profile of the plain loop (`benchmarks.preprocess`)."""

from __future__ import annotations

import cProfile
import pstats
from collections import Counter
from collections.abc import Callable

PARTS = {  # the first word that a profiled function's name or file holds
    "networks (faces, voice)": ("onnxruntime", "scrfd.py", "detectors.py", "voice.py", "blobFromImage",
                                "copyMakeBorder"),
    "decode": ("video.py:", "media/steady.py", "looking.py"),
    "sound": ("sound.py",), "encode and write": ("pipeline/media/film.py", "encode", "soundfile"),
    "cut": ("models/face/driving_crop.py", "cropping.py", "resize"), "shots": ("shots.py",),
    "measure": ("measures.py", "likeness.py", "preprocess_piece.py"),
}


def cost_by_part(work: Callable[[cProfile.Profile], object]) -> list[tuple[str, float]]:
    """(part, share of the time) of what `work` runs under the profile it is given, the dearest first."""
    profile = cProfile.Profile()
    work(profile)
    spent: Counter[str] = Counter()
    for (file, line, name), (_, _, own_s, _, callers) in pstats.Stats(profile).stats.items():
        part = _part(f"{file}:{line}:{name}") or _by_callers(callers)
        spent[part] += own_s
    total = sum(spent.values())
    return [(part, seconds / total) for part, seconds in spent.most_common()]


def _part(place: str) -> str | None:
    return next((part for part, words in PARTS.items() if any(word in place for word in words)), None)


def _by_callers(callers: dict) -> str:
    """The part of a library's function: that of the caller of ours that spent most in it."""
    for (file, line, name), _ in sorted(callers.items(), key=lambda item: -item[1][2]):
        part = _part(f"{file}:{line}:{name}")
        if part:
            return part
    return "rest"

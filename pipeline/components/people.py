"""Who is who among the kept clips: identities that are one person, or one video, form one group.

AVSpeech, CelebV-Text and MAFW name no people. Their clips are joined with each other's and with named people's where
the faces' vectors are near (`split.same_person`), named people never with each other: components of that graph over
all clips, whatever their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from models.judges.identity import read_identities

BLOCK = 4096   # clips against clips at once: 64 MB of cosines


@dataclass(frozen=True)
class Joined:
    """What the faces said."""

    clips: int        # whose faces were compared
    identities: int   # that share a person with another one
    people: int       # that those are
    largest: int      # identities of the person with the most

    def __str__(self) -> str:
        if not self.identities:
            return f"no two identities look alike ({self.clips} clips compared by their faces)"
        return f"{self.identities} identities were joined to {self.people} people by their faces ({self.clips} clips " \
               f"compared; the largest has {self.largest})"


def group(clips: list[dict], same: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    """Identity -> name of its group: the first of all identities that share a YouTube video, or are a pair of `same`,
    directly or by others."""
    parent = {clip["identity"]: clip["identity"] for clip in clips}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    def join(a: str, b: str) -> None:
        first, other = sorted((root(a), root(b)))
        parent[other] = first

    of_video: dict[str, str] = {}
    for clip in clips:
        video = clip.get("youtube_id")
        if video:
            join(of_video.setdefault(video, clip["identity"]), clip["identity"])
    for a, b in same:
        join(a, b)
    return {identity: root(identity) for identity in parent}


def same_people(clips: list[dict], named: set[str], least: float) -> Iterator[tuple[str, str]]:
    """Pairs of identities of which two clips have vectors with a cosine of `least` or more; `named`: corpora whose
    identities are people, which are not compared with each other. Raises ValueError for vectors of two networks."""
    clips = sorted((clip for clip in clips if clip.get("identity_vector")), key=lambda clip: clip["clip_id"])
    vectors = read_identities([clip["identity_vector"] for clip in clips])
    names, identity = np.unique([clip["identity"] for clip in clips], return_inverse=True)
    known = np.array([clip["corpus"] in named for clip in clips], bool)
    for top in range(0, len(clips), BLOCK):
        for left in range(top, len(clips), BLOCK):
            rows, columns = slice(top, top + BLOCK), slice(left, left + BLOCK)
            near = vectors[rows] @ vectors[columns].T >= least
            near &= identity[rows, None] != identity[None, columns]
            near &= ~(known[rows, None] & known[None, columns])
            first, second = np.nonzero(near)
            pairs = np.sort(np.stack([identity[rows][first], identity[columns][second]], axis=1), axis=1)
            for a, b in np.unique(pairs, axis=0):
                yield str(names[a]), str(names[b])


def who_is_who(clips: list[dict], named: set[str], least: float) -> tuple[dict[str, str], Joined | None]:
    """Identity -> group, and what the faces said (None: no clip has a vector)."""
    compared = sum(bool(clip.get("identity_vector")) for clip in clips)
    if not compared:
        return group(clips), None
    pairs = sorted(set(same_people(clips, named, least)))
    by_face = group([{"identity": name} for pair in pairs for name in pair], pairs)
    sizes = Counter(by_face.values())
    return group(clips, pairs), Joined(compared, len(by_face), len(sizes), max(sizes.values(), default=0))

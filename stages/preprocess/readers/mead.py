"""MEAD: `<actor>/video/<view>/<emotion>/level_<n>/<NNN>.mp4` and `<actor>/audio/<emotion>/level_<n>/<NNN>.m4a`.

Some archives nest one more folder (`video/1/front/...`); flat copies are named `M003#angry#level_1#001.mp4` or
`M003_ang_1_001.mp4`. There is no list: what is there is taken, front view alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

from stages.preprocess.readers.folder import Folder
from stages.preprocess.readers.rows import ClipRow, Row

EMOTIONS = ("angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
SHORT = {name[:3]: name for name in EMOTIONS}
VIEWS = ("down", "front", "left_30", "left_60", "right_30", "right_60", "top")
ACTOR = r"(?P<actor>[MW]\d{3})"
TREE = re.compile(rf"(?:.*/)?{ACTOR}/(?:.*/)?(?P<view>{'|'.join(VIEWS)})/(?P<emotion>{'|'.join(EMOTIONS)})"
                  r"/level_(?P<level>[123])/(?P<take>\d+)\.\w+")
SOUND = re.compile(rf"(?:.*/)?{ACTOR}/(?:.*/)?(?P<emotion>{'|'.join(EMOTIONS)})"
                   r"/level_(?P<level>[123])/(?P<take>\d+)\.\w+")
FLAT = re.compile(rf"{ACTOR}(?:#(?P<view>{'|'.join(VIEWS)}))?#(?P<emotion>{'|'.join(EMOTIONS)})"
                  r"#level_(?P<level>[123])#(?P<take>\d+)")
EAT = re.compile(rf"{ACTOR}_(?P<emotion>{'|'.join(SHORT)})_(?P<level>[123])_(?P<take>\d+)")
COMMUNITY_TEST = ("M003", "M030", "W009", "W015")  # actors that later work (EVP, EAT, EDTalk) tests on
TEST_TAKES = {"neutral": 10}  # the last takes of each level are the official test set
TEST_TAKES_OTHER = 6

Take = tuple[str, str, int, str]  # actor, emotion, level, take


def read(folder: Folder) -> Iterator[Row]:
    """Rows of every video whose path or name is one of MEAD's forms; others are rejected as `unlisted`."""
    sounds = {take: name for name in folder.sounds if (take := _take(name, SOUND))}
    parsed = {name: (take, _view(name)) for name in folder.videos if (take := _take(name, TREE))}
    tests = _official_tests(take for take, view in parsed.values() if view == "front")
    for name, (take, view) in parsed.items():
        sound = sounds.get(take)
        for used in filter(None, (name, sound)):
            folder.use(used)
        yield _row(folder, name, take, view, sound, take in tests)
    yield from folder.leftovers()


def _match(name: str, tree: re.Pattern) -> re.Match | None:
    stem = PurePosixPath(name).stem
    return tree.fullmatch(name) or FLAT.fullmatch(stem) or EAT.fullmatch(stem)


def _take(name: str, tree: re.Pattern) -> Take | None:
    found = _match(name, tree)
    if not found:
        return None
    return found["actor"], SHORT.get(found["emotion"], found["emotion"]), int(found["level"]), found["take"]


def _view(name: str) -> str:
    found = _match(name, TREE)
    return (found and found.groupdict().get("view")) or "front"


def _official_tests(takes) -> set[Take]:
    groups: dict[tuple, list[Take]] = defaultdict(list)
    for take in takes:
        groups[take[:3]].append(take)
    tests: set[Take] = set()
    for (_, emotion, _), found in groups.items():
        count = TEST_TAKES.get(emotion, TEST_TAKES_OTHER)
        if len(found) > count:
            tests.update(sorted(found, key=lambda take: int(take[3]))[-count:])
    return tests


def _row(folder: Folder, name: str, take: Take, view: str, sound: str | None, is_test: bool) -> Row:
    actor, emotion, level, number = take
    key, identity = f"{actor}#{view}#{emotion}#level_{level}#{number}", f"mead/{actor}"
    if view != "front":
        return folder.reject(key, name, "view", f"view {view}; only the front view is used", identity)
    return ClipRow(folder.corpus, key, name, identity, sound, emotion=emotion, level=level, language="English",
                   official_split="test" if is_test else "train",
                   community_split="test" if actor in COMMUNITY_TEST else "train")

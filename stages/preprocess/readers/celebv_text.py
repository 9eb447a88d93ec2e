"""CelebV-Text: `celebvtext_info.json` in its three generations, `processed/<clip>.mp4` or `raw/<YouTube id>.mp4`.

Generations: {"clips": {...}} with pixel boxes; {"clips_set1": ..., "clips_set2": ...}; a flat dictionary with
normalised boxes. Keys may end in `.mp4` or not. Sound is in the file or in a separate folder under the clip's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.preprocess.readers.folder import Folder
from stages.preprocess.readers.manifests import YOUTUBE_ID, number, read_json, span
from stages.preprocess.readers.rows import ClipRow, Row

EXPAND = 0.02  # the official crop widens each side of the box by this share of the picture


def read(folder: Folder) -> Iterator[Row]:
    """Rows of the manifest; without one, of every video file."""
    manifest = folder.manifest("celebvtext_info.json", "celebv*_info.json", "celebv*.json")
    if manifest is None:
        for name in folder.videos:
            stem = Path(name).stem
            yield ClipRow(folder.corpus, stem, name, f"celebv_text/{stem[:11]}", folder.sound(stem),
                          youtube_id=stem[:11])
    else:
        entries, repeated = _entries(manifest)
        for key, info in sorted(entries.items()):
            yield _row(folder, manifest, key, info)
        for key in sorted(repeated):
            yield folder.reject(key, manifest.relative_to(folder.root).as_posix(), "listed_twice",
                                "a second clip of the same name; there is one file of that name at most")
    yield from folder.leftovers(unlisted=manifest is not None)


def _entries(manifest: Path) -> tuple[dict[str, Any], list[str]]:
    """Clip name -> entry, and the names that come again: set 2 repeats names of set 1."""
    data = read_json(manifest)
    parts = [data[name] for name in ("clips", "clips_set1", "clips_set2") if isinstance(data.get(name), dict)]
    entries: dict[str, Any] = {}
    repeated: list[str] = []
    for part in parts or [data]:
        for key, info in part.items():
            name = key.removesuffix(".mp4")
            if name in entries:
                repeated.append(name)
            entries.setdefault(name, info)
    return entries, repeated


def _row(folder: Folder, manifest: Path, key: str, info: Any) -> Row:
    video = info.get("ytb_id") if isinstance(info, dict) else None
    video = video if isinstance(video, str) and YOUTUBE_ID.fullmatch(video) else key[:11]
    identity = f"celebv_text/{video}"
    name = folder.video(key, "processed") or folder.video(key)
    if name:
        return ClipRow(folder.corpus, key, name, identity, folder.sound(key), youtube_id=video)
    name = folder.video(video, "raw") or folder.video(video)
    if name is None:
        return folder.missing(key, manifest, identity)
    times, box = _span(info), _box(info)
    if times is None:
        return folder.reject(key, manifest.relative_to(folder.root).as_posix(), "bad_manifest_row",
                             "its `duration` holds no usable start and end", identity)
    return ClipRow(folder.corpus, key, name, identity, folder.sound(video, "raw"), start_s=times[0], end_s=times[1],
                   box=box, youtube_id=video)


def _span(info: Any) -> tuple[float, float] | None:
    duration = info.get("duration") if isinstance(info, dict) else None
    if not isinstance(duration, dict):
        return None
    # the README's second sample calls the seconds `start_frame` and `end_frame`
    start = duration.get("start_sec", duration.get("start_frame"))
    end = duration.get("end_sec", duration.get("end_frame"))
    return span(number(start), number(end))


def _box(info: Any) -> tuple[float, float, float, float] | None:
    box = info.get("bbox") if isinstance(info, dict) else None
    if not isinstance(box, dict):
        return None
    sides = [value for side in ("left", "top", "right", "bottom") if (value := number(box.get(side))) is not None]
    if len(sides) != 4 or sides[0] >= sides[2] or sides[1] >= sides[3]:
        return None
    left, top, right, bottom = sides
    if max(sides) <= 1.0:
        return max(0.0, left - EXPAND), max(0.0, top - EXPAND), min(1.0, right + EXPAND), min(1.0, bottom + EXPAND)
    return left, top, right, bottom

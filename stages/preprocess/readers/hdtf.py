"""HDTF: `HDTF_dataset/<subset>_{video_url,annotion_time,crop_wh}.txt` (their spelling) and cut clips or whole videos.

Clips are `<video>_<i>.mp4` (original) or `<subset>_<video>_<iii>.mp4` (universome's tool), perhaps cut further to
`...#<k>.mp4`; whole videos lie in `_videos_raw/`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from stages.preprocess.readers.folder import Folder
from stages.preprocess.readers.manifests import lines, number, span
from stages.preprocess.readers.rows import ClipRow, Row

SUBSETS = ("RD", "WDA", "WRA")
INTERVAL = re.compile(r"(\d{1,3}):(\d{2})(?::(\d{2}))?-(\d{1,3}):(\d{2})(?::(\d{2}))?")
YOUTUBE = re.compile(r"[?&]v=([A-Za-z0-9_-]{11})")


def read(folder: Folder) -> Iterator[Row]:
    """Rows of every listed interval; without lists, of every video file."""
    pieces = _pieces(folder)
    lists = [(subset, found) for subset in SUBSETS if (found := folder.manifest(
        f"{subset}_annotion_time.txt", f"{subset}_annotation_time.txt"))]
    for subset, manifest in lists:
        tables = {kind: _table(manifest, subset, kind) for kind in ("video_url", "crop_wh", "resolution")}
        rows = [cells for line in lines(manifest) if (cells := line.split())]
        for cells in rows:
            yield from _line(folder, subset, manifest, cells, tables, pieces)
        for video in sorted(set(tables["video_url"]) - {cells[0].removesuffix(".mp4") for cells in rows}):
            yield folder.reject(video, manifest.relative_to(folder.root).as_posix(), "no_times",
                                "a video with an address and without times", f"hdtf/{person(video)}")
    if not lists:
        for name in folder.videos:
            stem = PurePosixPath(name).stem
            yield ClipRow(folder.corpus, stem, name, f"hdtf/{person(_video_of(stem))}", folder.sound(stem))
    yield from folder.leftovers(unlisted=bool(lists))


def person(video: str) -> str:
    """Speaker of a video: `JimMcGovern1` and `JimMcGovern` are one person, `Radio1` and `Radio2` are two."""
    return video if video.startswith("Radio") else video.rstrip("0123456789") or video


def _video_of(stem: str) -> str:
    parts = stem.partition("#")[0].split("_")
    parts = parts[1:] if parts[0] in SUBSETS and len(parts) > 1 else parts
    return "_".join(parts[:-1]) if len(parts) > 1 and parts[-1].isdigit() else "_".join(parts)


def _pieces(folder: Folder) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in folder.videos:
        found[PurePosixPath(name).stem.split("#")[0]].append(name)
    return found


def _table(manifest: Path, subset: str, kind: str) -> dict[str, list[str]]:
    path = manifest.with_name(f"{subset}_{kind}.txt")
    found = [line.split() for line in lines(path)] if path.is_file() else []
    return {cells[0].removesuffix(".mp4"): cells[1:] for cells in found if cells}


def _line(folder: Folder, subset: str, manifest: Path, cells: list[str], tables, pieces) -> Iterator[Row]:
    video = cells[0].removesuffix(".mp4")
    url = YOUTUBE.search(" ".join(tables["video_url"].get(video, [])))
    for index, text in enumerate(cells[1:]):
        times = _times(text)
        if times is None:
            yield folder.reject(f"{video}_{index}", manifest.relative_to(folder.root).as_posix(), "bad_manifest_row",
                                f"{text[:60]!r} is not mm:ss-mm:ss", f"hdtf/{person(video)}")
        else:
            yield from _clips(folder, subset, manifest, video, index, times, url and url[1], tables, pieces)


def _times(text: str) -> tuple[float, float] | None:
    match = INTERVAL.fullmatch(text)
    if not match:
        return None
    start, end = ([int(g) for g in match.groups()[i:i + 3] if g is not None] for i in (0, 3))
    return span(*(float(sum(value * 60 ** power for power, value in enumerate(reversed(t)))) for t in (start, end)))


def _clips(folder: Folder, subset, manifest, video, index, times, url, tables, pieces) -> Iterator[Row]:
    key, identity = f"{video}_{index}", f"hdtf/{person(video)}"
    names = pieces.get(f"{subset}_{video}_{index:03d}") or pieces.get(key) or []
    for name in names:
        folder.use(name)
        stem = PurePosixPath(name).stem
        _, mark, part = stem.partition("#")
        yield ClipRow(folder.corpus, key + mark + part, name, identity, folder.sound(stem), youtube_id=url)
    if names:
        return
    whole = folder.video(f"{subset}_{video}") or folder.video(video)
    if whole:
        yield ClipRow(folder.corpus, key, whole, identity, folder.sound(PurePosixPath(whole).stem), start_s=times[0],
                      end_s=times[1], box=_box(tables["crop_wh"].get(key)),
                      box_height_px=_height(tables["resolution"].get(video)), youtube_id=url)
    else:
        yield folder.missing(key, manifest, identity)


def _height(cells: list[str] | None) -> float | None:
    """Height of the picture that crop_wh was made from; one video is listed with 0."""
    height = number(cells[0]) if cells else None
    return height if height and height > 0 else None


def _box(cells: list[str] | None) -> tuple[float, float, float, float] | None:
    """crop_wh is x, width, y, height in pixels of the listed resolution."""
    values = [value for cell in cells or [] if (value := number(cell)) is not None]
    if len(values) != 4 or len(cells or []) != 4:
        return None
    x, width, y, height = values
    return (x, y, x + width, y + height) if width > 1 and height > 1 else None

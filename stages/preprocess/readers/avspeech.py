"""AVSpeech: header-less CSVs (YouTube id, start s, end s, x, y of the face) beside downloaded segments.

Community copies have six columns (a serial number first) and a header. Segments are named
`<id>_<start>-<end>` or `<id>_<start>_<end>` in any folder, with the sound inside or beside them; a
whole video `<id>.mp4` serves too, the segment is then cut out of it. A copy in Parquet files has picture and sound
in columns of bytes (`stages.preprocess.readers.avspeech_tables`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from stages.preprocess.readers.avspeech_tables import table_rows
from stages.preprocess.readers.folder import Folder
from stages.preprocess.readers.manifests import YOUTUBE_ID, csv_rows, number, span
from stages.preprocess.readers.rows import ClipRow, Row

SEGMENT = re.compile(r"(?P<id>[A-Za-z0-9_-]{11})_(?P<start>\d+(?:\.\d+)?)[-_](?P<end>\d+(?:\.\d+)?)")
MATCH_S = 0.011  # tools round the times in file names to as little as two decimals


def read(folder: Folder) -> Iterator[Row]:
    """Rows of every `avspeech*.csv` and Parquet file; without a list, of every file that is named as a segment."""
    segments = _segments(folder)
    manifests = [path for path in folder.manifests("*.csv") if "avspeech" in path.name.lower()]
    for manifest in manifests:
        split = next((s for s in ("train", "test") if s in manifest.stem.lower()), None)
        for line, cells in csv_rows(manifest):
            yield from _row(folder, segments, manifest, line, cells, split)
    if not manifests:
        yield from _from_names(folder, segments)
    yield from table_rows(folder)
    yield from folder.leftovers()


def _segments(folder: Folder) -> dict[str, list[tuple[float, float, str]]]:
    found: dict[str, list[tuple[float, float, str]]] = {}
    for name in folder.videos:
        match = SEGMENT.fullmatch(PurePosixPath(name).stem)
        if match:
            found.setdefault(match["id"], []).append((float(match["start"]), float(match["end"]), name))
    return found


def _row(folder: Folder, segments, manifest: Path, line: int, cells: list[str], split: str | None) -> Iterator[Row]:
    cells = cells[1:] if len(cells) == 6 else cells
    if len(cells) == 5 and line == 1 and number(cells[1]) is None:
        return  # a header
    times = span(number(cells[1]), number(cells[2])) if len(cells) == 5 else None
    x, y = (number(cells[3]), number(cells[4])) if len(cells) == 5 else (None, None)
    if times is None or x is None or y is None or not YOUTUBE_ID.fullmatch(cells[0]):
        unsafe = bool(cells) and ("/" in cells[0] or ".." in cells[0])
        yield folder.reject(f"{manifest.name}:{line}", manifest.relative_to(folder.root).as_posix(),
                            "unsafe_path" if unsafe else "bad_manifest_row",
                            f"line {line} is not `YouTube id, start, end, x, y`: {','.join(cells)[:100]!r}")
        return
    yield _clip(folder, segments, manifest, cells[0], times, (x, y), split)


def _clip(folder: Folder, segments, manifest: Path, video: str, times, hint, split: str | None) -> Row:
    key, identity = f"{video}_{times[0]:.6f}-{times[1]:.6f}", f"avspeech/{video}"
    hint = hint if 0 <= hint[0] <= 1 and 0 <= hint[1] <= 1 else None
    meta = {"hint": hint, "official_split": split, "youtube_id": video}
    for start, end, name in segments.get(video, ()):
        if abs(start - times[0]) < MATCH_S and abs(end - times[1]) < MATCH_S:
            folder.use(name)
            return ClipRow(folder.corpus, key, name, identity, folder.sound(PurePosixPath(name).stem), **meta)
    whole = folder.video(video)
    if whole:
        return ClipRow(folder.corpus, key, whole, identity, folder.sound(video), *times, **meta)
    return folder.missing(key, manifest, identity)


def _from_names(folder: Folder, segments) -> Iterator[Row]:
    for video, found in sorted(segments.items()):
        for start, end, name in found:
            folder.use(name)
            yield ClipRow(folder.corpus, f"{video}_{start:.6f}-{end:.6f}", name, f"avspeech/{video}",
                          folder.sound(PurePosixPath(name).stem), youtube_id=video)

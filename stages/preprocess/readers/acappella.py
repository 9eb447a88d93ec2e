"""Acappella: `full_dataset.csv` (or the split files), whose Init and Fin are MINUTES.SECONDS: 3.24 is 204 s.

Clips are `samples/<ID>_<init>_to_<fin>.mp4` with `.` as `_`, or are cut out of `full-length/<ID>.<ext>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from stages.preprocess.readers.folder import Folder
from stages.preprocess.readers.manifests import YOUTUBE_ID, csv_rows, read_json, span
from stages.preprocess.readers.rows import ClipRow, CorpusError, Row

MANIFESTS = ("full_dataset.csv", "train.csv", "val_seen.csv", "test_seen.csv", "test_unseen.csv")
COLUMNS = ("ID", "Init", "Fin", "Singer", "Language")
TIME = re.compile(r"(\d{1,3})(?:\.(\d{1,2}))?")


def seconds(text: str) -> float | None:
    """Minutes.seconds as text -> seconds: `3.24` -> 204, `5.2` -> 320, `0.5` -> 50, `2.51` -> 171; None if malformed.

    Read as text because the fraction is a count of seconds: float arithmetic is a second off for 195 of 2,986 values.
    """
    match = TIME.fullmatch(text.strip())
    if not match:
        return None
    rest = int((match[2] or "0").ljust(2, "0"))
    return float(int(match[1]) * 60 + rest) if rest < 60 else None


def sample_id(video: str, init: str, fin: str) -> str:
    """File stem of a clip, from the CSV's texts: (`HRLcWZinlIE`, `0.31`, `3.24`) -> `HRLcWZinlIE_0_31_to_3_24`."""
    return f"{video}_{_file_time(init)}_to_{_file_time(fin)}"


def _file_time(text: str) -> str:
    return str(float(text)).replace(".", "_")  # 0 becomes 0_0, 5.20 becomes 5_2


def read(folder: Folder) -> Iterator[Row]:
    """Rows of `full_dataset.csv`, else of the split files; without any, of every sample."""
    manifests = [found for name in MANIFESTS if (found := folder.manifest(name))]
    full = [m for m in manifests if m.name == MANIFESTS[0]]
    splits = _splits(folder, manifests)
    for manifest in full or manifests:
        yield from _rows(folder, manifest, splits)
    if not manifests:
        for name in folder.videos:
            stem = Path(name).stem
            yield ClipRow(folder.corpus, stem, name, f"acappella/{stem[:11]}", youtube_id=stem[:11])
    yield from folder.leftovers(unlisted=bool(manifests))


def _splits(folder: Folder, manifests: list[Path]) -> dict[str, str]:
    """Sample id -> official split, from splits.json or the split files."""
    listed = folder.manifest("splits.json")
    if listed:
        data = read_json(listed)
        return {str(key): split for split, keys in data.items() if isinstance(keys, list) for key in keys}
    found = {}
    for manifest in manifests:
        if manifest.name != MANIFESTS[0]:
            for _, row in _dicts(manifest):
                if seconds(row["Init"]) is not None and seconds(row["Fin"]) is not None:
                    found[sample_id(row["ID"], row["Init"], row["Fin"])] = manifest.stem
    return found


def _dicts(manifest: Path) -> Iterator[tuple[int, dict[str, str]]]:
    rows = csv_rows(manifest)
    _, header = next(rows, (0, []))
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise CorpusError(f"{manifest}: no column {', '.join(missing)} in its header {header}")
    for line, cells in rows:
        yield line, dict(zip(header, cells + [""] * (len(header) - len(cells)), strict=False))


def _rows(folder: Folder, manifest: Path, splits: dict[str, str]) -> Iterator[Row]:
    for line, row in _dicts(manifest):
        times = span(seconds(row["Init"]), seconds(row["Fin"]))
        if times is None or not YOUTUBE_ID.fullmatch(row["ID"]):
            unsafe = "/" in row["ID"] or ".." in row["ID"]
            yield folder.reject(f"{manifest.name}:{line}", manifest.relative_to(folder.root).as_posix(),
                                "unsafe_path" if unsafe else "bad_manifest_row",
                                f"line {line}: ID {row['ID'][:50]!r}, times {row['Init'][:20]!r} {row['Fin'][:20]!r}")
            continue
        yield _clip(folder, manifest, row, times, splits)


def _clip(folder: Folder, manifest: Path, row: dict[str, str], times: tuple[float, float], splits) -> Row:
    key = sample_id(row["ID"], row["Init"], row["Fin"])
    identity = f"acappella/{row['Singer'] or row['ID']}"
    meta = {"language": row["Language"] or None, "official_split": splits.get(key), "youtube_id": row["ID"]}
    name = folder.video(key, "samples") or folder.video(key)
    if name:
        return ClipRow(folder.corpus, key, name, identity, folder.sound(key, "samples"), **meta)
    name = folder.video(row["ID"], "full-length") or folder.video(row["ID"])
    if name:
        return ClipRow(folder.corpus, key, name, identity, folder.sound(row["ID"], "full-length"), *times, **meta)
    return folder.missing(key, manifest, identity)

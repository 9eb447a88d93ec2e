"""A corpus folder: the files really in it, and nothing outside it."""

from __future__ import annotations

import csv
import math
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from stages.readers.rows import CorpusError, RejectRow, Row

VIDEO = frozenset({".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".flv", ".ts", ".3gp"})
SOUND = frozenset({".wav", ".m4a", ".aac", ".mp3", ".flac", ".ogg", ".opus"})
MAX_MANIFEST_BYTES = 512 << 20
MAX_LINE = 100_000
YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")


class Folder:
    """Index of a corpus' video and sound files by path inside it; links that lead out of it are kept apart.

    Manifests never form paths: their names are looked up here, so no manifest can point outside.
    """

    def __init__(self, corpus: str, root: Path):
        if not root.is_dir():
            raise CorpusError(f"{root} is not a folder: set raw.root so that it holds {corpus}/, "
                              f"or take {corpus} out of `corpora` in params.yaml")
        self.corpus, self.root = corpus, root.resolve()
        self.videos: list[str] = []
        self.sounds: list[str] = []
        self.unsafe: list[str] = []
        for path in sorted(_walk(self.root)):
            self._add(path)
        self._by_stem = {kind: _by_stem(paths) for kind, paths in (("video", self.videos), ("sound", self.sounds))}
        self._used: set[str] = set()

    def _add(self, path: Path) -> None:
        name, suffix = path.relative_to(self.root).as_posix(), path.suffix.lower()
        if path.is_symlink() and not _stays_inside(path, self.root):
            self.unsafe.append(name)
        elif not path.is_file():
            return  # a folder, a pipe, a device, a link to nothing: reading one might never end
        elif suffix in VIDEO:
            self.videos.append(name)
        elif suffix in SOUND:
            self.sounds.append(name)

    def video(self, stem: str, under: str | None = None) -> str | None:
        """Path of the video with this stem (below a folder of that name, where given) and mark it as listed."""
        return self._take("video", stem, under)

    def sound(self, stem: str, under: str | None = None) -> str | None:
        """Path of the sound file with this stem, and mark it as listed."""
        return self._take("sound", stem, under)

    def _take(self, kind: str, stem: str, under: str | None) -> str | None:
        for name in self._by_stem[kind].get(stem, ()):
            if under is None or under in PurePosixPath(name).parts[:-1]:
                self._used.add(name)
                return name
        return None

    def use(self, name: str) -> None:
        """Mark a video as listed."""
        self._used.add(name)

    def manifest(self, *names: str) -> Path | None:
        """First existing file of these names anywhere below the root, shallowest first."""
        for name in names:
            found = sorted((p for p in self.root.rglob(name) if p.is_file() and p.resolve().is_relative_to(self.root)),
                           key=lambda p: (len(p.parts), p))
            if found:
                return found[0]
        return None

    def leftovers(self, unlisted: bool = True) -> Iterator[Row]:
        """Reject rows for links that lead out and, where the corpus has a list, for videos that it does not name."""
        for name in self.unsafe:
            yield self.reject(PurePosixPath(name).stem, name, "unsafe_path", "the link leads out of the corpus folder")
        for name in self.videos if unlisted else ():
            if name not in self._used:
                yield self.reject(name, name, "unlisted", "the file is not in the corpus' list")

    def reject(self, key: str, source: str, code: str, detail: str, identity: str | None = None) -> RejectRow:
        return RejectRow(self.corpus, key[:500], source[:500], code, detail[:500], identity)

    def missing(self, key: str, manifest: Path, identity: str | None = None) -> RejectRow:
        """The reject row of a listed clip without a file; a name that tries to leave the folder gets its own code."""
        source = manifest.relative_to(self.root).as_posix()
        if is_unsafe(key):
            return self.reject(key, source, "unsafe_path", f"listed as {key[:100]!r}, not a plain name", identity)
        return self.reject(key, source, "missing_media", f"listed, but no video file named {key[:100]!r}", identity)


def is_unsafe(name: str) -> bool:
    """True where a listed name holds a path separator, a NUL or a parent reference."""
    return any(mark in name for mark in ("/", "\\", "\0")) or name in (".", "..")


def _stays_inside(path: Path, root: Path) -> bool:
    try:
        return path.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # links in a circle
        return False


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root, followlinks=False):
        for name in [*files, *(f for f in folders if (Path(folder) / f).is_symlink())]:
            yield Path(folder) / name


def _by_stem(names: list[str]) -> dict[str, list[str]]:
    index: dict[str, list[str]] = defaultdict(list)
    for name in names:
        index[PurePosixPath(name).stem].append(name)
    return index


def read_text(path: Path) -> str:
    """Text of a manifest: UTF-8 with or without a byte-order mark; other bytes are replaced, huge files refused."""
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise CorpusError(f"{path} is larger than {MAX_MANIFEST_BYTES >> 20} MiB: this is not a manifest")
    return path.read_bytes().decode("utf-8-sig", errors="replace")


def csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of a CSV; blank lines are left out, an overlong line becomes a row of one cell."""
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if len(line) > MAX_LINE:
            yield number, [line[:100]]
        elif line.strip():
            yield number, [cell.strip() for cell in next(csv.reader([line]))]


def number(text: str) -> float | None:
    """A finite number, else None."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def span(start: float | None, end: float | None) -> tuple[float, float] | None:
    """(start, end) in seconds where both are finite, not negative and in order, else None."""
    if start is None or end is None or start < 0 or end <= start or end > 1e6:
        return None
    return start, end

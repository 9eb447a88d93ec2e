"""A corpus folder: the files really in it, and nothing outside it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from stages.preprocess.readers.rows import CorpusError, RejectRow, Row

VIDEO = frozenset({".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".flv", ".ts", ".3gp", ".3g2", ".mts", ".m2ts",
                   ".mpg", ".mpeg", ".wmv", ".ogv"})
SOUND = frozenset({".wav", ".m4a", ".aac", ".mp3", ".flac", ".ogg", ".opus"})
MAX_SHOWN = 500   # letters of a name or reason in a reject row
TABLE, ARCHIVE = frozenset({".parquet"}), frozenset({".zip", ".tar", ".rar", ".7z", ".gz", ".tgz"})
PACKED = TABLE | ARCHIVE


class Folder:
    """Index of a corpus' video and sound files by path inside it; links that lead out of it are kept apart.

    Manifests never form paths: their names are looked up here, so no manifest can point outside.
    """

    def __init__(self, corpus: str, root: Path, listed: list[str] | None = None,
                 opened: Callable[[str], BinaryIO] | None = None):
        """`listed`: names of media that lie elsewhere and are read by `opened`; `root` then holds the manifests
        alone."""
        if not root.is_dir():
            raise CorpusError(f"{root} is not a folder: put the path of your data into corpora.{corpus}.path in "
                              f"params.yaml, or take {corpus} out of `corpora`")
        self.corpus, self.root = corpus, root.resolve()
        self._opened = opened or (lambda name: (self.root / name).open("rb"))
        self.videos: list[str] = []
        self.sounds: list[str] = []
        self.refused: list[tuple[str, str, str]] = []   # name, code, detail
        self.tables: list[str] = []
        self.archives: list[str] = []
        for path in sorted(self._walk()):
            self._add(path)
        for name in sorted(listed or ()):
            self._add_name(name)
        self._by_stem = {kind: _by_stem(paths) for kind, paths in (("video", self.videos), ("sound", self.sounds))}
        self._used: set[str] = set()

    def _walk(self) -> Iterator[Path]:
        def refuse(error: OSError) -> None:
            name = Path(error.filename).relative_to(self.root).as_posix()
            self.refused.append((name, "unreadable_file", f"a folder: {error.strerror}"))

        for folder, folders, files in os.walk(self.root, onerror=refuse, followlinks=False):
            for name in [*files, *(f for f in folders if (Path(folder) / f).is_symlink())]:
                yield Path(folder) / name

    def _add(self, path: Path) -> None:
        name = path.relative_to(self.root).as_posix()
        if path.is_symlink() and not _stays_inside(path, self.root):
            self.refused.append((name, "unsafe_path", "the link leads out of the corpus folder: copy the file to here, "
                                                      "or let `path` be the folder that the links lead to"))
        elif path.is_file():
            self._add_name(name)
        elif path.suffix.lower() in VIDEO and not path.is_dir():  # reading one might never end
            self.refused.append((name, "not_a_file", "a pipe, a socket, a device or a link to nothing"))

    def _add_name(self, name: str) -> None:
        if is_unsafe_path(name):
            self.refused.append((name, "unsafe_path", "the name leads out of the corpus folder"))
            return
        suffix = PurePosixPath(name).suffix.lower()
        for suffixes, names in ((VIDEO, self.videos), (SOUND, self.sounds), (TABLE, self.tables),
                                (ARCHIVE, self.archives)):
            if suffix in suffixes and _is_text(name):
                names.append(name)
            elif suffix in suffixes:
                self.refused.append((name, "bad_name", "its name is not UTF-8: rename it"))

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
        """Mark a file as listed."""
        self._used.add(name)

    def open(self, name: str) -> BinaryIO:
        """A file of the corpus, wherever it lies, to be read from any place. Raises OSError, ObjectMissing."""
        return self._opened(name)

    @property
    def unread_archives(self) -> list[str]:
        """Archives that no reader has opened."""
        return [name for name in self.archives if name not in self._used]

    @property
    def unused_sounds(self) -> int:
        """Sound files that belong to no clip that was read."""
        return len(set(self.sounds) - self._used)

    def manifest(self, *names: str) -> Path | None:
        """First existing file of these names anywhere below the root, shallowest first."""
        return next((path for name in names for path in self.manifests(name)), None)

    def manifests(self, pattern: str) -> list[Path]:
        """Files that a name pattern fits, anywhere below the root, shallowest first; none that lies outside it."""
        return sorted((p for p in self.root.rglob(pattern) if _stays_inside(p, self.root) and p.is_file()),
                      key=lambda p: (len(p.parts), p))

    def leftovers(self, unlisted: bool = True) -> Iterator[Row]:
        """Reject rows for what is refused by its name or kind and, where the corpus has a list, for videos that it does
        not name."""
        for name, code, detail in self.refused:
            yield self.reject(PurePosixPath(name).stem, name, code, detail)
        for name in self.videos if unlisted else ():
            if name not in self._used:
                yield self.reject(name, name, "unlisted", "the file is not in the corpus' list")

    def reject(self, key: str, source: str, code: str, detail: str, identity: str | None = None) -> RejectRow:
        return RejectRow(self.corpus, _printable(key), _printable(source), code, _printable(detail),
                         identity and _printable(identity))

    def missing(self, key: str, manifest: Path, identity: str | None = None) -> RejectRow:
        """The reject row of a listed clip without a file; a name that tries to leave the folder gets its own code."""
        source = manifest.relative_to(self.root).as_posix()
        if is_unsafe(key):
            return self.reject(key, source, "unsafe_path", f"listed as {key[:100]!r}, not a plain name", identity)
        return self.reject(key, source, "missing_media", f"listed, but no video file named {key[:100]!r}", identity)


def _is_text(name: str) -> bool:
    """False for a file name that is not UTF-8: Python holds its bytes as lone surrogates, which nothing can write."""
    return not any("\ud800" <= mark <= "\udfff" for mark in name)


def _printable(text: str) -> str:
    return text[:MAX_SHOWN].encode("utf-8", "backslashreplace").decode()


def is_unsafe(name: str) -> bool:
    """True where a listed name holds a path separator, a NUL or a parent reference."""
    return any(mark in name for mark in ("/", "\\", "\0")) or name in (".", "..")


def is_unsafe_path(name: str) -> bool:
    """True where a relative path of several parts could lead out of its root."""
    return name.startswith("/") or any(part in ("", ".", "..") or is_unsafe(part) for part in name.split("/"))


def is_hidden(name: str) -> bool:
    """True where a file or a folder around it is a system's own: `.name`, or what an archive from a Mac adds."""
    return any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX"
               for part in PurePosixPath(name).parts)


def _stays_inside(path: Path, root: Path) -> bool:
    try:
        return path.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # links in a circle
        return False


def _by_stem(names: list[str]) -> dict[str, list[str]]:
    index: dict[str, list[str]] = defaultdict(list)
    for name in names:
        index[PurePosixPath(name).stem].append(name)
    return index

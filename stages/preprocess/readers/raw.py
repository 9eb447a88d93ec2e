"""Where a corpus' raw media are: a local folder or an S3 prefix, as files of their own or inside larger ones.

Readers see names alone. A name becomes a file on this machine only while its clip is worked on, one file a worker,
so that a corpus in S3 needs no disk of its size.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pipeline.core.fingerprint import digest
from pipeline.core.known_sha256 import known_sha256
from pipeline.core.paths import WORK
from pipeline.storage.s3_raw import Entry, RawObjects, raw_objects
from stages.preprocess.readers.folder import PACKED, SOUND, VIDEO, Folder, is_unsafe_path
from stages.preprocess.readers.manifests import MAX_MANIFEST_BYTES
from stages.preprocess.readers.packed import IN_FILE, member_parts, member_size, unpack
from stages.preprocess.readers.rows import CorpusError

REMOTE = "s3://"
MANIFESTS = frozenset({".csv", ".tsv", ".json", ".jsonl", ".txt", ".xlsx"})


@dataclass(frozen=True)
class Source:
    """Gets one raw file on this machine; small, so that it travels to any worker."""

    location: str

    def fetch(self, name: str, scratch: Path) -> Path:
        """The file of this name: where it lies, or a copy in `scratch`. Raises OSError, ObjectMissing."""
        if IN_FILE in name:
            return unpack(self, name, scratch)
        if self.location.startswith(REMOTE):
            target = scratch / f"raw{PurePosixPath(name).suffix.lower()}"
            _objects(self.location).fetch(name, target)
            return target
        return Path(self.location).absolute() / name

    def open(self, name: str) -> BinaryIO:
        """The file of this name, read where it lies, from any place. Raises OSError, ObjectMissing."""
        if self.location.startswith(REMOTE):
            return _objects(self.location).open(name)
        return (Path(self.location) / name).open("rb")


@dataclass
class RawCorpus:
    """One corpus: its folder as the readers see it, and what its files are."""

    folder: Folder
    source: Source
    stamp: Callable[[str], str] = field(repr=False)   # name -> what changes when the file does
    size: Callable[[str], int] = field(repr=False)    # name -> bytes


def open_raw(corpus: str, location: str) -> RawCorpus:
    """Open the folder or S3 prefix of a corpus of this name; raises CorpusError where it is not there."""
    return _remote(location.rstrip("/"), corpus) if location.startswith(REMOTE) else _local(Path(location), corpus)


def is_sha256(stamp: str) -> bool:
    """Whether a stamp is the hash of the file's own bytes; others hold a space."""
    return " " not in stamp


def _local(root: Path, corpus: str) -> RawCorpus:
    sha256, source = cache(known_sha256), Source(str(root))  # rows of a Parquet file ask for the same one

    def stamp(name: str) -> str:
        path, _, row = name.partition(IN_FILE)
        if member_size(name) is not None:
            return _member_sha256(source, name)
        return f"{sha256(root / path)} {row}" if row else sha256(root / path)

    def size(name: str) -> int:
        return _packed_size(name) if IN_FILE in name else (root / name).stat().st_size

    return RawCorpus(Folder(corpus, root), source, stamp, size)


def _member_sha256(source: Source, name: str) -> str:
    digested = hashlib.sha256()
    for part in member_parts(source, name):
        digested.update(part)
    return digested.hexdigest()


def _packed_size(name: str) -> int:
    return member_size(name) or 0    # what a cell holds is known when it is read


def _remote(location: str, corpus: str) -> RawCorpus:
    entries = {entry.key: entry for entry in _objects(location).entries()}
    if not entries:
        raise CorpusError(f"there is nothing below {location}/: put the address of your data into "
                          f"corpora.{corpus}.path in params.yaml, or take {corpus} out of `corpora`")
    media = [key for key in entries if PurePosixPath(key).suffix.lower() in VIDEO | SOUND | PACKED]
    source = Source(location)

    def stamp(name: str) -> str:
        key, _, place = name.partition(IN_FILE)
        return f"etag {entries[key].etag} {entries[key].bytes} {place}".rstrip()

    def size(name: str) -> int:
        return _packed_size(name) if IN_FILE in name else entries[name].bytes

    folder = Folder(corpus, _mirror(location, list(entries.values())), media, source.open)
    return RawCorpus(folder, source, stamp, size)


def _mirror(location: str, entries: list[Entry]) -> Path:
    """A local folder with the manifests of a corpus in S3; made anew when one of them has changed."""
    wanted = [e for e in entries if PurePosixPath(e.key).suffix.lower() in MANIFESTS and not is_unsafe_path(e.key)]
    for entry in wanted:
        if entry.bytes > MAX_MANIFEST_BYTES:
            raise CorpusError(f"{location}/{entry.key} is larger than {MAX_MANIFEST_BYTES >> 20} MiB: this is not a "
                              "manifest")
    root = WORK.absolute() / "work" / "raw" / digest(location, [[e.key, e.etag] for e in wanted])
    if not root.is_dir():
        partial = root.with_name(f".{root.name}")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for entry in wanted:
            _objects(location).fetch(entry.key, partial / entry.key)
        partial.rename(root)
    return root


@lru_cache(maxsize=8)
def _objects(location: str) -> RawObjects:
    return raw_objects(location)


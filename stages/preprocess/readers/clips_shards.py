"""WebDataset tar shards: the members of one key are one sample, `000/a.mp4`, `000/a.json`, `000/a.wav`.

Only headers and the small JSON members are read here; a video is read while its clip is worked on.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TypeVar

from pipeline.storage.s3_errors import S3Unavailable
from stages.preprocess.readers.folder import SOUND, VIDEO, Folder, is_hidden, is_unsafe_path
from stages.preprocess.readers.packed import SHARD, member_name
from stages.preprocess.readers.rows import RejectRow

JSON, MAX_JSON_BYTES = ".json", 1 << 20
BROKEN = (tarfile.TarError, OSError, ValueError, EOFError, OverflowError)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Sample:
    """A video of a shard. `member`: its own path there; `values`: its JSON member."""

    shard: str
    member: str
    media: str
    audio: str | None
    values: dict[str, object]


def shards(folder: Folder) -> list[str]:
    """The plain tar files; compressed ones cannot be read from any place."""
    return [name for name in folder.archives if name.lower().endswith(SHARD)]


def shard_samples(folder: Folder, shard: str) -> Iterator[Sample | RejectRow]:
    """Samples of one shard; a shard without any video stays among the archives that were not read."""
    found = _Members()
    rejects: list[RejectRow] = []
    try:
        with folder.open(shard) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                rejects += _add(folder, shard, tar, member, found)
    except S3Unavailable:
        raise
    except BROKEN as error:
        rejects.append(folder.reject(shard, shard, "bad_manifest", f"not a whole tar file: {error}"))
    if found.videos:
        folder.use(shard)
    for name, media in sorted(found.videos.items()):
        yield Sample(shard, name, media, found.of(name, found.sounds), found.of(name, found.values) or {})
    yield from rejects


@dataclass
class _Members:
    """What a shard holds: of videos by member, of the others by member without its suffix."""

    videos: dict[str, str] = field(default_factory=dict)
    sounds: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, object]] = field(default_factory=dict)

    @staticmethod
    def of(member: str, others: dict[str, Value]) -> Value | None:
        """What goes with a video: `a.front.mp4` has `a.front.json`, else that of its key, `a.json`."""
        path = PurePosixPath(member)
        key = str(path.parent / path.name.partition(".")[0])
        return others.get(str(path.with_suffix(""))) or others.get(key)


def _add(folder: Folder, shard: str, tar: tarfile.TarFile, member: tarfile.TarInfo, found: _Members) -> list[RejectRow]:
    name = member.name.removeprefix("./")
    suffix, stem = PurePosixPath(name).suffix.lower(), name.rpartition(".")[0]
    if suffix not in VIDEO | SOUND | {JSON} or is_hidden(name):
        return []
    if is_unsafe_path(name):
        return [folder.reject(name, shard, "unsafe_path", f"the shard calls it {name[:100]!r}")]
    if not member.isreg() or member.issparse():
        return [folder.reject(name, shard, "not_a_file", "a link, a sparse file or a device in the shard")]
    if suffix == JSON:
        return _add_json(folder, shard, tar, member, stem, found)
    if suffix in VIDEO:
        found.videos[name] = member_name(shard, member.offset_data, member.size, name)
    else:
        found.sounds[stem] = member_name(shard, member.offset_data, member.size, name)
    return []


def _add_json(folder: Folder, shard: str, tar: tarfile.TarFile, member: tarfile.TarInfo, stem: str,
              found: _Members) -> list[RejectRow]:
    said = "larger than 1 MiB"
    file = tar.extractfile(member)   # None: not a regular file, which `_add` has rejected
    if file is not None and member.size <= MAX_JSON_BYTES:
        try:
            values = json.loads(file.read())
        except (ValueError, RecursionError) as error:
            said = f"not JSON: {error}"
        else:
            if isinstance(values, dict):
                found.values[stem] = values
                return []
            said = f"a {type(values).__name__}, not a dictionary"
    return [folder.reject(member.name, shard, "bad_manifest_row", f"{member.name[:100]}: {said}")]

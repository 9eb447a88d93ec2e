"""Read committed features: an index of all clips in memory, tensors clip by clip on demand."""

from __future__ import annotations

import resource
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from cachetools import LRUCache

from feature_store.manifest import Manifest, Shard, read_manifest
from feature_store.schema import MOTION, SPEECH, SchemaError, decode_tensor
from feature_store.shards import shard_key
from pipeline.core.paths import FEATURES, WORK
from pipeline.storage import open_storage

OTHER_FILES = 512  # that a process may have open beside the shards
CACHED_BYTES = 256 << 20  # decoded row groups that one reader keeps
INDEX_COLUMNS = ["clip_id", "corpus", "identity", "emotion", "level", "language", "frames"]
FETCHED = WORK / "shards"  # shards of an S3 store, fetched whole when they are first read


@dataclass(frozen=True, slots=True)
class ClipRow:
    """What is known of a clip without reading its tensors."""

    clip_id: str
    corpus: str
    identity: str
    emotion: str | None
    level: int | None
    language: str | None
    frames: int


@dataclass(frozen=True)
class ClipFeatures:
    """One clip's features at 25 fps; T frames, K key points."""

    clip: ClipRow
    x_c: np.ndarray  # [K, 3] float32 canonical key points
    motion: np.ndarray  # [T, 3K + 7] float32, m = [delta, rho] as in models.motion.motion
    speech: np.ndarray  # [T, D] float16
    moments: np.ndarray  # [2, 3K + 7] float64: mean and sum of squared distances from it, over T


class FeatureStore:
    """Committed features of one or more corpus folders.

    Raises FileNotFoundError where a manifest or shard is missing, SchemaError where the folders' features were
    made by different code, weights or parameters: such rows never mix.
    """

    def __init__(self, folders: Iterable[Path]):
        self.manifests = read_manifests(folders)
        self.fingerprints = one_fingerprint(self.manifests)
        self._groups: LRUCache[tuple, pa.Table] = LRUCache(
            CACHED_BYTES, getsizeof=lambda table: min(table.nbytes, CACHED_BYTES))  # one that is larger stays alone
        self._files: dict[Path, pq.ParquetFile] = {}
        allow_open_files(sum(len(manifest.shards) for manifest in self.manifests.values()))
        self._at = {MOTION: self._locate(MOTION), SPEECH: self._locate(SPEECH)}
        self._rows = dict(self._index())
        if self._at[MOTION].keys() != self._at[SPEECH].keys():
            raise SchemaError("motion and speech shards hold different clips: run `dvc repro extract`")

    def clips(self, keep: Iterable[str] | None = None) -> list[ClipRow]:
        """All clips sorted by id, or those of `keep` that are stored."""
        wanted = self._rows if keep is None else set(keep)
        return [self._rows[clip_id] for clip_id in sorted(self._rows) if clip_id in wanted]

    def load(self, clip_id: str) -> ClipFeatures:
        """Tensors of one clip; raises KeyError for a clip that is not stored."""
        row = self._rows[clip_id]
        motion = self._tensors(MOTION, row, ("x_c", "motion", "moments"))
        speech = self._tensors(SPEECH, row, ("features",))
        return ClipFeatures(row, motion[0], motion[1], speech[0], motion[2])

    def moments(self, clip_id: str) -> np.ndarray:
        """[2, 3K + 7] float64 of one clip, without reading its frames."""
        return self._tensors(MOTION, self._rows[clip_id], ("moments",))[0]

    def _tensors(self, family: str, row: ClipRow, names: Sequence[str]) -> list[np.ndarray]:
        path, group, index = self._at[family][row.clip_id]
        table = self._group(path, group, tuple(names))
        return [decode_tensor(table.schema.field(name), table[name][index].as_buffer(), row.frames)
                for name in names]

    def _group(self, path: Path, group: int, names: tuple[str, ...]) -> pa.Table:
        key = (path, group, names)
        table = self._groups.get(key)
        if table is None:
            table = self._file(path).read_row_group(group, columns=list(names), use_threads=False)
            self._groups[key] = table
        return table

    def _file(self, path: Path) -> pq.ParquetFile:
        if path not in self._files:
            self._files[path] = pq.ParquetFile(path, memory_map=True)
        return self._files[path]

    def _locate(self, family: str) -> dict[str, tuple[Path, int, int]]:
        found = {}
        for path in shard_paths(self.manifests, family):
            file = self._file(path)
            clip_ids = iter(file.read(columns=["clip_id"])["clip_id"].to_pylist())
            for group in range(file.num_row_groups):
                rows = range(file.metadata.row_group(group).num_rows)
                found.update({clip_id: (path, group, row) for row, clip_id in zip(rows, clip_ids, strict=False)})
        return found

    def _index(self) -> Iterable[tuple[str, ClipRow]]:
        for path in shard_paths(self.manifests, MOTION):
            for row in self._file(path).read(columns=INDEX_COLUMNS).to_pylist():
                yield row["clip_id"], ClipRow(**row)


def open_store(corpora: Iterable[str]) -> FeatureStore:
    """The committed features of these corpora, wherever `feature_store.root` keeps the shards."""
    return FeatureStore(FEATURES / corpus for corpus in corpora)


def read_manifests(folders: Iterable[Path]) -> dict[Path, Manifest]:
    """Folder -> what is committed there; raises FileNotFoundError, SchemaError."""
    return {Path(folder): read_manifest(Path(folder)) for folder in folders}


def shard_paths(manifests: Mapping[Path, Manifest], family: str) -> list[Path]:
    """Files of all committed shards of one family."""
    return [local_shard(folder, manifest, shard) for folder, manifest in manifests.items()
            for shard in manifest.shards if shard.family == family]


def allow_open_files(count: int) -> None:
    """Raise this process' limit of open files as far as `count` shards need and the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def local_shard(folder: Path, manifest: Manifest, shard: Shard) -> Path:
    """File of a committed shard; one of an S3 store is fetched to `FETCHED` once, and checked against its sha256.

    Raises ObjectMissing, ObjectDamaged.
    """
    if manifest.root is None:
        return folder / shard.name
    path = FETCHED / shard.name
    if not (path.is_file() and path.stat().st_size == shard.bytes):
        open_storage(manifest.root).get_file(shard_key(shard.name), path, shard.sha256)
    return path


def one_fingerprint(manifests: Mapping[Path, Manifest]) -> dict[str, str]:
    """Of each family; raises SchemaError where the folders' features were made by different code or weights."""
    found = {tuple(sorted(manifest.fingerprints.items())) for manifest in manifests.values()}
    if len(found) > 1:
        raise SchemaError(f"features of {', '.join(map(str, manifests))} were made by different code, weights or "
                          "parameters: run `dvc repro extract`")
    return dict(found.pop()) if found else {}

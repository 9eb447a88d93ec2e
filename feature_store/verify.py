"""Check committed features byte by byte, and row by row against their manifest."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from feature_store.manifest import Manifest, Shard, find_uncommitted, read_manifest
from feature_store.shards import shard_key
from pipeline.core.fingerprint import file_sha256
from pipeline.storage import ObjectDamaged, ObjectMissing, open_storage


def verify(folder: Path) -> list[str]:
    """One line for each missing, short, altered or foreign shard; empty where all is well.

    Shards on S3 are fetched one at a time into a temporary folder.
    """
    manifest = read_manifest(folder)
    problems = [problem for shard in manifest.shards if (problem := _problem(folder, manifest, shard))]
    return problems + [f"{path}: not in the manifest" for path in find_uncommitted(folder)]


def _problem(folder: Path, manifest: Manifest, shard: Shard) -> str | None:
    if manifest.root is None:
        return _of_file(folder / shard.name, manifest, shard)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / shard.name
        try:
            open_storage(manifest.root).get_file(shard_key(shard.name), path, shard.sha256)
        except ObjectMissing:
            return f"{manifest.root}/{shard_key(shard.name)}: missing"
        except ObjectDamaged:
            return f"{manifest.root}/{shard_key(shard.name)}: its bytes are not those that were committed"
        return _of_file(path, manifest, shard)


def _of_file(path: Path, manifest: Manifest, shard: Shard) -> str | None:
    if not path.is_file():
        return f"{path}: missing"
    if path.stat().st_size != shard.bytes:
        return f"{path}: {path.stat().st_size} bytes, the manifest says {shard.bytes}"
    if file_sha256(path) != shard.sha256:
        return f"{path}: its bytes are not those that were committed"
    return _of_rows(path, manifest, shard)


def _of_rows(path: Path, manifest: Manifest, shard: Shard) -> str | None:
    """A shard of other code or another family is foreign even where the manifest names it."""
    try:
        file = pq.ParquetFile(path)
        family = file.schema_arrow.metadata[b"family"].decode()
        table = file.read(columns=["frames", "fingerprint"])
    except (pa.ArrowException, KeyError, TypeError) as error:
        return f"{path}: not a feature shard ({error})"
    prints = set(table["fingerprint"].to_pylist())
    if family != shard.family or prints != {manifest.fingerprints[shard.family]}:
        return f"{path}: holds {family} of {', '.join(sorted(prints))}, the manifest is about others"
    if (table.num_rows, sum(table["frames"].to_pylist())) != (shard.rows, shard.frames):
        return f"{path}: {table.num_rows} clips, the manifest says {shard.rows}"
    return None

"""The manifest of a corpus' features: the one file that makes shards exist for readers. It is written last.

It names every shard with size, rows and sha256, so its own hash pins all features; it holds every rejected clip
as a row. The same units give the same bytes: no time, host or absolute path is in it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from feature_store.schema import VERSION, SchemaError, check_version
from pipeline.atomic import write_json
from pipeline.fingerprint import file_sha256

NAME = "manifest.json"


@dataclass(frozen=True, order=True)
class Shard:
    """One committed Parquet file beside the manifest."""

    family: str
    name: str
    bytes: int
    rows: int
    frames: int
    sha256: str


@dataclass(frozen=True, order=True)
class Reject:
    """A clip without features: which stage gave it up, why, and the measured value where there is one."""

    clip_id: str
    stage: str
    code: str
    detail: str
    value: float | None = None


@dataclass(frozen=True)
class Manifest:
    corpus: str
    fps: int
    fingerprints: dict[str, str]  # of each family
    shards: list[Shard]
    rejects: list[Reject]
    schema_version: str = VERSION

    @property
    def clips(self) -> int:
        return sum(shard.rows for shard in self.shards if shard.family == "motion")

    @property
    def frames(self) -> int:
        return sum(shard.frames for shard in self.shards if shard.family == "motion")


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Commit: from here on readers of `folder` see these shards and no others."""
    value = asdict(manifest) | {"clips": manifest.clips, "frames": manifest.frames}
    for name in ("shards", "rejects"):
        value[name] = [asdict(row) for row in sorted(getattr(manifest, name))]
    write_json(folder / NAME, value)


def read_manifest(folder: Path) -> Manifest:
    """Read the committed state of `folder`; raises FileNotFoundError, or SchemaError for another major version."""
    path = folder / NAME
    try:
        value = json.loads(path.read_text())
        check_version(value["schema_version"], str(path))
        return Manifest(value["corpus"], value["fps"], value["fingerprints"],
                        [Shard(**row) for row in value["shards"]], [Reject(**row) for row in value["rejects"]],
                        value["schema_version"])
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing: run `dvc repro extract`") from error
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise SchemaError(f"{path} is not a feature manifest: {error!r}") from error


def remove_uncommitted(folder: Path) -> list[str]:
    """Delete Parquet files that the manifest does not name (of killed or earlier runs); return their names."""
    committed = {shard.name for shard in read_manifest(folder).shards}
    foreign = [path for path in sorted(folder.glob("*.parquet")) if path.name not in committed]
    for path in foreign:
        path.unlink()
    return [path.name for path in foreign]


def verify(folder: Path) -> list[str]:
    """Check every byte: one line for each missing, short, altered or foreign shard; empty where all is well."""
    manifest = read_manifest(folder)
    problems = [problem for shard in manifest.shards if (problem := _problem(folder, shard))]
    committed = {shard.name for shard in manifest.shards}
    foreign = [path.name for path in sorted(folder.glob("*.parquet")) if path.name not in committed]
    return problems + [f"{folder / name}: not in the manifest" for name in foreign]


def _problem(folder: Path, shard: Shard) -> str | None:
    path = folder / shard.name
    if not path.is_file():
        return f"{path}: missing"
    if path.stat().st_size != shard.bytes:
        return f"{path}: {path.stat().st_size} bytes, the manifest says {shard.bytes}"
    if file_sha256(path) != shard.sha256:
        return f"{path}: its bytes are not those that were committed"
    return None

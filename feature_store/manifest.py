"""The manifest of a corpus' features: the one file that makes shards exist for readers. It is written last.

It names every shard with size, rows and sha256, so its own hash pins all features; it holds every rejected clip
as a row. The same units give the same bytes: no time, host or absolute path is in it.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from feature_store.schema import VERSION, SchemaError, check_version
from pipeline.core.atomic import write_text

NAME = "manifest.json"
SHARD_NAME = re.compile(r"[a-z0-9_-]+\.parquet")


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
    root: str | None = None  # storage that holds the shards; None: the manifest's own folder
    untrained: tuple[str, ...] = ()  # parts that were seeded toys: what is here is no result

    @property
    def clips(self) -> int:
        return sum(shard.rows for shard in self.shards if shard.family == "motion")

    @property
    def frames(self) -> int:
        return sum(shard.frames for shard in self.shards if shard.family == "motion")


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Commit: from here on readers of `folder` see these shards and no others."""
    write_text(folder / NAME, manifest_text(manifest))


def manifest_text(manifest: Manifest) -> str:
    """The file's text: sorted, so that the same features give the same bytes."""
    value = asdict(manifest) | {"clips": manifest.clips, "frames": manifest.frames}
    for name in ("shards", "rejects"):
        value[name] = [asdict(row) for row in sorted(getattr(manifest, name), key=_order)]
    if manifest.root is None:
        del value["root"]
    if not manifest.untrained:
        del value["untrained"]
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _order(row: Shard | Reject) -> tuple:
    return tuple(asdict(row).values())[:3]


def read_manifest(folder: Path) -> Manifest:
    """Read the committed state of `folder`; raises FileNotFoundError, or SchemaError for another major version."""
    path = folder / NAME
    try:
        return parse_manifest(path.read_text(), str(path))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing: run `dvc repro extract`") from error


def parse_manifest(text: str, where: str) -> Manifest:
    """A manifest from its text; raises SchemaError where it is none, or names what is no file name."""
    try:
        value = json.loads(text)
        check_version(value["schema_version"], where)
        shards = [Shard(**row) for row in value["shards"]]
        if not all(SHARD_NAME.fullmatch(shard.name) for shard in shards):
            raise SchemaError(f"{where} names a shard outside its folder")
        return Manifest(value["corpus"], value["fps"], value["fingerprints"], shards,
                        [Reject(**row) for row in value["rejects"]], value["schema_version"], value.get("root"),
                        tuple(value.get("untrained", ())))
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise SchemaError(f"{where} is not a feature manifest: {error!r}") from error


def find_uncommitted(folder: Path) -> list[Path]:
    """Files that the manifest does not name: shards and temporary files of killed or earlier runs."""
    manifest = read_manifest(folder)
    named = {NAME} | ({shard.name for shard in manifest.shards} if manifest.root is None else set())
    return [path for path in sorted(folder.iterdir()) if path.name not in named and path.is_file()]


def remove_uncommitted(folder: Path) -> list[str]:
    """Delete what `find_uncommitted` finds; return the names."""
    foreign = find_uncommitted(folder)
    for path in foreign:
        path.unlink()
    return [path.name for path in foreign]

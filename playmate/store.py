"""`playmate store`: verify, gc, retry over all corpora of the project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from feature_store import garbage
from feature_store.manifest import NAME, Manifest, read_manifest
from feature_store.reader import FETCHED
from feature_store.schema import FAMILIES
from feature_store.verify import verify
from pipeline.core.config import Params
from pipeline.core.paths import FEATURES, WORK
from pipeline.storage import open_storage
from pipeline.storage.lease import exclusive, hold
from stages.extract.plan import fingerprints, store_location
from stages.extract.stage import LEASE

Say = Callable[[str], None]


def verify_all(corpora: list[str], say: Say) -> bool:
    """Check every byte of these corpora (all that are committed where none is named); True where all is well."""
    folders = [FEATURES / corpus for corpus in corpora] or _stores()
    if not folders:
        raise FileNotFoundError(f"{FEATURES} holds no manifest: run `dvc repro extract`")
    well = True
    for folder in folders:
        problems = verify(folder)
        manifest = read_manifest(folder)
        for problem in problems:
            say(problem)
        well &= not problems
        say(f"{folder.name}: {len(manifest.shards)} shards, {manifest.clips} clips, "
            + ("every byte as committed" if not problems else f"{len(problems)} problems"))
    return well


def collect_garbage(params: Params, delete: bool, say: Say) -> list[garbage.Garbage]:
    """List what nothing needs; delete it where `delete`. Raises Busy where an extraction is running."""
    with exclusive(WORK / "extract.lock", "extraction"):
        storage = open_storage(store_location(params))
        with hold(storage, LEASE, "extraction") as lease:
            manifests = [read_manifest(folder) for folder in _stores()]
            found, copies = garbage.find(storage, manifests, fingerprints(params)), _idle_copies(manifests)
            total = _list(found, copies, say)
            if delete:
                lease.check()
                garbage.remove(storage, found)
                for path in copies:
                    path.unlink()
    say(f"{len(found) + len(copies)} objects, {total:.1f} MB: "
        + ("deleted" if delete else "nothing deleted; --yes deletes them"))
    return found


def _idle_copies(manifests: list[Manifest]) -> list[Path]:
    """Shards fetched from S3 that no manifest here names any more."""
    named = {shard.name for manifest in manifests for shard in manifest.shards}
    return [path for path in sorted(FETCHED.glob("*.parquet")) if path.name not in named]


def _list(found: list[garbage.Garbage], copies: list[Path], say: Say) -> float:
    """Say every item; return their megabytes."""
    lines = [(item.name, item.why, item.bytes / 1e6) for item in found]
    lines += [(str(path), "copy of a shard that no manifest names", path.stat().st_size / 1e6) for path in copies]
    for name, why, megabytes in lines:
        say(f"{name}: {why} ({megabytes:.1f} MB)")
    return sum(megabytes for _, _, megabytes in lines)


def retry(params: Params, say: Say) -> int:
    """Forget the clips that crashed, took too long or too much memory; the next extraction tries them again."""
    with exclusive(WORK / "extract.lock", "extraction"):
        storage = open_storage(store_location(params))
        with hold(storage, LEASE, "extraction"):
            keys = [key for family in FAMILIES for key in storage.keys(family) if key.endswith(".quarantine.json")]
            for key in keys:
                storage.delete(key)
    say(f"{len(keys)} clips will be tried again: run `dvc repro -f extract`" if keys else "no clip is quarantined")
    return len(keys)


def _stores() -> list[Path]:
    return sorted(path.parent for path in FEATURES.glob(f"*/{NAME}"))

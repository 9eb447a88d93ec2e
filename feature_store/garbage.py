"""What a store holds that nothing needs: of killed runs, and of code, weights and parameters that are gone.

Kept are: shards that a manifest names; units, rejects and quarantines of the fingerprints that a manifest names or
that hold now; leases. Everything else is garbage, but never while a lease is held.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from feature_store.manifest import Manifest, parse_manifest
from feature_store.schema import FAMILIES
from feature_store.shards import shard_key
from pipeline.storage import ObjectMissing, Storage


@dataclass(frozen=True)
class Garbage:
    """One object that can go (`unfinished`: what a killed writer left, not an object yet)."""

    name: str
    bytes: int
    why: str
    unfinished: bool = False


def published_manifests(storage: Storage) -> list[Manifest]:
    """Manifests that were committed to a shared store, of all clones of the project."""
    return [parse_manifest(storage.get(key).decode(), key) for key in storage.list("manifests")]


def find(storage: Storage, manifests: Iterable[Manifest], prints: dict[str, str]) -> list[Garbage]:
    """Garbage in `storage`; `manifests` are all that count, `prints` the present fingerprints."""
    manifests = [*manifests, *published_manifests(storage)]
    shards = {shard_key(shard.name) for manifest in manifests for shard in manifest.shards}
    wanted = {(family, fingerprint) for found in [prints, *(m.fingerprints for m in manifests)]
              for family, fingerprint in found.items()}
    found = [Garbage(name, 0, "left by a killed run", unfinished=True) for name in storage.unfinished()]
    found += [_garbage(storage, key, "no manifest names it") for key in storage.list("shards") if key not in shards]
    found += [_garbage(storage, key, "about a shard that no manifest names") for key in storage.list("packed")
              if shard_key(json.loads(storage.get(key))["name"]) not in shards]
    for family in FAMILIES:
        found += [_garbage(storage, key, "of other code, weights or parameters") for key in storage.list(family)
                  if (family, key.split("/")[1]) not in wanted]
    return found


def remove(storage: Storage, garbage: Iterable[Garbage]) -> None:
    """Delete what `find` found."""
    for item in garbage:
        if item.unfinished:
            storage.sweep(item.name)
        else:
            storage.delete(item.name)


def _garbage(storage: Storage, key: str, why: str) -> Garbage:
    try:
        return Garbage(key, storage.size(key), why)
    except ObjectMissing:  # another one swept it just now
        return Garbage(key, 0, why)

"""Crops -> motion and speech features in the feature store: `python -m stages.extract.stage CORPUS`.

Only units whose fingerprint or content is new are computed (Ray Data); then all units of the corpus are packed
into shards and committed by one manifest. Where nothing is to be computed, Ray is not started.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import pyarrow as pa

from feature_store.manifest import Manifest, manifest_text, remove_uncommitted, write_manifest
from feature_store.schema import FAMILIES
from feature_store.shards import Bucket, PackedClip, ShardWriter, Written, pack
from pipeline.compute.resources import Actors
from pipeline.compute.work import run
from pipeline.core.config import Params, load_params
from pipeline.core.fingerprint import digest
from pipeline.core.paths import CROPS, FEATURES, WORK
from pipeline.core.stage import run_as_stage
from pipeline.storage import Storage, open_storage
from pipeline.storage.lease import Lease, exclusive, hold
from stages.extract.plan import (
    LABELS,
    Clip,
    Progress,
    fingerprints,
    kept_clips,
    limits_of,
    missing_jobs,
    store_location,
)
from stages.extract.progress import run_jobs

LEASE = "extract"


def main(corpus: str, say: Callable[[str], None] = print) -> Manifest:
    """Extract one corpus; the first to run computes what every corpus lacks where `extract.ahead` is on."""
    pa.set_memory_pool(pa.system_memory_pool())  # Arrow's own keeps what it frees: 30 MB more at 100,000 clips
    params = load_params()
    with exclusive(WORK / "extract.lock", "extraction"):  # of this machine, at once; the lease is for several
        storage = open_storage(store_location(params))
        with hold(storage, LEASE, "extraction") as lease:
            return _extract(corpus, params, storage, lease, say)


def _extract(corpus: str, params: Params, storage: Storage, lease: Lease, say: Callable[[str], None]) -> Manifest:
    prints = fingerprints(params)
    progress = Progress(storage, prints, limits_of(params))
    total = sum(1 for _ in kept_clips(corpus, prints))
    missing = sum(1 for _ in missing_jobs(kept_clips(corpus, prints), progress))
    if missing:
        corpora = [corpus, *(other for other in params.corpora if params.extract.ahead and _ready(other, corpus))]
        run_jobs(lambda: _jobs(corpora, prints, progress), params, storage, say)
        progress = Progress(storage, prints, limits_of(params))
    manifest = _commit(corpus, storage, progress, prints, params, lease)
    say(f"extract {corpus}: {manifest.clips} clips, {manifest.frames} frames, {len(manifest.rejects)} rejected; "
        f"{total - missing} clips were there already")
    return manifest


def _ready(other: str, corpus: str) -> bool:
    return other != corpus and (CROPS / other / "clips.parquet").is_file()


def _jobs(corpora: list[str], prints: dict[str, str], progress: Progress) -> Iterator[tuple[Clip, list[str]]]:
    return missing_jobs(chain.from_iterable(kept_clips(corpus, prints) for corpus in corpora), progress)


def _commit(corpus: str, storage: Storage, progress: Progress, prints: dict[str, str], params: Params,
            lease: Lease) -> Manifest:
    """Pack all whole clips and make them exist, by writing the manifest as the last file."""
    rejects = {clip.clip_id: reject for clip in kept_clips(corpus, prints) if (reject := progress.reject(clip))}
    folder, root = FEATURES / corpus, params.feature_store.root
    local = store_location(params) != root
    shards = [shard for family in FAMILIES for shard in pack(
        storage, (PackedClip(clip.keys[family], {name: clip.row[name] for name in LABELS})
                  for clip in kept_clips(corpus, prints) if clip.clip_id not in rejects),
        params.extract.shards, folder if local else None, _writers(params, folder if local else None))]
    manifest = Manifest(corpus, params.preprocess.measure.fps, prints, shards, list(rejects.values()),
                        root=None if local else root, untrained=params.untrained)
    lease.check()
    if not local:  # what `store gc` goes by: other clones' features are not garbage
        text = manifest_text(manifest)
        storage.put_if_absent(f"manifests/{corpus}/{digest(text)}.json", text.encode())
    write_manifest(folder, manifest)
    remove_uncommitted(folder)
    return manifest


def _writers(params: Params, folder: Path | None) -> Callable[[Iterable[Bucket]], Written] | None:
    """On a cluster a core packs a shard, `extract.decode_actors` at once; None: here."""
    if params.ray.address is None:
        return None
    actors, make = Actors("extract", params.extract.decode_actors), partial(ShardWriter, store_location(params), folder)
    return lambda buckets: run(list(buckets), make, actors, params.ray)


if __name__ == "__main__":
    run_as_stage(main, *sys.argv[1:])

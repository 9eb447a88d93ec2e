"""Crops -> motion and speech features in the feature store: `python -m stages.extract CORPUS`.

Only units whose fingerprint or content is new are computed (Ray Data); then all units of the corpus are packed
into shards and committed by one manifest. Where nothing is to be computed, Ray is not started.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from feature_store.manifest import Manifest, Reject, remove_uncommitted, write_manifest
from feature_store.schema import FAMILIES
from feature_store.shards import PackedClip, pack
from pipeline.config import Params, load_params
from pipeline.lock import exclusive
from pipeline.paths import CROPS, FEATURES, WORK
from pipeline.stage import run_as_stage
from pipeline.storage import Storage, open_storage
from stages.extraction.plan import Clip, Progress, fingerprints, kept_clips

STORE = str(WORK / "store")
LABELS = ("corpus", "identity", "emotion", "level", "language")


def main(corpus: str, say: Callable[[str], None] = print) -> Manifest:
    """Extract one corpus; the first to run computes what every corpus lacks where `extract.ahead` is on."""
    with exclusive(WORK / "extract.lock", "extraction"):
        return _extract(corpus, load_params(), say)


def _extract(corpus: str, params: Params, say: Callable[[str], None]) -> Manifest:
    prints, storage = fingerprints(params), open_storage(STORE)
    clips = kept_clips(corpus, prints)
    ahead = [other for other in params.corpora if params.extract.ahead and other != corpus and _ready(other)]
    jobs = _jobs(clips, storage, prints)
    if jobs:
        others = [clip for other in ahead for clip in kept_clips(other, prints)]
        jobs += _jobs(others, storage, prints)
    lost = _compute(jobs, params, say) if jobs else {}
    manifest = _commit(corpus, clips, storage, prints, params, lost)
    say(f"extract {corpus}: {manifest.clips} clips, {manifest.frames} frames, {len(manifest.rejects)} rejected; "
        f"{len(clips) - sum(clip.row['corpus'] == corpus for clip, _ in jobs)} clips were there already")
    return manifest


def _ready(corpus: str) -> bool:
    return (CROPS / corpus / "clips.parquet").is_file()


def _jobs(clips: list[Clip], storage: Storage, prints: dict[str, str]) -> list[tuple[Clip, list[str]]]:
    progress = Progress(storage, prints)
    return [(clip, missing) for clip in clips if (missing := progress.missing(clip))]


def _compute(jobs: list[tuple[Clip, list[str]]], params: Params, say: Callable[[str], None]) -> dict[str, Reject]:
    """Run the jobs with a line of progress; return the clips that were given up in this run."""
    from stages.extraction.cluster import compute

    total, began, told, frames, lost = sum(clip.row["frames"] for clip, _ in jobs), time.monotonic(), 0.0, 0, {}
    for done, status in enumerate(compute(jobs, params, STORE), start=1):
        frames += status["frames"]
        if status["reject"]:
            lost[status["clip_id"]] = Reject(**json.loads(status["reject"]))
        elapsed = time.monotonic() - began
        if elapsed - told >= 5 or done == len(jobs):
            told = elapsed
            left = elapsed / frames * (total - frames)
            say(f"extract: {done} of {len(jobs)} clips, {frames} frames, {frames / elapsed:.0f} frames/s, "
                f"{len(lost)} rejected, {left:.0f} s left")
    return lost


def _commit(corpus: str, clips: list[Clip], storage: Storage, prints: dict[str, str], params: Params,
            lost: dict[str, Reject]) -> Manifest:
    progress = Progress(storage, prints)
    rejects = {clip.clip_id: progress.reject(clip) for clip in clips if progress.rejected(clip)}
    rejects |= {clip.clip_id: lost[clip.clip_id] for clip in clips
                if clip.clip_id in lost and clip.clip_id not in rejects}
    whole = [clip for clip in clips if clip.clip_id not in rejects]
    folder = FEATURES / corpus
    shards = [shard for family in FAMILIES for shard in pack(
        storage, (PackedClip(clip.keys[family], {name: clip.row[name] for name in LABELS}) for clip in whole),
        params.extract.shards, folder)]
    manifest = Manifest(corpus, params.preprocess.fps, prints, shards, list(rejects.values()))
    write_manifest(folder, manifest)
    remove_uncommitted(folder)
    return manifest


if __name__ == "__main__":
    run_as_stage(main, *sys.argv[1:])

"""Small made-up features for the tests of the store: two key points, three speech dimensions."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from feature_store.manifest import Manifest, Reject, write_manifest
from feature_store.schema import FAMILIES, motion_tensors, speech_tensors
from feature_store.shards import PackedClip, pack
from feature_store.units import UnitKey, write_unit
from pipeline.storage import Storage
from pipeline.storage.local import LocalStorage

KEYPOINTS, DIM = 2, 3
PRINTS = {"motion": "m" * 32, "speech": "s" * 32}


def key(family: str, clip: int, prints: dict[str, str] = PRINTS) -> UnitKey:
    return UnitKey(family, prints[family], f"clip{clip:03d}", hashlib.sha256(str(clip).encode()).hexdigest())


def motion_of(clip: int, frames: int) -> np.ndarray:
    return np.random.default_rng(clip).normal(size=(frames, 3 * KEYPOINTS + 7)).astype(np.float32)


def frames_of(clip: int) -> int:
    return 5 + clip


def write_clip(storage: Storage, clip: int) -> None:
    frames = frames_of(clip)
    motion = motion_of(clip, frames)
    exact = motion.astype(np.float64)
    moments = np.stack([exact.mean(0), ((exact - exact.mean(0)) ** 2).sum(0)])
    write_unit(storage, key("motion", clip), frames, 25, motion_tensors(KEYPOINTS),
               {"x_c": np.full((KEYPOINTS, 3), clip, np.float32), "motion": motion, "moments": moments})
    write_unit(storage, key("speech", clip), frames, 25, speech_tensors(DIM),
               {"features": np.full((frames, DIM), clip / 8, np.float32)})


def packed(family: str, clips: list[int]) -> list[PackedClip]:
    return [PackedClip(key(family, clip), {"corpus": "mead", "identity": f"mead/{clip % 3}", "level": clip,
                                           "emotion": "sad" if clip % 2 else None, "language": "en"})
            for clip in clips]


def write_store(folder: Path, units: Path, clips: list[int], buckets: int = 2,
                rejects: list[Reject] | None = None) -> Manifest:
    """Units of `clips`, packed and committed into `folder`."""
    storage = LocalStorage(units)
    for clip in clips:
        write_clip(storage, clip)
    shards = [shard for family in FAMILIES for shard in pack(storage, packed(family, clips), buckets, folder)]
    manifest = Manifest("mead", 25, PRINTS, shards, rejects or [])
    write_manifest(folder, manifest)
    return manifest



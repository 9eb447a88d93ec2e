"""Reading and adding up features, as ratios in one run: `python -m benchmarks.feature_store`.

All layouts hold the same made-up clips and are read from the page cache by one process; processor time is measured,
not the wall, because the ratios are what counts. Windows are drawn as the trainer draws them: a clip, then frames.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.training import DEMO, ours
from feature_store import reader
from feature_store.manifest import Manifest, write_manifest
from feature_store.moments import Moments, stream_moments
from feature_store.reader import FeatureStore, read_manifests
from feature_store.schema import MOTION, SPEECH, motion_tensors, speech_tensors
from feature_store.shards import PackedClip, pack
from feature_store.statistics import motion_statistics
from feature_store.units import UnitKey, write_unit
from pipeline.storage.local import LocalStorage

CLIPS, FRAMES, KEYPOINTS, DIM = 200, 200, 70, 384
WINDOW, WINDOWS, SHARDS = 90, 320, 4
WIDTH = 3 * KEYPOINTS + 7
STATISTICS_CLIPS, STATISTICS_FRAMES, STATISTICS_KEYPOINTS = 4000, 250, 21  # a million frames of 70 dimensions
LABELS = dict.fromkeys(("corpus", "identity", "emotion", "language"), "x") | {"level": 1}
Read = Callable[[int, int], tuple[np.ndarray, np.ndarray]]


def main() -> None:
    """Print windows a second of each layout, seconds of each way to statistics, and the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        windows(Path(folder))
        statistics(Path(folder) / "statistics")


def windows(root: Path) -> None:
    """Random windows of the same clips from every layout."""
    random = np.random.default_rng(0)
    motion = random.normal(size=(CLIPS, FRAMES, WIDTH)).astype(np.float32)
    speech = random.normal(size=(CLIPS, FRAMES, DIM)).astype(np.float16)
    drawn = list(zip(random.integers(CLIPS, size=WINDOWS), random.integers(FRAMES - WINDOW, size=WINDOWS), strict=True))
    store = write_store(root, motion, speech)
    layouts = {"feature store": from_store(store), "feature store, 8 MB cache": beyond_cache(root / "store"),
               "numpy, 2 files a clip": numpy_files(root, motion, speech),
               "Parquet, list columns, a row a clip": list_columns(root, motion, speech),
               "Parquet, a row a frame": row_a_frame(root, motion, speech)}
    rates = {name: rate(read, drawn[:5] if "frame" in name else drawn, motion) for name, read in layouts.items()}
    for name, value in rates.items():
        print(f"{name:38} {value:9.0f} windows/s   feature store is {rates['feature store'] / value:7.2f} x")
    (_, used), _ = ours(10, DEMO, 32, 0)
    consumed = 32 / used
    print(f"{'a training step, embedded size':38} {consumed:9.0f} windows/s   feature store is "
          f"{rates['feature store'] / consumed:7.2f} x", flush=True)


def rate(read: Read, drawn: list, motion: np.ndarray, repeats: int = 3) -> float:
    """Windows a second of processor time, best of three; every window is compared with what was written."""
    best = np.inf
    for _ in range(repeats):
        began = time.process_time()
        found = [read(clip, start) for clip, start in drawn]
        best = min(best, time.process_time() - began)
    for (clip, start), (values, _) in zip(drawn, found, strict=True):
        np.testing.assert_array_equal(values, motion[clip, start:start + WINDOW])
    return len(drawn) / best


def write_store(root: Path, motion: np.ndarray, speech: np.ndarray | None) -> FeatureStore:
    """Units, shards and manifest of the clips, as extraction leaves them."""
    storage, prints = LocalStorage(root / "units"), {MOTION: "m", SPEECH: "s"}
    keypoints = (motion.shape[2] - 7) // 3
    for i, values in enumerate(motion):
        exact = Moments.of(values)
        write_unit(storage, key(MOTION, i), len(values), 25, motion_tensors(keypoints), {
            "x_c": np.zeros((keypoints, 3)), "motion": values, "moments": np.stack([exact.mean, exact.m2])})
        features = np.zeros((len(values), 1)) if speech is None else speech[i]
        write_unit(storage, key(SPEECH, i), len(values), 25, speech_tensors(features.shape[1]), {"features": features})
    shards = [shard for family in (MOTION, SPEECH) for shard in pack(
        storage, [PackedClip(key(family, i), LABELS) for i in range(len(motion))], SHARDS, root / "store")]
    write_manifest(root / "store", Manifest("x", 25, prints, shards, []))
    return FeatureStore([root / "store"])


def key(family: str, clip: int) -> UnitKey:
    return UnitKey(family, family[0], f"{clip:05d}", "0" * 16)


def from_store(store: FeatureStore) -> Read:
    def read(clip: int, start: int) -> tuple[np.ndarray, np.ndarray]:
        found, span = store.load(f"{clip:05d}"), slice(start, start + WINDOW)
        return found.motion[span].copy(), found.speech[span].copy()

    return read


def beyond_cache(folder: Path) -> Read:
    """As where all clips together are far larger than what the reader keeps decoded."""
    read = from_store(FeatureStore([folder]))

    def small(clip: int, start: int) -> tuple[np.ndarray, np.ndarray]:
        before, reader.CACHED_BYTES = reader.CACHED_BYTES, 8 << 20
        try:
            return read(clip, start)
        finally:
            reader.CACHED_BYTES = before

    return small


def numpy_files(root: Path, motion: np.ndarray, speech: np.ndarray) -> Read:
    for i in range(CLIPS):
        np.save(root / f"m{i}.npy", motion[i])
        np.save(root / f"s{i}.npy", speech[i])

    def read(clip: int, start: int) -> tuple[np.ndarray, np.ndarray]:
        span = slice(start, start + WINDOW)
        return np.load(root / f"m{clip}.npy")[span].copy(), np.load(root / f"s{clip}.npy")[span].copy()

    return read


def list_columns(root: Path, motion: np.ndarray, speech: np.ndarray) -> Read:
    """The same row groups with list columns in place of binary ones."""
    table = pa.table({name: pa.array([list(map(float, clip.ravel())) for clip in values], pa.list_(pa.float32()))
                      for name, values in (("motion", motion), ("speech", speech.astype(np.float32)))})
    pq.write_table(table, root / "lists.parquet", compression="none", row_group_size=4, use_dictionary=False)
    file = pq.ParquetFile(root / "lists.parquet", memory_map=True)

    def read(clip: int, start: int) -> tuple[np.ndarray, np.ndarray]:
        group = file.read_row_group(int(clip) // 4, use_threads=False)
        return tuple(group[name][int(clip) % 4].values.to_numpy().reshape(FRAMES, -1)[start:start + WINDOW].copy()
                     for name in ("motion", "speech"))

    return read


def row_a_frame(root: Path, motion: np.ndarray, speech: np.ndarray) -> Read:
    lists = {name: pa.FixedSizeListArray.from_arrays(pa.array(values.astype(np.float32).ravel()), values.shape[-1])
             for name, values in (("motion", motion), ("speech", speech))}
    clips, frames = np.repeat(np.arange(CLIPS), FRAMES), np.tile(np.arange(FRAMES), CLIPS)
    pq.write_table(pa.table({"clip": clips, "frame": frames, **lists}), root / "rows.parquet")

    def read(clip: int, start: int) -> tuple[np.ndarray, np.ndarray]:
        table = pq.read_table(root / "rows.parquet", columns=["motion", "speech"], use_threads=False, filters=[
            ("clip", "=", clip), ("frame", ">=", start), ("frame", "<", start + WINDOW)])
        return tuple(table[name].combine_chunks().flatten().to_numpy().reshape(WINDOW, -1)
                     for name in ("motion", "speech"))

    return read


def statistics(root: Path) -> None:
    """A million frames: the stored moments against one NumPy pass over all frames, held in memory already."""
    shape = (STATISTICS_CLIPS, STATISTICS_FRAMES, 3 * STATISTICS_KEYPOINTS + 7)
    motion = np.random.default_rng(1).normal(3, 2, size=shape).astype(np.float32)
    store = write_store(root, motion, None)
    began = time.process_time()
    streamed = stream_moments(read_manifests([root / "store"]))
    found = motion_statistics(((clip.clip_id, clip.moments) for clip in streamed), 1e-4, "clip")
    ours_s, began = time.process_time() - began, time.process_time()
    frames = motion.reshape(-1, motion.shape[2])
    mean, std = frames.mean(0, dtype=np.float64), frames.std(0, dtype=np.float64)
    numpy_pass = time.process_time() - began
    error = max(np.abs(found.expression.mean / mean[:-7] - 1).max(), np.abs(found.expression.std / std[:-7] - 1).max())
    print(f"statistics of {len(frames):,} frames in {len(store.clips()):,} clips: stored moments {ours_s:.3f} s, one "
          f"NumPy pass {numpy_pass:.3f} s: {numpy_pass / ours_s:.1f} x; largest relative difference {error:.1e}")


if __name__ == "__main__":
    main()

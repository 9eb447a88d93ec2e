"""Random windows from the feature store against other layouts: `python -m benchmarks.feature_reading`.

All layouts hold the same made-up clips and are read from the page cache by one process; the numbers that count are
the ratios, because the rate depends on the machine and its other work (processor time is measured, not the wall).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_store import reader
from feature_store.manifest import Manifest, write_manifest
from feature_store.reader import FeatureStore
from feature_store.schema import MOTION, SPEECH, motion_tensors, speech_tensors
from feature_store.shards import PackedClip, pack
from feature_store.units import UnitKey, write_unit
from feature_store.windows import Window, sample_windows
from pipeline.storage import LocalStorage

CLIPS, FRAMES, KEYPOINTS, DIM = 200, 200, 70, 384
WINDOW, PREVIOUS, BATCH, BATCHES = 80, 10, 32, 10
WIDTH = 3 * KEYPOINTS + 7


def main() -> None:
    """Write all layouts, read the same windows from each, print windows a second and the ratio to the store."""
    with tempfile.TemporaryDirectory() as folder:
        root, random = Path(folder), np.random.default_rng(0)
        motion = random.normal(size=(CLIPS, FRAMES, WIDTH)).astype(np.float32)
        speech = random.normal(size=(CLIPS, FRAMES, DIM)).astype(np.float16)
        windows = [window for step in range(BATCHES) for window in
                   sample_windows(np.full(CLIPS, FRAMES), 0, step, BATCH, WINDOW, PREVIOUS, 0.2)]
        layouts = {"feature store": store_layout, "store beyond its cache": beyond_cache,
                   "numpy, 2 files a clip": numpy_layout,
                   "Parquet, a row a frame": row_layout}
        rates = {name: rate(write(root, motion, speech), windows[:5 if "row" in name else None], motion)
                 for name, write in layouts.items()}  # a row a frame decodes the whole file each time
    for name, value in rates.items():
        print(f"{name:24} {value:9.0f} windows/s   feature store is {rates['feature store'] / value:6.2f} x")


Reader = Callable[[Window], tuple[np.ndarray, np.ndarray]]


def rate(read: Reader, windows: list[Window], motion: np.ndarray, repeats: int = 3) -> float:
    """Windows per second of processor time, best of three; every window is compared with what was written."""
    best = np.inf
    for _ in range(repeats):
        began = time.process_time()
        found = [read(window) for window in windows]
        best = min(best, time.process_time() - began)
    for window, (values, _) in zip(windows, found, strict=True):
        np.testing.assert_array_equal(values, motion[window.clip, window.start - window.previous:window.start + WINDOW])
    return len(windows) / best


def store_layout(root: Path, motion: np.ndarray, speech: np.ndarray) -> Reader:
    storage, prints = LocalStorage(root / "units"), {MOTION: "m", SPEECH: "s"}
    moments = np.zeros((2, WIDTH))
    for i in range(CLIPS):
        write_unit(storage, UnitKey(MOTION, "m", f"{i:05d}", "0" * 16), FRAMES, 25, motion_tensors(KEYPOINTS),
                   {"x_c": np.zeros((KEYPOINTS, 3)), "motion": motion[i], "moments": moments})
        write_unit(storage, UnitKey(SPEECH, "s", f"{i:05d}", "0" * 16), FRAMES, 25, speech_tensors(DIM),
                   {"features": speech[i]})
    labels = dict.fromkeys(("corpus", "identity", "emotion", "language"), "x") | {"level": 1}
    shards = [shard for family in (MOTION, SPEECH) for shard in pack(
        storage, (PackedClip(UnitKey(family, prints[family], f"{i:05d}", "0" * 16), labels) for i in range(CLIPS)), 2,
        root / "store")]
    write_manifest(root / "store", Manifest("x", 25, prints, shards, []))
    store = FeatureStore([root / "store"])

    def read(window: Window) -> tuple[np.ndarray, np.ndarray]:
        clip = store.load(f"{window.clip:05d}")
        span = slice(window.start - window.previous, window.start + WINDOW)
        return clip.motion[span].copy(), clip.speech[span].copy()

    return read


def beyond_cache(root: Path, motion: np.ndarray, speech: np.ndarray) -> Reader:
    """As where all clips together are far larger than what the reader keeps decoded."""
    read = store_layout(root / "beyond", motion, speech)

    def small(window: Window) -> tuple[np.ndarray, np.ndarray]:
        reader.CACHED_BYTES = 8 << 20
        try:
            return read(window)
        finally:
            reader.CACHED_BYTES = 256 << 20

    return small


def numpy_layout(root: Path, motion: np.ndarray, speech: np.ndarray) -> Reader:
    for i in range(CLIPS):
        np.save(root / f"m{i}.npy", motion[i])
        np.save(root / f"s{i}.npy", speech[i])

    def read(window: Window) -> tuple[np.ndarray, np.ndarray]:
        span = slice(window.start - window.previous, window.start + WINDOW)
        return np.load(root / f"m{window.clip}.npy")[span].copy(), np.load(root / f"s{window.clip}.npy")[span].copy()

    return read


def row_layout(root: Path, motion: np.ndarray, speech: np.ndarray) -> Reader:
    lists = {name: pa.FixedSizeListArray.from_arrays(pa.array(values.astype(np.float32).ravel()), values.shape[-1])
             for name, values in (("motion", motion), ("speech", speech))}
    clips = np.repeat(np.arange(CLIPS), FRAMES)
    frames = np.tile(np.arange(FRAMES), CLIPS)
    pq.write_table(pa.table({"clip": clips, "frame": frames, **lists}), root / "rows.parquet")

    def read(window: Window) -> tuple[np.ndarray, np.ndarray]:
        first, last = window.start - window.previous, window.start + WINDOW
        table = pq.read_table(root / "rows.parquet", columns=["motion", "speech"], use_threads=False, filters=[
            ("clip", "=", window.clip), ("frame", ">=", first), ("frame", "<", last)])
        return tuple(table[name].combine_chunks().flatten().to_numpy().reshape(last - first, -1)
                     for name in ("motion", "speech"))

    return read


if __name__ == "__main__":
    main()

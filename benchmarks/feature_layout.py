"""Row groups and compression of the shards, on real features: `python -m benchmarks.feature_layout [data/features]`.

All committed clips of the folder, repeated until there are `CLIPS`, are written as one shard of each family in every
layout. Printed: bytes against plain, microseconds to read one random clip, GB/s of a pass over everything, seconds to
write; processor time of one thread, files in the page cache. Then what float16 costs: the rounding error of the
tensors that could be kept so, and of those that are.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_store.reader import FeatureStore, read_manifests, shard_paths
from feature_store.schema import FAMILIES, MOTION, SPEECH

CLIPS, READS = 400, 200
GROUPS, CODECS = (1, 4, 16), ("none", "lz4", "zstd")
TENSORS = {MOTION: ["x_c", "motion"], SPEECH: ["features"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", nargs="?", type=Path, default=Path("data/features"))
    root = parser.parse_args().features
    manifests = read_manifests(sorted(path.parent for path in root.glob("*/manifest.json")))
    with tempfile.TemporaryDirectory() as folder:
        for family in FAMILIES:
            table = pa.concat_tables([pq.read_table(path, memory_map=True) for path in shard_paths(manifests, family)])
            rows = np.resize(np.arange(table.num_rows), CLIPS)
            print(f"{family}: {table.num_rows} clips, {CLIPS} rows, {table.take(rows).nbytes / 1e6:.0f} MB")
            layouts(table.take(rows), TENSORS[family], Path(folder) / "layout.parquet")
    rounding(root)


def layouts(table: pa.Table, tensors: list[str], path: Path) -> None:
    """One line for each codec and number of clips in a row group."""
    plain = None
    for codec, group in itertools.product(CODECS, GROUPS):
        began = time.process_time()
        pq.write_table(table, path, compression=codec, row_group_size=group, use_dictionary=False,
                       write_page_checksum=True, write_statistics=False)
        wrote, size = time.process_time() - began, path.stat().st_size
        plain = plain or size
        one, whole = _read(path, group, tensors)
        print(f"  {codec:5} {group:3} clips a group: {size / plain:5.3f} of the bytes, {one * 1e6:6.0f} us a clip, "
              f"{table.nbytes / whole / 1e9:5.1f} GB/s, written in {wrote:5.2f} s", flush=True)


def _read(path: Path, group: int, tensors: list[str]) -> tuple[float, float]:
    """Seconds for one random clip, and for all of them in order; best of three."""
    file = pq.ParquetFile(path, memory_map=True)
    drawn, ones, wholes = np.random.default_rng(0).integers(CLIPS, size=READS), [], []
    for _ in range(3):
        began = time.process_time()
        for clip in drawn:
            _clip(file, clip, group, tensors)
        between = time.process_time()
        for number in range(file.num_row_groups):
            _touch(file.read_row_group(number, tensors, use_threads=False))
        ones.append((between - began) / READS)
        wholes.append(time.process_time() - between)
    return min(ones), min(wholes)


def _clip(file: pq.ParquetFile, clip: int, group: int, tensors: list[str]) -> None:
    """Every value of one clip, as a reader that keeps nothing gets it."""
    _touch(file.read_row_group(int(clip) // group, tensors, use_threads=False).slice(int(clip) % group, 1))


def _touch(table: pa.Table) -> None:
    for column in table.columns:
        for cell in column:
            np.frombuffer(cell.as_buffer(), np.uint8).max()


def rounding(root: Path) -> None:
    """Root mean square error of float16 against the spread of each kind of value."""
    store = FeatureStore([path.parent for path in sorted(root.glob("*/manifest.json"))])
    clips = [store.load(clip.clip_id) for clip in store.clips()]
    width = clips[0].motion.shape[1] - 7
    motion, speech = np.concatenate([c.motion for c in clips]), np.concatenate([c.speech for c in clips])
    kinds = {"delta": motion[:, :width], "scale and translation": motion[:, width:width + 4],
             "angles": motion[:, width + 4:]}
    for name, all_values in kinds.items():
        values = all_values[:, all_values.std(0) > 0]
        error = np.sqrt(((values.astype(np.float16).astype(np.float64) - values) ** 2).mean(0)) / values.std(0)
        print(f"  {name}: float16 would cost {np.median(error):.1e} of the deviation, the worst dimension "
              f"{np.max(error):.1e}; of the change from frame to frame {_steps(values):.1e}")
    step = np.spacing(np.abs(speech)).astype(np.float64)  # errors are spread evenly within one
    error = np.sqrt((step**2).mean(0) / 12) / speech.astype(np.float32).std(0)
    print(f"  speech features: float16 costs {np.median(error):.1e} of the deviation, the worst dimension "
          f"{np.max(error):.1e}")


def _steps(values: np.ndarray) -> float:
    """Share of the mean frame-to-frame change that float16's rounding makes up."""
    exact = values.astype(np.float64)
    error = values.astype(np.float16).astype(np.float64) - exact
    return float(np.abs(np.diff(error, axis=0)).mean() / np.abs(np.diff(exact, axis=0)).mean())


if __name__ == "__main__":
    main()

"""The clip table: one row for every clip that preprocessing saw, kept or rejected (`clips.parquet`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.atomic import atomic_path

VERSION = "1"
KEPT, REJECTED = "kept", "rejected"
ROWS_PER_GROUP, READ_BYTES = 8192, 1 << 18  # so that walking through a table of any size takes little memory

_FIELDS = [
    ("clip_id", pa.string(), "hash of source identity and time span"),
    ("corpus", pa.string(), ""),
    ("source", pa.string(), "media path inside the corpus folder"),
    ("start_s", pa.float64(), "time span in the source media"),
    ("end_s", pa.float64(), ""),
    ("identity", pa.string(), "corpus/person"),
    ("emotion", pa.string(), "label name, null where the corpus has none"),
    ("level", pa.int32(), "MEAD intensity 1-3, null elsewhere"),
    ("language", pa.string(), ""),
    ("youtube_id", pa.string(), "of the video, where the corpus names it"),
    ("official_split", pa.string(), "train / test where the corpus has one"),
    ("community_split", pa.string(), "train / test of a split in wide use, where there is one"),
    ("status", pa.string(), "kept / rejected"),
    ("stage", pa.string(), "where it was rejected: read, probe, decode, face, quality, speech"),
    ("code", pa.string(), "reason code"),
    ("detail", pa.string(), "the reason in words"),
    ("value", pa.float64(), "the measured value that the reason is about"),
    ("frames", pa.int32(), "at 25 fps"),
    ("source_fps", pa.float64(), ""),
    ("source_width_px", pa.int32(), ""),
    ("source_height_px", pa.int32(), ""),
    ("sound_damaged_s", pa.float64(), "of the source's sound: packets that no decoder takes"),
    ("sound_missing_s", pa.float64(), "of the source's sound: holes in its clock, silent here"),
    ("crop_x_px", pa.float64(), "centre of the square in the upright source picture"),
    ("crop_y_px", pa.float64(), ""),
    ("crop_side_px", pa.float64(), ""),
    ("face_px", pa.float64(), "median larger side of the face box in the source"),
    ("faces", pa.float64(), "mean number of faces in the frames looked at"),
    ("detection_share", pa.float64(), "of the frames looked at"),
    ("yaw_p95_deg", pa.float64(), ""),
    ("roll_deg", pa.float64(), "median lean of the head to a side, 0 to 180"),
    ("inside_share", pa.float64(), "5th percentile of the share of the face's box inside the picture"),
    ("score_p05", pa.float64(), "5th percentile of the detector's certainty"),
    ("blur", pa.float64(), "variance of the Laplacian of the crop, median"),
    ("brightness", pa.float64(), "mean luma 0-255"),
    ("speech_share", pa.float64(), ""),
    ("sync_confidence", pa.float64(), "Sync-C by SyncNet, null where it was not asked"),
    ("sync_offset_frames", pa.float64(), "above zero the sound comes first"),
    ("sound_moved_samples", pa.int32(), "by which that was corrected, at 16 kHz; null where it was not asked"),
    ("picture_hash", pa.string(), "difference hashes of eight moments of the crop, hex"),
    ("sound_hash", pa.string(), "fingerprint of the sound, hex"),
    ("media_sha256", pa.string(), "of the raw media file"),
    ("crop_sha256", pa.string(), "of the crop's mp4"),
    ("speech_sha256", pa.string(), "of the crop's wav"),
]
SCHEMA = pa.schema([pa.field(name, kind, metadata={"doc": doc} if doc else None) for name, kind, doc in _FIELDS],
                   metadata={"playmate_clip_table": VERSION})


def write_clip_table(path: Path, rows: list[dict]) -> None:
    """Write rows sorted by clip id; a missing key is null, an unknown one raises ValueError. Same rows, same bytes."""
    for row in rows:
        unknown = set(row) - set(SCHEMA.names)
        if unknown:
            raise ValueError(f"unknown clip table columns: {sorted(unknown)}")
    table = pa.Table.from_pylist(sorted(rows, key=lambda row: row["clip_id"]), schema=SCHEMA)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=ROWS_PER_GROUP)


def read_clip_table(path: Path, status: str | None = None) -> list[dict]:
    """Read rows, only those with `status` where given; raises ValueError for a file of another version."""
    with pq.ParquetFile(path) as file:   # `pq.read_table` loads pandas, which takes a second
        table = file.read()
    _check_version(path, table.schema)
    rows = table.to_pylist()
    return [row for row in rows if status in (None, row["status"])]


def iterate_clip_table(path: Path, status: str, columns: list[str]) -> Iterator[dict]:
    """Rows with `status`, a thousand in memory at a time; raises ValueError for a file of another version."""
    file = pq.ParquetFile(path, buffer_size=READ_BYTES)
    _check_version(path, file.schema_arrow)
    for batch in file.iter_batches(1024, columns=[*columns, "status"]):
        for row in batch.to_pylist():
            if row.pop("status") == status:
                yield row


def _check_version(path: Path, schema: pa.Schema) -> None:
    version = (schema.metadata or {}).get(b"playmate_clip_table", b"none").decode()
    if version != VERSION:
        raise ValueError(f"{path}: clip table version {version}, this code reads {VERSION}: run `dvc repro preprocess`")

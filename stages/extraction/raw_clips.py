"""What lies in the raw folders and was never preprocessed: such clips have no frames that could be counted."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from stages.readers import ClipRow, CorpusError, open_raw, read_folder


def new_raw_clips(root: str, corpus: str, table: Path) -> int:
    """Clips of raw files that the clip table at `table` does not name; 0 where the raw folder is not here."""
    try:
        rows = list(read_folder(open_raw(root, corpus).folder))
    except CorpusError:  # crops that were made elsewhere are as good
        return 0
    seen = set(pq.read_table(table, columns=["source"])["source"].to_pylist())
    return sum(1 for row in rows if isinstance(row, ClipRow) and row.media not in seen)

"""What lies in the raw folders and was never preprocessed: such clips have no frames that could be counted."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from pipeline.config import Corpus
from stages.readers import ClipRow, CorpusError, open_raw, read_folder


def new_raw_clips(name: str, corpus: Corpus, table: Path) -> int:
    """Clips of raw files that the clip table at `table` does not name; 0 where the raw folder is not here."""
    try:
        rows = list(read_folder(corpus.reader, open_raw(name, corpus.location).folder))
    except CorpusError:  # crops that were made elsewhere are as good
        return 0
    seen = set(pq.read_table(table, columns=["source"])["source"].to_pylist())
    return sum(1 for row in rows if isinstance(row, ClipRow) and row.media not in seen)

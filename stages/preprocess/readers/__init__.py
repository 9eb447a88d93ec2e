"""Corpus readers: a raw folder -> rows. One module per kind of folder, each with `read(Folder) -> Iterator[Row]`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stages.preprocess.readers import acappella, avspeech, celebv_text, clips, hdtf, mafw, mead
from stages.preprocess.readers.folder import Folder
from stages.preprocess.readers.raw import RawCorpus, open_raw
from stages.preprocess.readers.rows import ClipRow, CorpusError, RejectRow, Row

READ = {"avspeech": avspeech.read, "celebv_text": celebv_text.read, "acappella": acappella.read, "mead": mead.read,
        "mafw": mafw.read, "hdtf": hdtf.read, "clips": clips.read}

__all__ = ["READ", "ClipRow", "CorpusError", "RawCorpus", "RejectRow", "Row", "open_raw", "read_corpus", "read_folder"]


def read_corpus(reader: str, folder: Path) -> Iterator[Row]:
    """Rows of one local folder, a clip or a reject each; raises CorpusError where it cannot be read at all."""
    yield from read_folder(reader, Folder(reader, folder))


def read_folder(reader: str, folder: Folder) -> Iterator[Row]:
    """Rows of an opened corpus folder."""
    yield from READ[reader](folder)

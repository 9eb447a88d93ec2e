"""Corpus readers: a raw folder -> rows. One module per corpus, one function `read(Folder) -> Iterator[Row]` each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stages.preprocess.readers import acappella, avspeech, celebv_text, hdtf, mafw, mead
from stages.preprocess.readers.folder import Folder
from stages.preprocess.readers.raw import RawCorpus, open_raw
from stages.preprocess.readers.rows import ClipRow, CorpusError, RejectRow, Row

READ = {"avspeech": avspeech.read, "celebv_text": celebv_text.read, "acappella": acappella.read, "mead": mead.read,
        "mafw": mafw.read, "hdtf": hdtf.read}

__all__ = ["READ", "ClipRow", "CorpusError", "RawCorpus", "RejectRow", "Row", "open_raw", "read_corpus", "read_folder"]


def read_corpus(name: str, folder: Path) -> Iterator[Row]:
    """Rows of one corpus, a clip or a reject each; raises CorpusError where the folder cannot be read at all."""
    if name not in READ:
        raise CorpusError(f"unknown corpus {name!r}; known: {', '.join(READ)}")
    yield from read_folder(Folder(name, folder))


def read_folder(folder: Folder) -> Iterator[Row]:
    """Rows of an opened corpus folder."""
    yield from READ[folder.corpus](folder)

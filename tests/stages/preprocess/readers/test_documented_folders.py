"""docs/corpora.md: what a folder must look like. Each row of its table is laid out on disk and read."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.motion.emotions import SYNONYMS
from pipeline.core.fingerprint import ROOT
from stages.preprocess.readers import ClipRow, RejectRow, open_raw, read_folder
from stages.preprocess.readers.guess import guess_reader
from tests.stages.preprocess.readers.test_clips import shard

TEXT = (ROOT / "docs" / "corpora.md").read_text()
FILE = re.compile(r"`([^`]+)`(?: \(((?:`[^`]+`(?: ⏎ )?)+)\))?")   # `name`, perhaps with (`line` ⏎ `line`)


def table(header: str) -> list[list[str]]:
    """Cells of the rows below a header line."""
    lines = TEXT[TEXT.index(header):].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines]


def lay_out(root: Path, cell: str) -> None:
    """The files of a cell; what stands in parentheses is a text's lines, a table's rows or a shard's members."""
    for name, inside in FILE.findall(cell):
        path, lines = root / name, re.findall(r"`([^`]+)`", inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [line.split(",") for line in lines]
        if path.suffix == ".tar":
            shard(path, {member: text.encode() for member, _, text in (line.partition(" ") for line in lines)})
        elif path.suffix == ".parquet":
            columns = {name: [row[i] for row in rows[1:]] for i, name in enumerate(rows[0])}
            pq.write_table(pa.table({name: [value.encode() for value in values] if name == "video" else values
                                     for name, values in columns.items()}), path)
        elif path.suffix == ".xlsx":
            book = openpyxl.Workbook()
            for row in rows:
                book.active.append(row)
            book.save(path)
        else:
            path.write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize("row", table("| what lies there |"), ids=lambda row: row[0][:60])
def test_a_folder_as_the_table_says_is_read_as_it_says(tmp_path, row):
    files, reader, taken, _ = row
    lay_out(tmp_path / "mine", files)
    raw = open_raw("mine", str(tmp_path / "mine"))
    assert guess_reader(raw.folder) == reader
    rows = list(read_folder(reader, raw.folder))
    clips = [found for found in rows if isinstance(found, ClipRow)]
    [(count, people)] = re.findall(r"^(\d+) clips?: ([^;]+)", taken)
    assert len(clips) == int(count)
    assert {clip.identity.partition("/")[2] for clip in clips} == set(people.split(", "))
    rejects = Counter(found.code for found in rows if isinstance(found, RejectRow))
    assert rejects == {code: int(number) for number, code in re.findall(r"(\d+) `(\w+)`", taken)}


def test_the_table_has_every_reader():
    from stages.preprocess.readers import READ

    assert {row[1] for row in table("| what lies there |")} == set(READ)


def test_the_table_of_emotion_words_is_the_one_in_use():
    listed = {word: label for label, words in table("| label | other words for it |") for word in words.split(", ")}
    assert listed == SYNONYMS

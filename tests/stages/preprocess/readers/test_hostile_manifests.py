"""Manifests made to break what reads them: each ends as rows that can be written, or as an error naming the file."""

from __future__ import annotations

import json
import os
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.clip_table import read_clip_table, write_clip_table
from stages.preprocess.readers import ClipRow, CorpusError, RejectRow, read_corpus
from stages.preprocess.readers.mafw import MAX_ROWS
from stages.preprocess.readers.raw import Source
from stages.preprocess.stage import _reject_row
from tests.stages.preprocess.readers.test_readers import HEAD, INFO, LINES, OFFICIAL, lay, read, sheet

GOOD = "-1wCGAxqT_4_087.000000-090.000000.mp4"


def written(corpus, root, tmp_path):
    """Codes of the reject rows, after a journey through the clip table."""
    rows = [_reject_row(row) for row in read_corpus(corpus, root) if isinstance(row, RejectRow)]
    write_clip_table(tmp_path / "clips.parquet", rows)
    return sorted(row["code"] for row in read_clip_table(tmp_path / "clips.parquet"))


@pytest.mark.parametrize("line", [
    "1," * 2_000_000, "PmD-LzPS2rg\r1,5,.5,.5", '"PmD-LzPS2rg,1,5,.5,.5', "PmD-LzPS2rg,1,5,.5,.5\0", "\0" * 50_000,
    "PmD-LzPS2rg,1e308,1e309,.5,.5", "PmD-LzPS2rg,0x1,5,.5,.5", "=1+cmd|calc!A0,1,5,.5,.5",
    "PmD-LzPS2rg,1,1" + "0" * 5000 + ",.5,.5"],
    ids=["millions of columns", "carriage return", "open quote", "NUL", "all NUL", "overflow", "hexadecimal", "formula",
         "number of 5000 digits"])
def test_a_hostile_line_costs_that_line(tmp_path, line):
    lay(tmp_path, "avspeech_train.csv", text=LINES.splitlines()[0] + "\n" + line + "\n")
    lay(tmp_path, GOOD)
    clips, _ = read("avspeech", tmp_path)
    assert [clip.media for clip in clips] == [GOOD]
    assert written("avspeech", tmp_path, tmp_path / "out") == ["bad_manifest_row"]


def test_a_list_of_bytes_is_rows_that_can_be_written(tmp_path):
    (tmp_path / "avspeech_train.csv").write_bytes(bytes(range(256)) * 4)
    assert set(written("avspeech", tmp_path, tmp_path / "out")) <= {"bad_manifest_row", "unsafe_path"}


def test_millions_of_columns_in_a_text_list(tmp_path):
    lay(tmp_path, "WDA_annotion_time.txt", text="KatieHill.mp4 " + "00:30-00:38 " * 200_000)
    assert len(written("hdtf", tmp_path, tmp_path / "out")) < 20


def test_acappella_without_its_columns(tmp_path):
    lay(tmp_path, "full_dataset.csv", text="a," * 1_000_000)
    with pytest.raises(CorpusError, match="no column ID"):
        read("acappella", tmp_path)


def test_acappella_rows_shorter_and_longer_than_the_header(tmp_path):
    lay(tmp_path, "full_dataset.csv", text=HEAD + "HRLcWZinlIE,0,0.31\n" + "fZ1xOfoEH1k,0,0,2.57," + "x," * 500 + "\n")
    lay(tmp_path, "samples/fZ1xOfoEH1k_0_0_to_2_57.mp4")
    clips, rejects = read("acappella", tmp_path)
    assert len(clips) == 1 and rejects == {("full_dataset.csv:2", "bad_manifest_row")}


@pytest.mark.parametrize("text", ['{"a": ' + "9" * 5000 + "}", '{"a": NaN', "\0", "{" * 10_000, '{"clips": ' * 5000],
                         ids=["integer of 5000 digits", "cut off", "NUL", "braces", "nested"])
def test_json_that_cannot_be_read_is_named(tmp_path, text):
    lay(tmp_path, "celebvtext_info.json", text=text)
    with pytest.raises(CorpusError, match=r"celebvtext_info\.json is not valid JSON"):
        read("celebv_text", tmp_path)


@pytest.mark.parametrize("key", ["\ud800_0", "a" * 100_000, "", ".", "..", "\0", "-rf", "%s%n", "a\nb"])
def test_json_keys_are_only_names(tmp_path, key):
    lay(tmp_path, "celebvtext_info.json", text=json.dumps({key: INFO | {"ytb_id": "\udfff"}}))
    [code] = written("celebv_text", tmp_path, tmp_path / "out")
    assert code == ("unsafe_path" if key in (".", "..", "\0") else "missing_media")


@pytest.mark.parametrize("info", [{"ytb_id": {"a": 1}, "duration": [1, 2]}, {"ytb_id": "x" * 10**6},
                                  {"duration": {"start_sec": "1", "end_sec": {}}}, {"duration": {"end_sec": 10**400}},
                                  {"bbox": "all", "duration": {"start_sec": True, "end_sec": 1e300}}])
def test_json_entries_of_odd_types(tmp_path, info):
    lay(tmp_path, "celebvtext_info.json", text=json.dumps({"0-5BrmyFsYM_0": info}))
    lay(tmp_path, "raw/0-5BrmyFsYM.mp4")
    [reject] = [row for row in read_corpus("celebv_text", tmp_path) if row.key == "0-5BrmyFsYM_0"]
    assert reject.code == "bad_manifest_row" and reject.identity == "celebv_text/0-5BrmyFsYM"


def patched_sheet(path, member, old, new):
    """A good workbook with other text in one of its parts."""
    sheet(path, ["clip", *OFFICIAL, "single_label"], ["00151.mp4", *[0] * 11, 4])
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    assert old in parts[member]
    parts[member] = parts[member].replace(old, new)
    with zipfile.ZipFile(path, "w") as book:
        for name, data in parts.items():
            book.writestr(name, data)


@pytest.mark.parametrize(("member", "old", "new"), [
    ("xl/worksheets/sheet1.xml", b"</sheetData>", b""), ("xl/worksheets/sheet1.xml", b"<worksheet", b"\xff\xfe"),
    ("xl/worksheets/sheet1.xml", b'r="A1"', b'r="!!"'), ("xl/workbook.xml", b"<sheets>", b"<sheets/>"),
    ("[Content_Types].xml", b"spreadsheetml", b"wordprocessingml")])
def test_a_workbook_with_broken_parts_is_named(tmp_path, member, old, new):
    patched_sheet(tmp_path / "single_set.xlsx", member, old, new)
    with pytest.raises(CorpusError, match=r"single_set\.xlsx"):
        read("mafw", tmp_path)


def test_a_workbook_that_unpacks_to_a_terabyte_is_refused(tmp_path):
    patched_sheet(tmp_path / "single_set.xlsx", "xl/workbook.xml", b"<sheets>", b"<sheets>")
    data = bytearray((tmp_path / "single_set.xlsx").read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24:at + 28] = b"\xff\xff\xff\xef"      # unpacked size of the last member in the directory
    (tmp_path / "single_set.xlsx").write_bytes(data)
    with pytest.raises(CorpusError, match="unpacks to more than"):
        read("mafw", tmp_path)


def test_a_row_far_down_a_sheet_does_not_make_all_rows_between(tmp_path):
    patched_sheet(tmp_path / "single_set.xlsx", "xl/worksheets/sheet1.xml", b'<row r="2"', b'<row r="999999999999"')
    lay(tmp_path, "data/clips/00151.mp4")
    assert MAX_ROWS < 2_000_000
    assert read("mafw", tmp_path)[1] == {("data/clips/00151.mp4", "unlisted")}


def test_a_table_with_broken_pages(tmp_path):
    path = tmp_path / "train-0.parquet"
    pq.write_table(pa.table({"video": [os.urandom(3000)] * 4, "yt_id": ["PmD-LzPS2rg"] * 4}), path, row_group_size=2,
                   use_dictionary=False, compression="none")
    data = bytearray(path.read_bytes())
    data[4:2000] = b"\xff" * 1996                     # the first page of the videos
    path.write_bytes(data)
    clips, rejects = read("avspeech", tmp_path)
    assert len(clips) == 4 and not rejects            # the ids are whole; bytes are read with their clip
    with pytest.raises(FileNotFoundError, match="its table cannot be read"):
        Source(str(tmp_path)).fetch(clips[0].media, tmp_path / "scratch")
    assert Source(str(tmp_path)).fetch(clips[2].media, tmp_path / "scratch").stat().st_size == 3000
    at = data.index(b"PmD-LzPS2rg")
    data[at - 60:at + 30] = b"\xff" * 90              # and now the ids of the first rows
    path.write_bytes(data)
    assert ("train-0.parquet", "bad_manifest") in read("avspeech", tmp_path)[1]


def test_file_names_that_are_no_text_and_things_that_are_no_file(tmp_path):
    root = tmp_path / "raw"
    lay(root, "M003#angry#level_1#001.mp4")
    open(os.fsencode(root) + b"/M003#sad\xff#level_1#001.mp4", "w").close()
    (root / "M003#sad#level_1#002.mp4").symlink_to("nowhere.mp4")
    os.mkfifo(root / "M003#sad#level_1#003.mp4")
    assert sum(isinstance(row, ClipRow) for row in read_corpus("mead", root)) == 1
    assert written("mead", root, tmp_path / "out") == ["bad_name", "not_a_file", "not_a_file"]

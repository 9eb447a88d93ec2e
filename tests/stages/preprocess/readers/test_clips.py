"""The reader of any folder of videos: with lists, without, in tar shards and Parquet files, from disk as from S3."""

from __future__ import annotations

import io
import json
import tarfile
import unicodedata

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.motion.emotions import SYNONYMS, UNION11
from stages.preprocess.readers import ClipRow, CorpusError, RejectRow, open_raw, read_corpus, read_folder
from stages.preprocess.readers.clips_columns import BadColumn, emotion_of
from stages.preprocess.records import make_units
from tests.stages.preprocess.readers.test_readers import lay, read


def shard(path, members, **more):
    """A tar of {name: bytes}."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", **more) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def people_of(root):
    clips, _ = read("clips", root)
    return {clip.media: clip.identity for clip in clips}


# --- without a list

def test_the_first_folder_is_the_person_where_all_have_one(tmp_path):
    lay(tmp_path, "anna/a.mp4", "anna/day 2/a.MOV", "ben/1.mkv", "ben/1.wav", "ben/notes.txt")
    assert people_of(tmp_path) == {"anna/a.mp4": "clips/anna", "anna/day 2/a.MOV": "clips/anna",
                                   "ben/1.mkv": "clips/ben"}
    clips, rejects = read("clips", tmp_path)
    assert [clip.audio for clip in clips] == [None, None, "ben/1.wav"] and rejects == set()


def test_one_file_outside_makes_every_file_its_own_person(tmp_path):
    lay(tmp_path, "anna/a.mp4", "anna/b.mp4", "c.mp4")
    assert people_of(tmp_path) == {"anna/a.mp4": "clips/anna/a", "anna/b.mp4": "clips/anna/b", "c.mp4": "clips/c"}


def test_folders_of_splits_are_no_people(tmp_path):
    lay(tmp_path, "train/anna/a.mp4", "Test/ben/b.mp4", "val/cleo/c.mp4")
    clips, _ = read("clips", tmp_path)
    assert {(c.identity, c.official_split) for c in clips} == {
        ("clips/anna", "train"), ("clips/ben", "test"), ("clips/cleo", "validation")}


def test_a_sound_of_the_same_name_in_another_folder_is_not_taken(tmp_path):
    lay(tmp_path, "anna/1.mp4", "ben/1.mp4", "ben/1.wav")
    clips, _ = read("clips", tmp_path)
    assert [clip.audio for clip in clips] == [None, "ben/1.wav"]


def test_hidden_files_are_told_and_do_not_speak(tmp_path):
    lay(tmp_path, "anna/a.mp4", "anna/._a.mp4", "__MACOSX/anna/b.mp4", ".trash/c.mp4", ".cache/metadata.csv")
    clips, rejects = read("clips", tmp_path)
    assert [clip.media for clip in clips] == ["anna/a.mp4"]
    assert rejects == {("anna/._a.mp4", "hidden"), ("__MACOSX/anna/b.mp4", "hidden"), (".trash/c.mp4", "hidden")}


# --- with a list

HEADER = "file_name,person,emotion,intensity,start_s,end_s,language,audio,split,transcript,take\n"
ROW = {"identity": "clips/Anna", "emotion": "happy", "level": 2, "start_s": 1.5, "end_s": 9.0, "language": "German",
       "audio": "w/a.wav", "official_split": "test", "media": "v/a.mp4"}


def same(clip):
    return {name: getattr(clip, name) for name in ROW}


def test_every_known_column_and_others_beside_them(tmp_path):
    lay(tmp_path, "v/a.mp4", "v/b.mp4", "w/a.wav", "v/stray.mp4")
    text = HEADER + 'v/a.mp4,Anna,JOY,2,1.5,9,German,w/a.wav,test,"two\nlines, and a ""word""",7\n./v/b.mp4' + 10 * ","
    lay(tmp_path, "metadata.csv", text="\ufeff" + text.replace("\n./v", "\r\n./v"))
    (first, second), rejects = read("clips", tmp_path)
    assert same(first) == ROW
    assert (second.media, second.identity, second.emotion, second.start_s, second.audio) == (
        "v/b.mp4", "clips/v", None, None, None)
    assert rejects == {("v/stray.mp4", "unlisted")}


@pytest.mark.parametrize("mark", [";", "\t"])
def test_other_separators(tmp_path, mark):
    lay(tmp_path, "v/a.mp4", "w/a.wav")
    lay(tmp_path, "metadata.csv", text=(HEADER + "v/a.mp4,Anna,joy,2,1.5,9,German,w/a.wav,test,,\n").replace(",", mark))
    [clip], _ = read("clips", tmp_path)
    assert same(clip) == ROW


FOREIGN = "file_name,person,emotion\nv/a.mp4,Jörg,joy\nv/b.mp4,Järg,SAD\n"


@pytest.mark.parametrize(("name", "data"), [
    ("metadata.csv", FOREIGN.encode("utf-16")), ("metadata.csv", b"\xfe\xff" + FOREIGN.encode("utf-16-be")),
    ("metadata.csv", FOREIGN.encode("utf-32")), ("metadata.csv", FOREIGN.encode("latin-1")),
    ("metadata.csv", FOREIGN.replace("\n", "\r").encode()),
    ("metadata.csv", FOREIGN.replace("\n", "\r\n").encode("cp1252")),
    ("metadata.csv", b"\r\n\n" + FOREIGN.encode()), ("metadata.tsv", FOREIGN.replace(",", "\t").encode("utf-16")),
    ("Metadata.CSV", b'"sep=;"\r\n' + FOREIGN.replace(",", ";").encode())],
    ids=["UTF-16", "UTF-16 BE", "UTF-32", "Latin-1", "carriage returns", "Windows", "blank lines", "Unicode text",
         "Excel's first line"])
def test_lists_as_table_programs_write_them(tmp_path, name, data):
    """Two people whose names differ by an umlaut are two."""
    lay(tmp_path, "v/a.mp4", "v/b.mp4")
    (tmp_path / name).write_bytes(data)
    clips, rejects = read("clips", tmp_path)
    assert [(c.identity, c.emotion) for c in clips] == [("clips/Jörg", "happy"), ("clips/Järg", "sad")]
    assert rejects == set()


def test_a_line_that_is_no_utf8_costs_no_other_line(tmp_path):
    lay(tmp_path, "v/a.mp4", "v/b.mp4")
    (tmp_path / "metadata.csv").write_bytes("file_name,person\nv/a.mp4,Jörg\n".encode()
                                            + "v/b.mp4,Jörg\n".encode("cp1252"))
    assert set(people_of(tmp_path).values()) == {"clips/Jörg"}


def test_names_in_other_letters_and_whole_paths_of_the_folder(tmp_path):
    lay(tmp_path, "v/A.MP4", "v/b.mp4", "v/B.mp4", "w/a.WAV")
    lay(tmp_path, "metadata.csv", text="file_name,audio,start_s,end_s,intensity\nV\\a.mp4,w/A.wav,,,\n"
                                       f'{tmp_path}/v/b.mp4,,"1,5","9,25",2.0\nv/B.MP4,,,,\n/etc/b.mp4,,,,\n')
    (first, second), rejects = read("clips", tmp_path)
    assert (first.media, first.audio) == ("v/A.MP4", "w/a.WAV")
    assert (second.media, second.start_s, second.end_s, second.level) == ("v/b.mp4", 1.5, 9.25, 2)
    assert rejects == {("v/B.MP4", "missing_media"), ("v/B.mp4", "unlisted"), ("metadata.csv:5", "unsafe_path")}


def test_a_list_of_another_kind_is_told_where_there_is_none(tmp_path):
    lay(tmp_path, "a/1.mp4", "b/1.mp4", "b/metadata.csv", "a/metadata.xlsx", "b/metadata.xlsx")
    (tmp_path / "b/metadata.csv").write_text("file_name,person\n1.mp4,A\0\x1bn\n")
    clips, rejects = read("clips", tmp_path)
    assert [clip.identity for clip in clips] == ["clips/A  n"]
    assert ("a/metadata.xlsx", "bad_manifest") in rejects and ("b/metadata.xlsx", "bad_manifest") not in rejects


VALUES = {"file_name": "v/a.mp4", "person": "Anna", "emotion": " Joy ", "intensity": 2.0, "start_s": 1.5, "end_s": 9,
          "language": "German", "audio": "w/a.wav", "split": "test", "more": {"x": [1]}}


def test_json_lines_and_parquet_say_the_same(tmp_path):
    lay(tmp_path / "j", "v/a.mp4", "w/a.wav")
    lay(tmp_path / "p", "v/a.mp4", "w/a.wav")
    lay(tmp_path / "j", "metadata.jsonl", text=json.dumps(VALUES) + "\n\n")
    pq.write_table(pa.Table.from_pylist([VALUES]), tmp_path / "p" / "metadata.parquet")
    for folder in ("j", "p"):
        [clip], rejects = read("clips", tmp_path / folder)
        assert same(clip) == ROW and rejects == set()


def test_numbers_of_people_are_counts_however_a_table_program_wrote_them(tmp_path):
    lay(tmp_path, "a.mp4", "b.mp4")
    pq.write_table(pa.table({"file_name": ["a.mp4", "b.mp4"], "person": [7.0, float("nan")]}),
                   tmp_path / "metadata.parquet")
    assert people_of(tmp_path) == {"a.mp4": "clips/7", "b.mp4": "clips/b"}


def test_a_list_names_files_from_its_own_folder(tmp_path):
    lay(tmp_path, "train/x/a.mp4", "train/s.wav", "test/x/a.mp4")
    lay(tmp_path, "train/metadata.csv", text="file_name,person,audio\nx/a.mp4,A,s.wav\n")
    lay(tmp_path, "test/metadata.csv", text="file_name,person\nx/a.mp4,B\n")
    clips, rejects = read("clips", tmp_path)
    assert {(c.media, c.identity, c.audio, c.official_split) for c in clips} == {
        ("train/x/a.mp4", "clips/A", "train/s.wav", "train"), ("test/x/a.mp4", "clips/B", None, "test")}
    assert rejects == set()


def test_a_name_is_found_however_its_letters_are_composed_and_slashes_lean(tmp_path):
    lay(tmp_path, unicodedata.normalize("NFD", "Jürgen/ä.mp4"))
    lay(tmp_path, "metadata.csv", text="file_name\n" + unicodedata.normalize("NFC", "Jürgen\\ä.mp4\n"))
    [clip], rejects = read("clips", tmp_path)
    assert clip.media == unicodedata.normalize("NFD", "Jürgen/ä.mp4") and rejects == set()


@pytest.mark.parametrize(("row", "code", "words"), [
    ("gone.mp4,A,,,,", "missing_media", "no video 'gone.mp4'"),
    ("../up.mp4,A,,,,", "unsafe_path", "leaves the corpus folder"),
    ("/etc/a.mp4,A,,,,", "unsafe_path", "leaves the corpus folder"),
    (",A,,,,", "bad_manifest_row", "no file_name"),
    ("a.mp4,A,smug,,,", "bad_label", "neutral, angry, contempt, disgusted, fear, happy, sad, surprised, anxiety"),
    ("a.mp4,A,,9,,", "bad_manifest_row", "intensity '9' is none of 1, low"),
    ("a.mp4,A,,,5,2", "bad_manifest_row", "the end after the start"),
    ("a.mp4,A,,,5,", "bad_manifest_row", "start_s '5', end_s None"),
])
def test_a_row_that_cannot_be_used_is_a_reject_that_says_why(tmp_path, row, code, words):
    lay(tmp_path, "a.mp4")
    lay(tmp_path, "metadata.csv", text=f"file_name,person,emotion,intensity,start_s,end_s\n{row}\n")
    [reject] = [r for r in read_corpus("clips", tmp_path) if isinstance(r, RejectRow) and r.code != "unlisted"]
    assert reject.code == code and words in reject.detail and "line 2" in reject.detail


def test_a_bad_line_costs_itself(tmp_path):
    lay(tmp_path, "a.mp4", "b.mp4")
    lay(tmp_path, "metadata.jsonl",
        text='{"file_name": "a.mp4"}\n{broken\n[1]\n{"file_name": "b.mp4", "audio": "no.wav"}')
    clips, rejects = read("clips", tmp_path)
    assert [c.media for c in clips] == ["a.mp4"]
    assert rejects == {("metadata.jsonl:2", "bad_manifest_row"), ("metadata.jsonl:3", "bad_manifest_row"),
                       ("b.mp4", "missing_media")}


@pytest.mark.parametrize(("name", "text"), [("metadata.csv", "path,person\na.mp4,A\n"), ("metadata.csv", ""),
                                            ("metadata.jsonl", '{"path": "a.mp4"}\n'), ("metadata.parquet", "x")])
def test_a_list_that_is_none_stops_with_what_to_do(tmp_path, name, text):
    lay(tmp_path, "a.mp4")
    lay(tmp_path, name, text=text)
    with pytest.raises(CorpusError, match=rf"{name}.*(file_name|readable)"):
        read("clips", tmp_path)


# --- emotion words

@pytest.mark.parametrize(("word", "label"), [("HAPPY", "happy"), ("Happiness", "happy"), ("joy", "happy"),
                                             ("Anger", "angry"), ("Fearful", "fear"), ("calm", "neutral"),
                                             ("SUR", "surprised"), ("worried", "anxiety"), (None, None)])
def test_words_of_any_case_and_their_synonyms(word, label):
    assert emotion_of(word) == label


def test_no_word_means_two_things():
    assert not set(SYNONYMS) & set(UNION11) and set(SYNONYMS.values()) == set(UNION11)
    with pytest.raises(BadColumn, match=r"accepted in any case.*disappointment"):
        emotion_of("bored")


# --- tar shards and Parquet files

SHARD = {"000.mp4": b"first", "000.json": b'{"person": "Anna", "emotion": "sad"}', "000.txt": b"words",
         "001.wav": b"sound", "001.mp4": b"second!", "x/002.front.mp4": b"third",
         "x/002.json": b'{"language": "Dutch"}'}
MOVIE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def packed(root):
    """A folder with a shard and a table."""
    shard(root / "test" / "a-0.tar", SHARD)
    (root / "test" / "t.parquet").parent.mkdir(exist_ok=True)
    videos = [{"bytes": b"cell 0", "path": "u.webm"}, {"bytes": b"cell 1", "path": None}]
    table = pa.table({"video": pa.array(videos, MOVIE),
                      "emotion": ["Anger", None], "person": ["Ben", None], "other": [1, 2]})
    pq.write_table(table, root / "test" / "t.parquet", row_group_size=1)


EXPECTED = {   # bytes -> identity, emotion, language, sound
    b"first": ("clips/Anna", "sad", None, None), b"second!": ("clips/test/a-0.tar/001", None, None, b"sound"),
    b"third": ("clips/test/a-0.tar/x/002.front", None, "Dutch", None), b"cell 0": ("clips/Ben", "angry", None, None),
    b"cell 1": ("clips/test/t.parquet/000001", None, None, None)}


def contents(corpus, scratch):
    rows = list(read_folder("clips", corpus.folder))
    assert all(isinstance(row, ClipRow) for row in rows)
    assert {row.official_split for row in rows if ".tar" in row.media} <= {"test", None}

    def data(name):
        return name and corpus.source.fetch(name, scratch).read_bytes()

    return {data(row.media): (row.identity, row.emotion, row.language, data(row.audio)) for row in rows}


def test_shards_and_tables_of_a_folder(tmp_path):
    packed(tmp_path / "clips")
    corpus = open_raw("clips", str(tmp_path / "clips"))
    assert contents(corpus, tmp_path / "scratch") == EXPECTED
    assert corpus.folder.unread_archives == []


@pytest.mark.slow
def test_shards_and_tables_are_streamed_from_s3_as_from_disk(s3_bucket, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    packed(tmp_path / "clips")
    for path in (p for p in (tmp_path / "clips").rglob("*") if p.is_file()):
        boto3.client("s3").upload_file(str(path), s3_bucket, f"sets/{path.relative_to(tmp_path)}")
    corpus = open_raw("clips", f"s3://{s3_bucket}/sets/clips")
    assert contents(corpus, tmp_path / "scratch") == EXPECTED
    units, rejects = make_units(list(read_folder("clips", corpus.folder)), corpus)
    assert len(units) == 5 and rejects == []
    assert not [path for path in (tmp_path / ".playmate").rglob("*") if path.is_file()]  # nothing was copied here


def test_the_name_of_a_member_moves_with_its_bytes(tmp_path):
    """Another clip added to a shard computes nothing anew; a changed one does."""
    def units():
        corpus = open_raw("clips", str(tmp_path / "clips"))
        found, _ = make_units(list(read_folder("clips", corpus.folder)), corpus)
        return {unit.row.key: (unit.name, unit.media_bytes) for unit in found}

    shard(tmp_path / "clips" / "a.tar", {"0.mp4": b"one", "1.mp4": b"two"})
    before = units()
    shard(tmp_path / "clips" / "a.tar", {"00.mp4": b"new", "0.mp4": b"one", "1.mp4": b"changed"})
    after = units()
    assert before["a.tar/0.mp4"] == after["a.tar/0.mp4"] and before["a.tar/1.mp4"] != after["a.tar/1.mp4"]


def test_hostile_members(tmp_path):
    root = tmp_path / "clips"
    shard(root / "a.tar", {"../up.mp4": b"x", "/abs.mp4": b"x", "ok.mp4": b"x", "ok.json": b"{broken", "n.json": b"[1]",
                           "big.json": b" " * (1 << 20) + b"{}", "._ok.mp4": b"x"})
    with tarfile.open(root / "a.tar", "a") as tar:
        link = tarfile.TarInfo("link.mp4")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    clips, rejects = read("clips", root)
    assert [clip.media.rpartition("//")[2].partition("/")[2] for clip in clips] == ["ok.mp4"]
    assert rejects == {("../up.mp4", "unsafe_path"), ("/abs.mp4", "unsafe_path"), ("link.mp4", "not_a_file"),
                       ("ok.json", "bad_manifest_row"), ("n.json", "bad_manifest_row"),
                       ("big.json", "bad_manifest_row")}


def test_a_shard_that_ends_early_keeps_what_is_whole(tmp_path):
    shard(tmp_path / "clips" / "a.tar", {"0.mp4": b"one", "1.mp4": bytes(5000)})
    data = (tmp_path / "clips" / "a.tar").read_bytes()
    (tmp_path / "clips" / "a.tar").write_bytes(data[:3000])
    (tmp_path / "clips" / "b.tar").write_bytes(b"no tar at all")
    corpus = open_raw("clips", str(tmp_path / "clips"))
    rows = list(read_folder("clips", corpus.folder))
    units, rejects = make_units(rows, corpus)
    assert [unit.row.key for unit in units] == ["a.tar/0.mp4"]
    assert {(r.source.partition("//")[0], r.code) for r in rejects} == {
        ("a.tar", "bad_manifest"), ("a.tar", "unreadable_file"), ("b.tar", "bad_manifest")}


def test_a_table_without_video_and_a_compressed_archive_are_told(tmp_path):
    root = tmp_path / "clips"
    lay(root, "a.mp4")
    pq.write_table(pa.table({"x": [1]}), root / "t.parquet")
    (root / "b.tar.gz").write_bytes(b"")
    corpus = open_raw("clips", str(tmp_path / "clips"))
    [reject] = [row for row in read_folder("clips", corpus.folder) if isinstance(row, RejectRow)]
    assert (reject.code, corpus.folder.unread_archives) == ("bad_manifest", ["b.tar.gz"])

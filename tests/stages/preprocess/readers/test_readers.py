"""Every layout, manifest generation and trap that users of the six corpora meet, with files of a few bytes."""

from __future__ import annotations

import json
import os

import pytest

from stages.preprocess.readers import ClipRow, CorpusError, RejectRow, read_corpus
from stages.preprocess.readers.acappella import sample_id, seconds
from stages.preprocess.readers.hdtf import person


def lay(root, *names, text=None):
    """Files at these paths: empty videos, or one text file."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text or "")


def read(corpus, root):
    rows = list(read_corpus(corpus, root))
    return [r for r in rows if isinstance(r, ClipRow)], {(r.key, r.code) for r in rows if isinstance(r, RejectRow)}


# --- AVSpeech

LINES = "-1wCGAxqT_4,87,90,0.46875,0.303977\nPmD-LzPS2rg,282.5823,285.5853,0.371875,0.425\n"


def test_avspeech_flat_and_missing(tmp_path):
    lay(tmp_path, "avspeech_test.csv", text=LINES)
    lay(tmp_path, "-1wCGAxqT_4_087.000000-090.000000.mp4", "stray.mp4")
    [clip], rejects = read("avspeech", tmp_path)
    assert (clip.media, clip.hint, clip.identity) == ("-1wCGAxqT_4_087.000000-090.000000.mp4", (0.46875, 0.303977),
                                                      "avspeech/-1wCGAxqT_4")
    assert (clip.official_split, clip.youtube_id, clip.start_s) == ("test", "-1wCGAxqT_4", None)
    assert rejects == {("PmD-LzPS2rg_282.582300-285.585300", "missing_media"), ("stray.mp4", "unlisted")}


@pytest.mark.parametrize("head", ["", "\ufeff", "yt_id,start_time,end_time,x,y\n", "\ufeffyt_id,start,end,x,y\r\n"])
@pytest.mark.parametrize("numbered", [False, True])
def test_avspeech_header_mark_and_six_columns(tmp_path, head, numbered):
    """Five columns or six (a serial number first), a header or none, a byte-order mark or none."""
    head = head.replace("yt_id", "serial_id,yt_id") if numbered else head
    lines = "".join(f"{i},{line}\n" for i, line in enumerate(LINES.splitlines())) if numbered else LINES
    lay(tmp_path, "avspeech_train.csv", text=head + lines)
    lay(tmp_path, "data/PmD-LzPS2rg/PmD-LzPS2rg_282.58_285.59.mp4", "data/PmD-LzPS2rg/PmD-LzPS2rg_282.58_285.59.wav")
    [clip], rejects = read("avspeech", tmp_path)
    assert clip.audio == "data/PmD-LzPS2rg/PmD-LzPS2rg_282.58_285.59.wav"
    assert clip.hint == (0.371875, 0.425) and rejects == {("-1wCGAxqT_4_87.000000-90.000000", "missing_media")}


def test_avspeech_two_segments_of_one_whole_video(tmp_path):
    lay(tmp_path, "avspeech_train.csv", text="PmD-LzPS2rg,1,5,0.5,0.5\nPmD-LzPS2rg,7,12.5,0.5,2.5\n")
    lay(tmp_path, "videos/PmD-LzPS2rg.mkv")
    clips, _ = read("avspeech", tmp_path)
    assert [(c.start_s, c.end_s, c.hint) for c in clips] == [(1.0, 5.0, (0.5, 0.5)), (7.0, 12.5, None)]


@pytest.mark.parametrize("line", ["PmD-LzPS2rg,nan,5,0.5,0.5", "PmD-LzPS2rg,-3,5,0.5,0.5", "PmD-LzPS2rg,5,3,0.5,0.5",
                                  "PmD-LzPS2rg,1,inf,0.5,0.5", "PmD-LzPS2rg,1,5", "x,1,5,.5,.5", "a" * 200_001,
                                  "1," * 40_000])
def test_avspeech_bad_rows_are_counted(tmp_path, line):
    lay(tmp_path, "avspeech_train.csv", text=LINES + line + "\n")
    assert ("avspeech_train.csv:3", "bad_manifest_row") in read("avspeech", tmp_path)[1]


def test_avspeech_names_that_try_to_leave(tmp_path):
    lay(tmp_path / "avspeech", "avspeech_train.csv", text="../../../x,1,5,0.5,0.5\n/etc/passwd,1,5,0.5,0.5\n")
    clips, rejects = read("avspeech", tmp_path / "avspeech")
    assert not clips and {code for _, code in rejects} == {"unsafe_path"}


def test_avspeech_without_a_list_takes_what_is_named_as_a_segment(tmp_path):
    lay(tmp_path, "PmD-LzPS2rg_282.5823_285.5853.mp4", "notes.mp4")
    clips, rejects = read("avspeech", tmp_path)
    assert [c.key for c in clips] == ["PmD-LzPS2rg_282.582300-285.585300"] and rejects == {("notes.mp4", "unlisted")}


# --- CelebV-Text

INFO = {"ytb_id": "0-5BrmyFsYM", "duration": {"start_sec": 0.0, "end_sec": 9.64}, "version": "v0.1"}
PIXELS = {"top": 0, "bottom": 937, "left": 849, "right": 1872}
SHARES = {"top": 0.1, "bottom": 0.9, "left": 0.4, "right": 0.99}


@pytest.mark.parametrize("data", [
    {"clips": {"0-5BrmyFsYM_0": INFO | {"bbox": PIXELS}}},
    {"clips_set1": {"0-5BrmyFsYM_0": INFO | {"bbox": PIXELS}}, "clips_set2": {"0-5BrmyFsYM_0": INFO}},
    {"0-5BrmyFsYM_0.mp4": INFO | {"bbox": SHARES}},
    {"0-5BrmyFsYM_0": INFO | {"bbox": SHARES}},
])
def test_celebv_three_generations(tmp_path, data):
    lay(tmp_path, "celebvtext_info.json", text="\ufeff" + json.dumps(data))
    lay(tmp_path, "processed/0-5BrmyFsYM_0.mp4", "audio/0-5BrmyFsYM_0.m4a", "processed/other_0.mp4")
    [clip], rejects = read("celebv_text", tmp_path)
    assert (clip.key, clip.audio, clip.youtube_id) == ("0-5BrmyFsYM_0", "audio/0-5BrmyFsYM_0.m4a", "0-5BrmyFsYM")
    repeated = {("0-5BrmyFsYM_0", "listed_twice")} if "clips_set2" in data else set()
    assert clip.box is None and rejects == {("processed/other_0.mp4", "unlisted")} | repeated


def test_celebv_raw_videos_are_cut_by_time_and_box(tmp_path):
    frames = {"ytb_id": "00-30GQl0TM", "duration": {"start_frame": 415.29, "end_frame": 420.88}, "bbox": PIXELS}
    lay(tmp_path, "celebvtext_info.json", text=json.dumps({"0-5BrmyFsYM_0": INFO | {"bbox": SHARES},
                                                            "00-30GQl0TM_7": frames}))
    lay(tmp_path, "raw/0-5BrmyFsYM.mp4", "raw/00-30GQl0TM.mp4")
    first, second = read("celebv_text", tmp_path)[0]
    assert (first.start_s, first.end_s) == (0.0, 9.64)
    assert first.box == pytest.approx((0.38, 0.08, 1.0, 0.92))
    assert (second.start_s, second.end_s, second.box) == (415.29, 420.88, (849, 0, 1872, 937))


@pytest.mark.parametrize("info", [None, 3, [], {}, {"duration": None}, {"duration": {"start_sec": float("nan")}},
                                  {"duration": {"start_sec": -4.0, "end_sec": 2.0}}])
def test_celebv_odd_entries_are_counted(tmp_path, info):
    lay(tmp_path, "celebvtext_info.json", text=json.dumps({"0-5BrmyFsYM_0": info}))
    lay(tmp_path, "raw/0-5BrmyFsYM.mp4")
    assert read("celebv_text", tmp_path) == ([], {("0-5BrmyFsYM_0", "bad_manifest_row")})


def test_celebv_unsafe_and_broken(tmp_path):
    lay(tmp_path, "celebvtext_info.json", text=json.dumps({"../../secret": INFO | {"ytb_id": "../x"}}))
    assert read("celebv_text", tmp_path)[1] == {("../../secret", "unsafe_path")}
    (tmp_path / "celebvtext_info.json").write_text("[" * 100_000)
    with pytest.raises(CorpusError, match="not valid JSON"):
        read("celebv_text", tmp_path)


# --- Acappella

@pytest.mark.parametrize(("text", "expected"), [
    ("3.24", 204), ("2.51", 171), ("5.2", 320), ("0.5", 50), ("0", 0), ("0.31", 31), ("12", 720), ("1.03", 63),
    ("1.75", None), ("nan", None), ("-1.2", None), ("1.234", None), ("", None)])
def test_minutes_and_seconds(text, expected):
    assert seconds(text) == expected


def test_acappella_file_names():
    assert sample_id("HRLcWZinlIE", "0.31", "3.24") == "HRLcWZinlIE_0_31_to_3_24"
    assert sample_id("fZ1xOfoEH1k", "0", "2.57") == "fZ1xOfoEH1k_0_0_to_2_57"


HEAD = "ID,Repeat,Init,Fin,Length (s),Song Name,Link,Comments,Singer,Language,Gender\n"


def test_acappella_samples_and_whole_videos(tmp_path):
    lay(tmp_path, "dataset/full_dataset.csv", text=HEAD
        + 'HRLcWZinlIE,0,0.31,3.24,173,"Fallout, live",link,,RatedT4Taylor,English,Female\n'
        + "rtWbtRWDuDU,0,1.03,5.03,128,Song,link,Shaky video,Singer B,Spanish,Male\n"
        + "fZ1xOfoEH1k,0,x,2.57,177,Song,link,,Karen Hardy,English,Female\n")
    lay(tmp_path, "dataset/splits.json", text=json.dumps({"train": ["HRLcWZinlIE_0_31_to_3_24"]}))
    lay(tmp_path, "samples/HRLcWZinlIE_0_31_to_3_24.mp4", "full-length/rtWbtRWDuDU.webm")
    (a, b), rejects = read("acappella", tmp_path)
    assert (a.media, a.start_s, a.official_split) == ("samples/HRLcWZinlIE_0_31_to_3_24.mp4", None, "train")
    assert (b.start_s, b.end_s, b.language, b.identity) == (63.0, 303.0, "Spanish", "acappella/Singer B")
    assert rejects == {("full_dataset.csv:4", "bad_manifest_row")}


def test_acappella_split_files_with_their_extra_column(tmp_path):
    lay(tmp_path, "test_unseen.csv", text=HEAD.strip() + ",Category\n"
        "b7CByL7ut-k,1,0.23,1.41,78,EnglishFemale,,,Valentina Marentes,English,Female,x\n")
    lay(tmp_path, "samples/b7CByL7ut-k_0_23_to_1_41.mp4")
    [clip], _ = read("acappella", tmp_path)
    assert clip.official_split == "test_unseen"


# --- MEAD

def test_mead_tree_views_and_sound(tmp_path):
    lay(tmp_path, "M003/video/front/angry/level_1/001.mp4", "M003/audio/angry/level_1/001.m4a",
        "W021/video/1/front/sad/level_3/021.mp4", "W036/video/left_30/happy/level_3/014.mp4", "readme/trailer.mp4")
    clips, rejects = read("mead", tmp_path)
    assert [(c.identity, c.emotion, c.level, c.audio) for c in clips] == [
        ("mead/M003", "angry", 1, "M003/audio/angry/level_1/001.m4a"), ("mead/W021", "sad", 3, None)]
    assert rejects == {("W036#left_30#happy#level_3#014", "view"), ("readme/trailer.mp4", "unlisted")}


def test_mead_flat_names(tmp_path):
    lay(tmp_path, "M003#angry#level_1#001.mp4", "M003_dis_2_007.mp4")
    clips, _ = read("mead", tmp_path)
    assert [(c.emotion, c.level) for c in clips] == [("angry", 1), ("disgusted", 2)]


def test_mead_official_test_takes_are_the_last_ones(tmp_path):
    lay(tmp_path, *[f"M003/video/front/happy/level_2/{i:03d}.mp4" for i in range(1, 31)])
    clips, _ = read("mead", tmp_path)
    assert [c.media[-7:-4] for c in clips if c.official_split == "test"] == ["025", "026", "027", "028", "029", "030"]


# --- MAFW

def sheet(path, header, *rows):
    from openpyxl import Workbook

    book = Workbook()
    for row in (header, *rows):
        book.active.append(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)


OFFICIAL = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt", "anxiety",
            "helplessness", "disappointment"]


def test_mafw_sheets_and_splits(tmp_path):
    sheet(tmp_path / "Labels" / "single-set.xlsx", ["clip", *OFFICIAL, "single_label"],
          ["00151.mp4", *[0] * 11, 4], ["00152.mp4", *[0] * 11, 1.0], ["00153.mp4", *[0] * 11, 2])
    sheet(tmp_path / "Labels" / "multi_set.xlsx", ["clip", *OFFICIAL, "multi_label"], ["00154.mp4", *[0] * 11, "1,2"])
    lay(tmp_path, "Train & Test Set/single/no_caption/set_1/train.txt", text="00151.mp4 happiness\n")
    lay(tmp_path, "Train & Test Set/single/no_caption/set_1/test.txt", text="00152.mp4 anger\n")
    lay(tmp_path, *[f"data/clips/0015{i}.mp4" for i in (1, 2, 4, 5)])
    clips, rejects = read("mafw", tmp_path)
    assert [(c.key, c.emotion, c.official_split) for c in clips] == [("00151", "happy", "train"),
                                                                    ("00152", "angry", "test")]
    assert rejects == {("00153", "missing_media"), ("00154", "compound_label"), ("data/clips/00155.mp4", "unlisted")}


def test_mafw_labels_follow_the_column_names_not_the_position(tmp_path):
    sheet(tmp_path / "single_set.xlsx", ["clip", *reversed(OFFICIAL), "single_label"], ["00151.mp4", *[0] * 11, 1])
    lay(tmp_path, "data/clips/00151.mp4")
    assert read("mafw", tmp_path)[0][0].emotion == "disappointment"


def test_mafw_by_text_alone(tmp_path):
    lay(tmp_path, "no_caption/set_1/train.txt", text="03747.mp4 anger\n09932.mp4 sadness_surprise\n01.mp4 joy\n")
    lay(tmp_path, "data/clips/03747.mp4", "data/clips/09932.mp4", "data/clips/01.mp4")
    clips, rejects = read("mafw", tmp_path)
    assert [c.emotion for c in clips] == ["angry"]
    assert rejects == {("09932", "compound_label"), ("01", "bad_label")}


def test_mafw_without_labels_or_with_a_broken_sheet(tmp_path):
    with pytest.raises(CorpusError, match=r"single_set\.xlsx"):
        read("mafw", tmp_path)
    lay(tmp_path, "single_set.xlsx", text="not a workbook")
    with pytest.raises(CorpusError, match="download it again"):
        read("mafw", tmp_path)


# --- HDTF

def test_hdtf_both_namings_and_whole_videos(tmp_path):
    lay(tmp_path, "HDTF_dataset/WDA_video_url.txt",
        text="\ufeffKatieHill https://www.youtube.com/watch?v=AAAAAAAAAAA&t=6s\n")
    lay(tmp_path, "HDTF_dataset/WDA_annotion_time.txt",
        text="\ufeffKatieHill.mp4 00:30-00:38 01:30-01:40 02:00-1:5x \nAdamSchiff0.mp4 1:00:00-1:00:30\n")
    lay(tmp_path, "HDTF_dataset/WDA_crop_wh.txt", text="AdamSchiff0_0.mp4 483 390 10 390\n")
    lay(tmp_path, "clips/WDA_KatieHill_000.mp4", "_videos_raw/WDA_AdamSchiff0.mp4", "clips/KatieHill_1#0.mp4",
        "clips/KatieHill_1#1.mp4")
    clips, rejects = read("hdtf", tmp_path)
    assert [(c.key, c.start_s, c.box) for c in clips] == [
        ("KatieHill_0", None, None), ("KatieHill_1#0", None, None), ("KatieHill_1#1", None, None),
        ("AdamSchiff0_0", 3600.0, (483, 10, 873, 400))]
    assert (clips[0].youtube_id, clips[3].identity) == ("AAAAAAAAAAA", "hdtf/AdamSchiff")
    assert rejects == {("KatieHill_2", "bad_manifest_row")}


def test_hdtf_people():
    assert person("JimMcGovern1") == person("JimMcGovern") == "JimMcGovern"
    assert person("Radio1") != person("Radio11")


# --- any corpus

def test_links_and_special_files(tmp_path):
    secret = tmp_path / "secret.mp4"
    secret.write_text("")
    root = tmp_path / "mead"
    lay(root, "M003#angry#level_1#001.mp4")
    (root / "M003#sad#level_1#001.mp4").symlink_to(secret)
    (root / "M003#fear#level_1#001.mp4").symlink_to("M003#angry#level_1#001.mp4")
    (root / "M003#sad#level_1#002.mp4").symlink_to("M003#sad#level_1#002.mp4")
    (root / "M003#sad#level_1#003.mp4").symlink_to("nowhere.mp4")
    (root / "folder").symlink_to(tmp_path)
    os.mkfifo(root / "M003#sad#level_1#004.mp4")
    (root / "M003#sad#level_1#005.mp4").mkdir()
    clips, rejects = read("mead", root)
    assert [c.emotion for c in clips] == ["angry", "fear"]
    assert {key for key, code in rejects if code == "unsafe_path"} == {"M003#sad#level_1#001", "M003#sad#level_1#002",
                                                                      "folder"}


def test_a_corpus_that_is_not_there(tmp_path):
    with pytest.raises(CorpusError, match=r"corpora\.mead\.path"):
        read("mead", tmp_path / "mead")

"""The traps that are known of each corpus' files, one small file each."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.preprocess.piece import _target
from stages.preprocess.readers import CorpusError
from stages.preprocess.task import ClipTask
from tests.stages.preprocess.readers.test_readers import HEAD, INFO, OFFICIAL, SHARES, lay, read, sheet

# --- AVSpeech


def test_avspeech_lists_of_failures_and_other_tables_are_no_list(tmp_path):
    lay(tmp_path, "bad_files_csv.txt", "other.csv", text="PmD-LzPS2rg,1,5,0.5,0.5\n")
    lay(tmp_path, "PmD-LzPS2rg_1.000000-5.000000.mp4")
    [clip], rejects = read("avspeech", tmp_path)
    assert clip.key == "PmD-LzPS2rg_1.000000-5.000000" and not rejects


def test_avspeech_train_and_test_lists_side_by_side(tmp_path):
    lay(tmp_path, "avspeech_train.csv", text="PmD-LzPS2rg,282.5823,285.5853,0.371875,0.425\r\n")
    lay(tmp_path, "avspeech_test.csv", text="q1doqKlHRuY,18.9,23.333333,0.102083,0.834259\r\n")
    lay(tmp_path, "train/PmD-LzPS2rg_282.582300-285.585300.mp4", "test/q1doqKlHRuY_018.900000-023.333333.mp4")
    clips, rejects = read("avspeech", tmp_path)
    assert {c.youtube_id: c.official_split for c in clips} == {"PmD-LzPS2rg": "train", "q1doqKlHRuY": "test"}
    assert not rejects


def test_avspeech_names_of_whole_seconds_and_a_neighbour_segment(tmp_path):
    lay(tmp_path, "avspeech_train.csv", text="01qWxISqaHg,87,90,0.46875,0.303977\n01qWxISqaHg,90,95,0.4,0.3\n")
    lay(tmp_path, "01qWxISqaHg_87_90.mp4", "01qWxISqaHg_087.000000-089.500000.mp4")
    [clip], rejects = read("avspeech", tmp_path)
    assert clip.media == "01qWxISqaHg_87_90.mp4"
    assert rejects == {("01qWxISqaHg_90.000000-95.000000", "missing_media"),
                       ("01qWxISqaHg_087.000000-089.500000.mp4", "unlisted")}


def test_avspeech_parquet_copy(tmp_path):
    struct = [{"bytes": b"v0", "path": "a.mp4"}, {"bytes": b"v1", "path": None}]
    table = {"video": struct, "audio": [b"a0", b"a1"], "yt_id": ["PmD-LzPS2rg", "nonsense"], "x": [0.5, 7.0],
             "y": [0.4, 0.4]}
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table(table), tmp_path / "data" / "train-00000.parquet", row_group_size=1)
    pq.write_table(pa.table({"audio": [b"a"]}), tmp_path / "data" / "sound.parquet")
    pq.write_table(pa.table({"video": [b"v"]}), tmp_path / "data" / "test-00000.parquet")
    lay(tmp_path, "data/broken.parquet", text="PAR1")
    clips, rejects = read("avspeech", tmp_path)
    assert [(c.media, c.audio, c.identity, c.hint, c.official_split) for c in clips] == [
        ("data/test-00000.parquet//0/video", None, "avspeech/data_test-00000_000000", None, "test"),
        ("data/train-00000.parquet//0/video", "data/train-00000.parquet//0/audio", "avspeech/PmD-LzPS2rg", (0.5, 0.4),
         "train"),
        ("data/train-00000.parquet//1/video", "data/train-00000.parquet//1/audio", "avspeech/data_train-00000_000001",
         None, "train")]
    assert rejects == {("data/sound.parquet", "bad_manifest"), ("data/broken.parquet", "bad_manifest")}


def test_avspeech_whole_video_with_its_sound_apart(tmp_path):
    lay(tmp_path, "avspeech_train.csv", text="PmD-LzPS2rg,1,5,0.5,0.5\n")
    lay(tmp_path, "PmD-LzPS2rg.mp4", "sound/PmD-LzPS2rg.m4a")
    [clip], _ = read("avspeech", tmp_path)
    assert (clip.audio, clip.start_s) == ("sound/PmD-LzPS2rg.m4a", 1.0)


def test_avspeech_list_that_is_a_link_out_is_not_read(tmp_path):
    (tmp_path / "secret.csv").write_text("PmD-LzPS2rg,1,5,0.5,0.5\n")
    root = tmp_path / "avspeech"
    lay(root, "PmD-LzPS2rg_1.000000-5.000000.mp4")
    (root / "avspeech_train.csv").symlink_to(tmp_path / "secret.csv")
    [clip], rejects = read("avspeech", root)
    assert clip.hint is None and rejects == {("avspeech_train", "unsafe_path")}


# --- CelebV-Text

def test_celebv_key_with_and_without_suffix_is_one_clip(tmp_path):
    lay(tmp_path, "celebvtext_info.json", text=json.dumps({"0-5BrmyFsYM_0.mp4": INFO, "0-5BrmyFsYM_0": INFO}))
    lay(tmp_path, "processed/0-5BrmyFsYM_0.mp4")
    clips, rejects = read("celebv_text", tmp_path)
    assert len(clips) == 1 and rejects == {("0-5BrmyFsYM_0", "listed_twice")}


def test_celebv_mirror_with_its_sound_apart_and_a_clip_without(tmp_path):
    lay(tmp_path, "celebvtext_info.json", text=json.dumps({name: INFO for name in ("a_0", "b_0")}))
    lay(tmp_path, "sp_0000/a_0.mp4", "sp_0001/b_0.mp4", "celebvtext_audio/a_0.m4a")
    clips, _ = read("celebv_text", tmp_path)
    assert [(c.media, c.audio) for c in clips] == [("sp_0000/a_0.mp4", "celebvtext_audio/a_0.m4a"),
                                                   ("sp_0001/b_0.mp4", None)]


@pytest.mark.parametrize(("box", "is_share"), [(SHARES, True), ({**SHARES, "right": 1.0}, True),
                                               ({**SHARES, "right": 1.01}, False)])
def test_celebv_box_is_normalised_if_no_side_is_above_one(tmp_path, box, is_share):
    lay(tmp_path, "celebvtext_info.json", text=json.dumps({"0-5BrmyFsYM_0": INFO | {"bbox": box}}))
    lay(tmp_path, "raw/0-5BrmyFsYM.mp4")
    [clip], _ = read("celebv_text", tmp_path)
    assert (clip.box[0] == pytest.approx(0.38)) == is_share   # only shares are widened by 0.02


def test_celebv_annotations_are_a_pickle_and_are_not_opened(tmp_path):
    """Their names have a suffix more than the clips' (`a_0_2`); a pickle of unknown origin can run anything."""
    harmful = b"cos\nsystem\n(S'touch " + str(tmp_path / "harmed").encode() + b"'\ntR."
    lay(tmp_path, "celebvtext_info.json", text=json.dumps({"a_0": INFO}))
    lay(tmp_path, "processed/a_0.mp4")
    (tmp_path / "annotations.pkl").write_bytes(harmful)
    clips, rejects = read("celebv_text", tmp_path)
    assert [c.key for c in clips] == ["a_0"] and not rejects and not (tmp_path / "harmed").exists()


# --- Acappella

def test_acappella_title_with_odd_line_ends_stays_one_row(tmp_path):
    lay(tmp_path, "full_dataset.csv", text="\ufeff" + HEAD.replace("\n", "\r\n")
        + '"HRLcWZinlIE",0,5.2,12,173,"A\u2028B\x0cC",link,"Multi-voice, occluded",Singer,Hindi,Female\r\n')
    lay(tmp_path, "samples/HRLcWZinlIE_5_2_to_12_0.mp4")
    [clip], rejects = read("acappella", tmp_path)
    assert (clip.language, clip.start_s) == ("Hindi", None) and not rejects


def test_acappella_wrong_length_column_is_not_believed(tmp_path):
    lay(tmp_path, "full_dataset.csv", text=HEAD + "rtWbtRWDuDU,0,1.03,5.03,128,S,l,,B,English,Male\n")
    lay(tmp_path, "full-length/rtWbtRWDuDU.mp4")
    [clip], _ = read("acappella", tmp_path)
    assert clip.end_s - clip.start_s == 240


def test_acappella_processed_sound_of_another_rate_is_not_taken(tmp_path):
    lay(tmp_path, "full_dataset.csv", text=HEAD + "HRLcWZinlIE,0,0.31,3.24,173,S,l,,B,English,Female\n")
    name = "HRLcWZinlIE_0_31_to_3_24"
    lay(tmp_path, f"samples/{name}.mp4", f"splits/train/audio/English/Female/{name}.wav")
    assert read("acappella", tmp_path)[0][0].audio is None
    lay(tmp_path, f"samples/{name}.m4a")
    assert read("acappella", tmp_path)[0][0].audio == f"samples/{name}.m4a"


def test_acappella_whole_video_with_its_sound_apart(tmp_path):
    lay(tmp_path, "full_dataset.csv", text=HEAD + "HRLcWZinlIE,0,0.31,3.24,173,S,l,,B,English,Female\n")
    lay(tmp_path, "full-length/HRLcWZinlIE.webm", "full-length/HRLcWZinlIE.opus")
    [clip], _ = read("acappella", tmp_path)
    assert (clip.audio, clip.start_s, clip.end_s) == ("full-length/HRLcWZinlIE.opus", 31, 204)


@pytest.mark.parametrize("text", ["[1, 2]", "{", "null"])
def test_acappella_broken_splits_say_which_file(tmp_path, text):
    lay(tmp_path, "full_dataset.csv", text=HEAD)
    lay(tmp_path, "splits.json", text=text)
    with pytest.raises(CorpusError, match=r"splits\.json"):
        read("acappella", tmp_path)


# --- MEAD

def test_mead_every_view_level_and_emotion(tmp_path):
    for view in ("down", "front", "left_30", "left_60", "right_30", "right_60", "top"):
        lay(tmp_path, *[f"M005/video/{view}/{emotion}/level_{level}/001.mp4" for level in (1, 2, 3)
                        for emotion in ("angry", "contempt", "disgusted", "fear", "happy", "sad", "surprised")],
            f"M005/video/{view}/neutral/level_1/077.mp4")
    clips, rejects = read("mead", tmp_path)
    assert len(clips) == 22 and len(rejects) == 6 * 22 and {code for _, code in rejects} == {"view"}
    assert len({(c.emotion, c.level) for c in clips}) == 22


def test_mead_neutral_tests_the_last_ten_and_people_of_the_community_split(tmp_path):
    lay(tmp_path, *[f"W009/video/front/neutral/level_1/{i:03d}.mp4" for i in range(1, 41)], "M005#sad#level_1#001.mp4")
    clips, _ = read("mead", tmp_path)
    assert sum(c.official_split == "test" for c in clips) == 10
    assert {c.identity: c.community_split for c in clips} == {"mead/W009": "test", "mead/M005": "train"}


def test_mead_nested_archives_and_sound_of_another_take(tmp_path):
    lay(tmp_path, "MEAD/M003/video/M003/front/happy/level_2/007.mp4", "MEAD/M003/audio/M003/happy/level_2/007.m4a",
        "MEAD/M003/audio/M003/happy/level_2/008.m4a")
    [clip], _ = read("mead", tmp_path)
    assert clip.audio == "MEAD/M003/audio/M003/happy/level_2/007.m4a"


def test_mead_lost_takes_do_not_move_the_official_tests(tmp_path):
    """An actor without take 028 (M003 lost one): still the last six that are there."""
    lay(tmp_path, *[f"M003/video/front/sad/level_3/{i:03d}.mp4" for i in range(1, 31) if i != 28])
    clips, _ = read("mead", tmp_path)
    assert [c.media[-7:-4] for c in clips if c.official_split == "test"] == ["024", "025", "026", "027", "029", "030"]


def test_mead_actor_with_one_view_and_without_some_emotions(tmp_path):
    lay(tmp_path, "W017/video/down/angry/level_1/001.mp4", "M019/video/front/happy/level_1/001.mp4")
    clips, rejects = read("mead", tmp_path)
    assert [c.identity for c in clips] == ["mead/M019"] and rejects == {("W017#down#angry#level_1#001", "view")}


# --- MAFW

def test_mafw_numbers_that_a_spreadsheet_made_of_names_and_short_rows(tmp_path):
    sheet(tmp_path / "single_set.xlsx", ["clip", *OFFICIAL, "single_label"], [151, *[0] * 11, 4], ["00152.mp4"])
    lay(tmp_path, "data/clips/00151.mp4", "data/clips/00152.mp4")
    clips, rejects = read("mafw", tmp_path)
    assert [(c.key, c.emotion) for c in clips] == [("00151", "happy")] and rejects == {("00152", "bad_label")}


def test_mafw_single_split_goes_before_the_compound_one_and_fold_one_first(tmp_path):
    lay(tmp_path, "Train & Test Set/compound/no_caption/set_1/train.txt", text="00151.mp4 happiness\n")
    lay(tmp_path, "Train & Test Set/single/no_caption/set_1/test.txt", text="00151.mp4 happiness\n")
    lay(tmp_path, "Train & Test Set/single/no_caption/set_2/train.txt", text="00151.mp4 happiness\n")
    lay(tmp_path, "data/clips/00151.mp4")
    [clip], _ = read("mafw", tmp_path)
    assert clip.official_split == "test"


def test_mafw_captioned_lists_of_an_old_encoding(tmp_path):
    path = tmp_path / "single" / "with_caption" / "set_1" / "train.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes("03747.mp4\tanger\t他很生气\tA man shouts.\n00152.mp4\tA caption\tsadness\n".encode("gbk"))
    lay(tmp_path, "data/clips/03747.mp4", "data/clips/00152.mp4")
    assert [c.emotion for c in read("mafw", tmp_path)[0]] == ["sad", "angry"]


def test_mafw_lists_of_other_works_number_the_labels_otherwise_and_are_not_read(tmp_path):
    sheet(tmp_path / "single_set.xlsx", ["clip", *OFFICIAL, "single_label"], ["00151.mp4", *[0] * 11, 1])
    lay(tmp_path, "annotation/set_1_train.txt", "no_caption/set_1/train.txt", text="frames/00151 96 0\n")
    lay(tmp_path, "data/clips/00151.mp4")
    assert [c.emotion for c in read("mafw", tmp_path)[0]] == ["angry"]   # 0 is happiness there


# --- HDTF

def hdtf(root, times="KatieHill.mp4 00:30-00:38\n", resolution="KatieHill.mp4 720\n", **more):
    lay(root, "HDTF_dataset/WDA_annotion_time.txt", text=times)
    lay(root, "HDTF_dataset/WDA_crop_wh.txt", text="KatieHill_0.mp4 483 390 10 390\n")
    lay(root, "HDTF_dataset/WDA_resolution.txt", text=resolution)
    for name, text in more.items():
        lay(root, f"HDTF_dataset/WDA_{name}.txt", text=text)


def test_hdtf_sound_beside_a_video_of_the_downloader(tmp_path):
    hdtf(tmp_path)
    lay(tmp_path, "_videos_raw/WDA_KatieHill.mp4", "_videos_raw/WDA_KatieHill.m4a")
    [clip], _ = read("hdtf", tmp_path)
    assert (clip.audio, clip.box, clip.box_height_px) == ("_videos_raw/WDA_KatieHill.m4a", (483, 10, 873, 400), 720)


@pytest.mark.parametrize(("resolution", "height"), [("KatieHill.mp4 0\n", None), ("", None),
                                                    ("KatieHill.mp4 360\n", 360)])
def test_hdtf_odd_resolutions(tmp_path, resolution, height):
    hdtf(tmp_path, resolution=resolution)
    lay(tmp_path, "KatieHill.mp4")
    assert read("hdtf", tmp_path)[0][0].box_height_px == height


def test_hdtf_crop_of_a_video_of_another_height_is_scaled():
    from types import SimpleNamespace

    task = ClipTask("hdtf", "a", Path("a.mp4"), None, Path(), box=(400, 100, 600, 300), box_height_px=720)
    assert _target(task, SimpleNamespace(width_px=1920, height_px=1080)) == pytest.approx(np.array([750, 300]))
    assert _target(replace(task, box_height_px=None), SimpleNamespace(width_px=1920, height_px=1080)) \
        == pytest.approx(np.array([500, 200]))


def test_hdtf_address_without_times(tmp_path):
    hdtf(tmp_path, video_url="KatieHill https://www.youtube.com/watch?v=AAAAAAAAAAA\nRadio24 https://youtu.be/x\n")
    lay(tmp_path, "clips/KatieHill_0.mp4")
    assert read("hdtf", tmp_path)[1] == {("Radio24", "no_times")}


def test_hdtf_clip_without_a_crop_and_pieces_of_later_work(tmp_path):
    hdtf(tmp_path, times="KatieHill.mp4 00:30-00:38 01:30-01:40\nRadio6.mp4 00:10-00:20\n")
    lay(tmp_path, "Radio6.mp4", "WDA_KatieHill_000#1.mp4", "WDA_KatieHill_000#0.mp4")
    clips, rejects = read("hdtf", tmp_path)
    assert {c.key: c.box for c in clips} == {"KatieHill_0#0": None, "KatieHill_0#1": None, "Radio6_0": None}
    assert rejects == {("KatieHill_1", "missing_media")}


def test_hdtf_right_spelling_and_windows_line_ends(tmp_path):
    lay(tmp_path, "RD_annotation_time.txt", text="Radio11.mp4 00:30-01:00 01:30-02:30 \r\n\r\n")
    lay(tmp_path, "RD_Radio11_000.mp4", "RD_Radio11_001.mp4")
    clips, rejects = read("hdtf", tmp_path)
    assert [c.key for c in clips] == ["Radio11_0", "Radio11_1"] and not rejects

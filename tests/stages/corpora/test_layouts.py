"""The six layouts hold what their datasets' readers expect, defects included."""

import json
from pathlib import Path

import pytest

from stages.corpora.identities import make_identities
from stages.corpora.label_sheet import write_label_sheet
from stages.corpora.layouts import LAYOUTS, Clip, video_id
from stages.corpora.plan import make_plans
from stages.preprocess.readers import acappella, avspeech, celebv_text, hdtf, mafw, mead
from stages.preprocess.readers.folder import Folder
from stages.preprocess.readers.rows import ClipRow

READERS = {"avspeech": avspeech, "celebv_text": celebv_text, "acappella": acappella, "mead": mead, "mafw": mafw,
           "hdtf": hdtf}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory) -> Path:
    """All six layouts over small stand-in files."""
    root = tmp_path_factory.mktemp("raw")
    clips = [stand_in(plan, root / "made") for plan in make_plans(make_identities(10, 1), 56, 0, 320, 1, "espeak")]
    for corpus, lay_out in LAYOUTS.items():
        lay_out([clip for clip in clips if clip.plan.corpus == corpus], root / corpus)
    return root


def stand_in(plan, folder: Path) -> Clip:
    folder.mkdir(exist_ok=True)
    media, sound = folder / f"{plan.key}.mp4", folder / f"{plan.key}.m4a"
    media.write_bytes(b"v" * 100)
    if plan.sound == "separate":
        sound.write_bytes(b"s" * 10)
    return Clip(plan, media, sound, plan.max_duration_s or 4.2, (0.25, 0.2, 0.75, 0.9))


def rows(corpora: Path, corpus: str):
    found = list(READERS[corpus].read(Folder(corpus, corpora / corpus)))
    return [row for row in found if isinstance(row, ClipRow)], [row for row in found if not isinstance(row, ClipRow)]


@pytest.mark.parametrize(("corpus", "clips", "rejects"), [
    ("avspeech", 7, ["missing_media"]), ("celebv_text", 7, []), ("acappella", 5, ["missing_media"]),
    ("mead", 16, []), ("mafw", 9, []), ("hdtf", 8, [])])
def test_readers_find_every_clip_and_the_missing_ones(corpora, corpus, clips, rejects):
    taken, refused = rows(corpora, corpus)
    assert len(taken) == clips
    assert [row.code for row in refused] == rejects


def test_avspeech_ids_have_eleven_characters_and_some_begin_with_a_dash(corpora):
    names = [path.name.rsplit("_", 1)[0] for path in (corpora / "avspeech").glob("*.mp4")]
    assert {len(name) for name in names} == {11}
    assert any(name.startswith("-") for name in names)
    taken, _ = rows(corpora, "avspeech")
    assert {row.hint for row in taken} == {(0.5, 0.55)}  # the middle of the face box
    assert [row.official_split for row in taken].count("test") == 2


def test_celebv_text_has_one_key_with_its_suffix_and_one_clip_without_sound(corpora):
    info = json.loads((corpora / "celebv_text" / "celebvtext_info.json").read_text())
    assert sum(key.endswith(".mp4") for key in info) == 1
    assert all(max(entry["bbox"].values()) <= 1 for entry in info.values())
    taken, _ = rows(corpora, "celebv_text")
    assert [row.audio is None for row in taken].count(True) == 1


def test_acappella_times_are_minutes_and_seconds(corpora):
    text = (corpora / "acappella" / "dataset" / "full_dataset.csv").read_text()
    assert ",0.31,0.35,4," in text
    assert ",0.5,0.54,4," in text  # 50 seconds lose their zero, as in the original
    assert ",1.09,1.13,4," in text
    assert list((corpora / "acappella" / "samples").glob("*_0_5_to_0_54.mp4"))


def test_mead_has_every_emotion_its_levels_and_one_clip_without_sound(corpora):
    taken, _ = rows(corpora, "mead")
    assert len({row.emotion for row in taken}) == 8
    assert {row.level for row in taken} == {1, 2, 3}
    assert [row.audio is None for row in taken].count(True) == 1
    assert len({row.identity for row in taken}) == 4


def test_mafw_labels_read_back(corpora):
    taken, _ = rows(corpora, "mafw")
    assert sorted({row.emotion for row in taken}) == sorted(
        ["neutral", "angry", "contempt", "disgusted", "fear", "happy", "sad", "surprised"])


def test_hdtf_text_has_a_mark_and_a_trailing_blank_and_one_file_is_cut_off(corpora):
    texts = corpora / "hdtf" / "HDTF_dataset"
    assert (texts / "WDA_video_url.txt").read_bytes().startswith(b"\xef\xbb\xbf")
    assert (texts / "WDA_annotion_time.txt").read_text().endswith(" \n")
    sizes = sorted(path.stat().st_size for path in (corpora / "hdtf" / "clips").iterdir())
    assert sizes == [55, *[100] * 7]


def test_the_label_sheet_has_the_same_bytes_at_any_time(tmp_path, monkeypatch):
    import time

    write_label_sheet(tmp_path / "a.xlsx", {"00151.mp4": "anger"})
    real = time.localtime
    monkeypatch.setattr(time, "localtime", lambda *args: real(86400 * 365 * 20))
    write_label_sheet(tmp_path / "b.xlsx", {"00151.mp4": "anger"})
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_video_ids_are_stable_and_distinct():
    assert video_id("x", 1) == video_id("x", 1)
    assert len({video_id("x", n) for n in range(100)}) == 100

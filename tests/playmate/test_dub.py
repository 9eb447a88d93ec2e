"""`playmate dub`: what is checked before anything is decoded, and what is told."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipeline.dub.dubber import SeveralPeopleError
from pipeline.dub.plan import show
from playmate import dub as dub_command
from playmate.dub import Settings, dub


@pytest.fixture
def files(tmp_path):
    soundfile.write(tmp_path / "speech.wav", 0.3 * np.sin(np.arange(16000) * 0.2), 16000)
    (tmp_path / "film.mp4").write_bytes(b"film")
    return tmp_path / "film.mp4", tmp_path / "speech.wav", tmp_path / "out.mp4"


class Fake:
    version = "t/1"


@pytest.fixture
def asked(monkeypatch) -> dict:
    found: dict = {}

    def made(animator, film, speech, out, progress, **options):
        found.update(options, out=out, film=film, seconds=speech.duration_s)
        showing = show(tuple(range(4)), 1, 4.0, "trim")
        for _ in showing.times:
            progress(np.zeros((40, 60, 3), np.uint8), showing)
        return 4

    monkeypatch.setattr(dub_command, "load_animator", lambda model, detector: (Fake(), "fake"))
    monkeypatch.setattr(dub_command, "dub_to_file", made)
    return found


def test_options_reach_the_dubber_and_a_sheet_is_made(files, asked, tmp_path):
    film, speech, out = files
    dub(film, speech, out, None, Settings(face=2, fit="loop", keep_sound_db=-12.0, preview=tmp_path / "sheet.png"))
    assert (asked["face"], asked["fit"], asked["keep_sound_db"], asked["seconds"]) == (2, "loop", -12.0, 1.0)
    assert Image.open(tmp_path / "sheet.png").size[0] == 4 * 256


def test_a_folder_gets_a_film_named_after_both(files, asked, tmp_path):
    film, speech, _ = files
    dub(film, speech, tmp_path / "dubbed", None, Settings())
    assert asked["out"] == tmp_path / "dubbed" / "film_speech.mp4" and (tmp_path / "dubbed").is_dir()


@pytest.mark.parametrize(("change", "words"), [
    ({"out": "out.avi"}, "must end in .mp4"), ({"out": "film.mp4"}, "is what is read"),
    ({"film": "none.mp4"}, "no such file"), ({"fit": "stretch"}, "--fit stretch: accepted are trim, hold, loop"),
    ({"preview": "sheet.txt"}, "a contact sheet ends in")])
def test_mistakes_are_told_before_work_begins(files, asked, tmp_path, change, words):
    film, speech, out = files
    preview = tmp_path / change["preview"] if "preview" in change else None
    settings = Settings(fit=change.get("fit", "trim"), preview=preview)
    with pytest.raises(ValueError, match=words):
        dub(tmp_path / change.get("film", film.name), speech, tmp_path / change.get("out", out.name), None, settings)
    assert not asked


def test_people_are_numbered_where_one_must_be_chosen(files, asked, monkeypatch):
    def several(*_, **__):
        raise SeveralPeopleError("the film has 2 people who could be meant", np.zeros((20, 30, 3), np.uint8))

    monkeypatch.setattr(dub_command, "dub_to_file", several)
    film, speech, out = files
    with pytest.raises(ValueError, match=r"2 people who .*out_faces.png numbers them: choose one with --face N"):
        dub(film, speech, out, None, Settings())
    assert Image.open(out.with_name("out_faces.png")).size == (30, 20)

"""What the page does, without the page: limits, uploads, one film."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from models.generation.talking_head import TalkingHead
from pipeline.animate.animator import Animator
from pipeline.animate.provenance import inspect_media
from pipeline.dub.plan import show
from playmate.web import studio as studio_module
from playmate.web.studio import DubWish, Limits, Studio, Wish
from playmate.web.timeline import COLOURS, NO_EMOTION, emotion_texts, shown_entries, timeline_bar, with_entry
from tests.pipeline.animate.fakes import LABELS, FakeDetector, FakeEncoder, FakeGenerator, FakeSpace


@pytest.fixture
def studio(tmp_path) -> Studio:
    animator = Animator(TalkingHead(FakeSpace(), FakeGenerator()), FakeEncoder(), FakeDetector(), "t/1")
    folder = tmp_path / "uploads"
    folder.mkdir()
    Image.new("RGB", (100, 120), "white").save(folder / "face.png")
    soundfile.write(folder / "speech.wav", 0.3 * np.sin(np.arange(16000) * 0.2), 16000)
    return Studio(animator, Limits(upload_mb=1, speech_s=2.0), folder)


def wish(studio: Studio, **changes) -> Wish:
    made = Wish(str(studio.uploads / "face.png"), str(studio.uploads / "speech.wav"), [(0.0, "happy", 0.5)],
                "generated", None, 1.5, 1.5, 3, False, True, True)
    return replace(made, **changes)


def test_a_film_is_made_below_the_uploads(studio):
    seen = []
    film = studio.film(wish(studio), lambda done, total: seen.append((done, total)))
    assert film.is_relative_to(studio.uploads)
    assert seen == [(i + 1, 25) for i in range(25)]
    assert inspect_media(film)["credentials"]["facts"]["emotion"] == ["happy:0.5@0"]
    assert studio.animator.head.generator.overrides == [{"audio_scale": 1.5, "emotion_scale": 1.5}]


def test_a_fine_tuned_model_is_loaded_once_and_makes_the_film(studio):
    loaded = []

    def load():
        loaded.append(Animator(TalkingHead(FakeSpace(), FakeGenerator()), FakeEncoder(), FakeDetector(), "anna/1"))
        return loaded[-1]

    with_models = Studio(studio.animator, studio.limits, studio.uploads, {"anna": load})
    for _ in range(2):
        film = with_models.film(wish(studio, model="anna"), lambda done, total: None)
    assert len(loaded) == 1 and len(loaded[0].head.generator.overrides) == 2
    assert not studio.animator.head.generator.overrides and "anna/1" in str(inspect_media(film))
    with pytest.raises(ValueError, match="this model is not on the list"):
        with_models.film(wish(studio, model="/etc/passwd"), lambda done, total: None)


def test_dials_reach_the_request_and_no_other_option_does(studio):
    film = studio.film(wish(studio, dials={"pose_scale": "1; 0@0.5", "mouth_scale": "", "pose_guidance": "0.5"}),
                       lambda done, total: None)
    [request] = studio.animator.head.generator.requests
    assert request.curves.pose_scale[0] == 1 and request.curves.pose_scale[-1] == 0
    assert request.curves.mouth_scale is None and request.curves.pose_guidance[-1] == 0.5
    assert inspect_media(film)["credentials"]["facts"]["pose_scale"] == "1; 0@0.5"
    for dials, message in (({"like": "/etc/passwd"}, "unknown dial 'like'"), ({"pose_scale": "9"}, "between 0 and 3"),
                           ({"blink": "off"}, "cannot be directed in the face space fake")):
        with pytest.raises(ValueError, match=message):
            studio.film(wish(studio, dials=dials), lambda done, total: None)
    with pytest.raises(ValueError, match="video of the person is not an upload"):
        studio.film(wish(studio, like="/etc/passwd"), lambda done, total: None)


def test_files_elsewhere_are_not_read(studio, tmp_path):
    Image.new("RGB", (100, 120), "white").save(tmp_path / "secret.png")
    (studio.uploads / "link.png").symlink_to(tmp_path / "secret.png")
    for place in (str(tmp_path / "secret.png"), str(studio.uploads / ".." / "secret.png"),
                  str(studio.uploads / "link.png"), "/etc/passwd", str(studio.uploads)):
        with pytest.raises(ValueError, match="is not an upload of this page"):
            studio.film(wish(studio, portrait=place), lambda done, total: None)


@pytest.mark.parametrize(("changes", "message"), [
    ({"consent": False}, "agreed"), ({"portrait": None}, "portrait is missing"),
    ({"speech": None}, "speech is missing"),
    ({"pose": "/etc/passwd"}, "pose must be one of"), ({"pose": "video"}, "pose video is missing"),
    ({"audio_scale": 99.0}, "guidance of speech"), ({"emotion_scale": float("nan")}, "guidance of emotion"),
    ({"seed": -1}, "seed"), ({"seed": float("nan")}, "seed"), ({"seed": float("inf")}, "seed"),
    ({"face": float("inf")}, "faces have numbers"), ({"timeline": [(0, "joy", 1)]}, "unknown emotion 'joy'"),
    ({"timeline": [(9.0, "sad", 1)]}, "lies within the speech"), ({"timeline": [(0, "sad", 2)]}, "strength"),
    ({"timeline": [(0.0, "sad", 0.1)] * 51}, "more than 50")])
def test_what_a_visitor_can_mend(studio, changes, message):
    with pytest.raises(ValueError, match=message) as error:
        studio.film(wish(studio, **changes), lambda done, total: None)
    assert str(studio.uploads) not in str(error.value)


def test_limits_of_length_and_size(studio):
    soundfile.write(studio.uploads / "long.wav", 0.3 * np.sin(np.arange(40000) * 0.2), 16000)
    with pytest.raises(ValueError, match="longer than 2 s"):
        studio.film(wish(studio, speech=str(studio.uploads / "long.wav")), lambda done, total: None)
    Path(studio.uploads / "big.png").write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(ValueError, match="larger than 1 MB"):
        studio.film(wish(studio, portrait=str(studio.uploads / "big.png")), lambda done, total: None)


def dub_wish(studio: Studio, **changes) -> DubWish:
    (studio.uploads / "film.mp4").write_bytes(b"film")
    made = DubWish(str(studio.uploads / "film.mp4"), str(studio.uploads / "speech.wav"), 2, "loop", "happy", -15.0, 7,
                   True, True)
    return replace(made, **changes)


def test_a_film_is_dubbed_below_the_uploads(studio, monkeypatch):
    asked, seen = {}, []

    def made(animator, film, speech, out, progress, **options):
        asked.update(options, film=film, seconds=speech.duration_s)
        for _ in range(2):
            progress(None, show((Fraction(0), Fraction(1)), Fraction(1), 2.0, "trim"))

    monkeypatch.setattr(studio_module, "dub_to_file", made)
    out = studio.dub(dub_wish(studio), lambda done, total: seen.append((done, total)), print)
    assert out.is_relative_to(studio.uploads) and seen == [(1, 2), (2, 2)]
    assert (asked["film"], asked["seconds"], asked["face"], asked["fit"]) == (b"film", 1.0, 2, "loop")
    assert (asked["keep_sound_db"], asked["mark"], asked["limit_s"]) == (-15.0, "AI generated", 2.0)
    assert (asked["direction"].emotion, asked["direction"].seed) == ("happy", 7)


@pytest.mark.parametrize(("changes", "message"), [
    ({"consent": False}, "agreed"), ({"film": None}, "film is missing"), ({"film": "/etc/passwd"}, "not an upload"),
    ({"speech": None}, "speech is missing"), ({"seed": -1}, "seed"), ({}, "in the face space fake")])
def test_what_a_visitor_who_dubs_can_mend(studio, changes, message):
    with pytest.raises(ValueError, match=message) as error:
        studio.dub(dub_wish(studio, **changes), lambda done, total: None, print)
    assert str(studio.uploads) not in str(error.value)


def test_timeline_rows_become_emotions():
    rows = [(0, "happy", 1), (2.5, "sad", 0.25), (4, NO_EMOTION, 1)]
    assert emotion_texts(rows, LABELS, 10.0) == ["happy:1@0", "sad:0.25@2.5", "neutral:0@4"]


def test_the_chosen_emotion_lasts_until_something_stands_on_the_timeline():
    assert shown_entries([], NO_EMOTION, 1) == []
    assert shown_entries([], "sad", 0.5) == [(0.0, "sad", 0.5)]
    assert shown_entries([(1.0, "happy", 1.0)], "sad", 0.5) == [(1.0, "happy", 1.0)]
    rows = with_entry(with_entry([], 2, "sad", 1), None, "happy", 0.5)
    assert rows == [(0.0, "happy", 0.5), (2.0, "sad", 1.0)]
    assert with_entry(rows, 2.0, "neutral", 1) == [(0.0, "happy", 0.5), (2.0, "neutral", 1.0)]


def test_the_bar_has_the_scale_of_the_speech():
    bar = timeline_bar([(1.0, "happy", 1.0), (3.0, "<b>", 0.5), (99.0, "sad", 1.0)], LABELS, 4.0)
    shares = re.findall(r"flex:([\d.]+) 1 0", bar)
    assert shares == ["1", "2", "1"]  # none before 1 s; the last one to the end
    assert "<b>" not in bar and "4.0 s" in bar and "sad" not in bar


def test_letters_on_the_bar_can_be_read():
    """WCAG 2: contrast (1.05) / (L + 0.05) of white on a colour of relative luminance L."""
    for colour in COLOURS:
        channels = np.array([int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        assert 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05) >= 4.5


def test_faces_and_length_are_told_before_the_film(studio):
    assert studio.faces(str(studio.uploads / "face.png"))[0] == 1
    studio.animator.detector = FakeDetector((0, 0, 30, 30), (40, 40, 75, 75))
    count, numbered = studio.faces(str(studio.uploads / "face.png"))
    assert count == 2 and numbered.shape == (120, 100, 3)
    assert studio.duration_s(str(studio.uploads / "speech.wav")) == pytest.approx(1.0)
    for look in (studio.faces, studio.duration_s):
        with pytest.raises(ValueError, match="is not an upload of this page"):
            look("/etc/passwd")
    with pytest.raises(ValueError, match="face 3 was asked for"):
        studio.film(wish(studio, face=3), lambda done, total: None)


def test_without_gradio_the_command_says_what_to_install(monkeypatch):
    from playmate import main as cli

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"playmate-pipeline\[web\]"):
        cli.web()

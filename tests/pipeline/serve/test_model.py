"""Which files a request may name, and what of it reaches the one who dubs."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipeline.animate.direction import Direction
from pipeline.dub import dubber
from pipeline.serve.model import (
    OF_A_FILM,
    OF_A_PORTRAIT,
    OPTIONS,
    PlaymateModel,
    RequestError,
    allowed_path,
    is_dub,
    signature,
)


def test_paths_below_the_root_alone(tmp_path):
    root, secret = tmp_path / "media", tmp_path / "secret.png"
    (root / "sub").mkdir(parents=True)
    secret.write_text("x")
    (root / "sub" / "face.png").write_text("x")
    (root / "link.png").symlink_to(secret)
    assert allowed_path(root, "sub/face.png", "portrait") == root / "sub" / "face.png"
    assert allowed_path(root, str(root / "sub" / "face.png"), "portrait") == root / "sub" / "face.png"
    for bad in ("../secret.png", str(secret), "link.png", "sub", "none.png", "sub/../../secret.png", ""):
        with pytest.raises(ValueError, match="no file of the folder"):
            allowed_path(root, bad, "portrait")
    with pytest.raises(ValueError, match="portrait_path is not allowed here"):
        allowed_path(None, "sub/face.png", "portrait")


def test_a_text_in_place_of_bytes_is_no_path(tmp_path):
    model = PlaymateModel()
    model.root, model.credentials, model.animator = None, False, SimpleNamespace()
    with pytest.raises(ValueError, match="portrait must be bytes"):
        model._input({"portrait": "/etc/passwd"}, "portrait")
    with pytest.raises(ValueError, match="the request has no speech"):
        model._input({}, "speech")
    with pytest.raises(ValueError, match="1 to 1000"):
        model._video({"portrait": b"x", "speech": b"x", "steps": 10**9})
    with pytest.raises(ValueError, match="takes generated or still"):
        model._video({"portrait": b"x", "speech": b"x", "pose": "/etc/passwd"})


@pytest.fixture
def dubbing(tmp_path, monkeypatch) -> tuple[PlaymateModel, dict]:
    """A model whose films are dubbed by nobody, and what it asked for last; it may read files of `tmp_path`."""
    asked: dict = {}

    def made(animator, film, speech, out, **options):
        asked.clear()
        asked.update(options, film=film, speech=speech)
        out.write_bytes(b"dubbed")

    monkeypatch.setattr(dubber, "dub_to_file", made)
    model = PlaymateModel()
    model.root, model.credentials, model.animator = tmp_path.resolve(), False, SimpleNamespace()
    return model, asked


def test_a_request_with_a_video_is_dubbed(dubbing, tmp_path):
    model, asked = dubbing
    (tmp_path / "film.mp4").write_bytes(b"film")
    options = {"fit": "hold", "keep_sound_db": -12.0, "face": 2, "mark": "made"}
    dials = {"audio_scale": 2.0, "steps": 8, "seed": 3, "mouth_scale": "1; 0@2"}
    first = {"video": b"a film", "speech": b"x", "emotion": "sad; happy@2", **options, **dials}
    assert list(model.predict(None, pd.DataFrame([first]))["video"]) == [b"dubbed"]
    assert asked == {"film": b"a film", "speech": b"x", "credentials": False,
                     "direction": Direction("sad; happy@2", **dials), **options}
    second = {"video_path": "film.mp4", "speech": b"y"}
    assert len(model.predict(None, pd.DataFrame([first, second]))) == 2
    assert asked == {"film": tmp_path.resolve() / "film.mp4", "speech": b"y", "credentials": False,
                     "direction": Direction()}   # empty columns are not given


@pytest.mark.parametrize(("row", "words"), [
    ({"video": b"x", "portrait": b"x"}, "both a portrait and a video"),
    ({"video_path": "a", "portrait_path": "b"}, "both a portrait and a video"),
    ({"video": b"x", "blink": "off", "pose": "still"}, "blink, pose: a video that gets new speech takes no such"),
    ({"video": b"x", "like": b"x"}, "like: a video that gets"),
    ({"portrait": b"x", "fit": "hold"}, "fit: only a video that gets new speech takes that"),
    ({"speech": b"x", "keep_sound_db": -3.0}, "keep_sound_db: only a video")])
def test_what_does_not_fit_together_is_a_request_error(dubbing, row, words):
    model, asked = dubbing
    with pytest.raises(RequestError, match=words) as error:
        model.predict(None, pd.DataFrame([row]))
    assert error.value.get_http_status_code() == 400 and not asked


def test_several_people_are_a_request_error_that_names_the_option(dubbing, monkeypatch):
    def several(*_, **__):
        raise dubber.SeveralPeopleError("the film has 2 people who could be meant", np.zeros((2, 2, 3), np.uint8))

    monkeypatch.setattr(dubber, "dub_to_file", several)
    with pytest.raises(RequestError, match="2 people who could be meant: `face` says whose mouth"):
        dubbing[0].predict(None, pd.DataFrame([{"video": b"x", "speech": b"x"}]))


def test_all_options_are_columns_of_the_signature():
    columns = set(signature().inputs.input_names())
    assert columns >= OPTIONS.keys() | OF_A_FILM | OF_A_PORTRAIT | {"portrait", "video", "speech", "video_path"}
    assert set(dubber.OF_THE_FILM) <= OF_A_PORTRAIT
    assert not is_dub({"portrait": b"x"}) and is_dub({"video_path": "x"})

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipeline import animate_command
from pipeline.animate_command import Settings, animate, out_path
from pipeline.animator import Animator
from pipeline.contact_sheet import ContactSheet, sheet_indices
from tests.pipeline.fakes import FakeDetector, FakeEncoder, FakeGenerator, FakeSpace


@pytest.fixture
def made(monkeypatch) -> Animator:
    faces = FakeDetector((0, 0, 30, 30), (40, 40, 95, 95))
    animator = Animator(FakeSpace(), FakeEncoder(), FakeGenerator(), faces, "t/1")
    monkeypatch.setattr(animate_command, "load_animator", lambda model: animator)
    return animator


def inputs(folder: Path) -> tuple[list[Path], list[Path]]:
    for name in ("a", "b"):
        Image.new("RGB", (100, 120), "white").save(folder / f"{name}.png")
    soundfile.write(folder / "speech.wav", 0.3 * np.sin(np.arange(16000) * 0.2), 16000)
    return [folder / "a.png", folder / "b.png"], [folder / "speech.wav"]


def test_one_film_with_preview_and_numbered_faces(made, tmp_path):
    portraits, speeches = inputs(tmp_path)
    settings = Settings(emotions=["happy:0.7", "sad@0.5"], seed=3, preview=tmp_path / "sheet.png")
    [film] = animate(portraits[:1], speeches, tmp_path / "out.mp4", None, settings)
    assert film == tmp_path / "out.mp4" and film.stat().st_size > 0
    assert Image.open(tmp_path / "sheet.png").size == (1024, 768)
    assert Image.open(tmp_path / "out_faces.png").size == (100, 120)
    assert made.generator.requests[0].emotion.shape == (25, 4)


def test_several_films_go_into_a_folder(made, tmp_path):
    portraits, speeches = inputs(tmp_path)
    films = animate(portraits, speeches, tmp_path / "films", None, Settings(face=1))
    assert [film.name for film in films] == ["a_speech.mp4", "b_speech.mp4"]
    assert not list(tmp_path.rglob("*_faces.png"))
    with pytest.raises(ValueError, match="same name"):
        animate([portraits[0], portraits[0]], speeches, tmp_path / "films", None, Settings())


def test_the_output_is_an_mp4():
    with pytest.raises(ValueError, match=r"must end in \.mp4"):
        out_path(Path("out.avi"), Path("a.png"), Path("b.wav"), several=False)


def test_without_a_model_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="make demo"):
        animate_command.load_animator(None)


@pytest.mark.parametrize(("frames", "tiles", "expected"), [
    (100, 4, [0, 33, 66, 99]), (2, 12, [0, 1]), (1, 12, [0]), (13, 12, [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12])])
def test_sheet_indices_run_from_the_first_to_the_last_frame(frames, tiles, expected):
    assert sheet_indices(frames, tiles) == expected


def test_a_sheet_holds_the_wanted_frames_alone():
    sheet = ContactSheet(frames=100, fps=25, tiles=4, columns=2, tile_px=64)
    for level in range(100):
        sheet.see(np.full((128, 128, 3), level, np.uint8))
    picture = sheet.picture()
    assert picture.shape == (128, 128, 3)
    assert [int(picture[y, x, 0]) for y, x in ((50, 32), (50, 96), (110, 32), (110, 96))] == [0, 33, 66, 99]

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from models.generation.talking_head import TalkingHead
from pipeline.animate.animator import Animator
from pipeline.animate.direction import Direction
from pipeline.animate.portrait import PortraitError
from pipeline.animate.provenance import inspect_media
from pipeline.animate.speech import SpeechError
from playmate import animate as animate_command
from playmate.animate import Settings, animate, out_path
from playmate.contact_sheet import ContactSheet, sheet_indices
from tests.pipeline.animate.fakes import FakeDetector, FakeEncoder, FakeGenerator, FakeSpace


@pytest.fixture
def made(monkeypatch) -> Animator:
    faces = FakeDetector((0, 0, 30, 30), (40, 40, 95, 95))
    animator = Animator(TalkingHead(FakeSpace(), FakeGenerator()), FakeEncoder(), faces, "t/1")
    monkeypatch.setattr(animate_command, "load_animator", lambda model, detector, provider: (animator, "fake"))
    return animator


def inputs(folder: Path) -> tuple[list[Path], list[Path]]:
    for name in ("a", "b"):
        Image.new("RGB", (100, 120), "white").save(folder / f"{name}.png")
    soundfile.write(folder / "speech.wav", 0.3 * np.sin(np.arange(16000) * 0.2), 16000)
    return [folder / "a.png", folder / "b.png"], [folder / "speech.wav"]


def test_one_film_with_preview_and_numbered_faces(made, tmp_path):
    portraits, speeches = inputs(tmp_path)
    asked = Direction(["happy:0.7", "sad@0.5"], seed=3, pose_scale=["0.5"])
    settings = Settings(asked, preview=tmp_path / "sheet.png", face=1, mark="AI")
    [film] = animate(portraits[:1], speeches, tmp_path / "out.mp4", None, settings)
    assert film == tmp_path / "out.mp4"
    facts = inspect_media(film)["credentials"]["facts"]
    assert (facts["model"], facts["seed"], facts["emotion"]) == ("t/1", 3, ["happy:0.7", "sad@0.5"])
    assert Image.open(tmp_path / "sheet.png").size == (1024, 768)
    assert made.head.generator.requests[0].emotion.shape == (25, 4)


def test_of_faces_alike_one_must_be_chosen(made, tmp_path):
    portraits, speeches = inputs(tmp_path)
    with pytest.raises(PortraitError, match=r"has 2 faces; .*out_faces.png numbers them: choose one with --face N"):
        animate(portraits[:1], speeches, tmp_path / "out.mp4", None, Settings())
    assert Image.open(tmp_path / "out_faces.png").size == (100, 120)
    assert not (tmp_path / "out.mp4").exists()


def test_a_bystander_does_not_stop_it(made, tmp_path):
    made.detector = FakeDetector((0, 0, 10, 10), (40, 40, 95, 95))
    portraits, speeches = inputs(tmp_path)
    assert animate(portraits[:1], speeches, tmp_path / "out.mp4", None, Settings(credentials=False))
    assert (tmp_path / "out_faces.png").exists()


def test_the_whole_picture(made, tmp_path):
    portraits, speeches = inputs(tmp_path)
    [film] = animate(portraits[:1], speeches, tmp_path / "out.mp4", None, Settings(face=1, paste_back=True))
    media = inspect_media(film)["media"]
    assert (media["width"], media["height"], media["frames"]) == (100, 120, 25)


def test_sound_in_which_nobody_speaks(made, tmp_path):
    portraits, speeches = inputs(tmp_path)
    with pytest.raises(SpeechError, match=r"no speech is heard in 1.0 s of sound .* --any-sound"):
        animate(portraits[:1], speeches, tmp_path / "out.mp4", None, Settings(face=1, speech_share=lambda wave: 0.2))
    assert animate(portraits[:1], speeches, tmp_path / "out.mp4", None, Settings(face=1, speech_share=lambda wave: 0.4))


@pytest.mark.parametrize(("out", "preview"), [("link.mp4", None), ("speech.mp4", None), ("new.mp4", "a.png")])
def test_a_file_that_is_read_is_never_written(made, tmp_path, out, preview):
    portraits, speeches = inputs(tmp_path)
    speech = speeches[0].rename(tmp_path / "speech.mp4")   # as the sound of a film
    (tmp_path / "link.mp4").symlink_to(speech)
    before = {path: path.read_bytes() for path in (portraits[0], speech)}
    with pytest.raises(ValueError, match="is what is read"):
        animate(portraits[:1], [speech], tmp_path / out, None,
                Settings(face=1, preview=preview and tmp_path / preview))
    if preview is None:
        with pytest.raises(ValueError, match="is what is read"):
            made.animate_to_file(portraits[0], speech, tmp_path / out)
    assert {path: path.read_bytes() for path in before} == before


def test_a_name_that_is_too_long_is_told_before_work_begins(made, tmp_path):
    portraits, speeches = inputs(tmp_path)
    with pytest.raises(ValueError, match="cannot be written: File name too long"):
        animate(portraits[:1], speeches, tmp_path / f"{'x' * 245}.mp4", None, Settings(face=1))


def test_half_a_certificate_is_refused(made, tmp_path):
    portraits, speeches = inputs(tmp_path)
    with pytest.raises(ValueError, match="belong together"):
        animate(portraits[:1], speeches, tmp_path / "out.mp4", None, Settings(certificate=tmp_path / "chain.pem"))


def test_one_that_fails_does_not_stop_the_others(made, tmp_path):
    portraits, speeches = inputs(tmp_path)
    portraits.insert(0, tmp_path / "none.png")
    with pytest.raises(ValueError, match=r"1 of 3 films were not made:\nnone_speech.mp4: .*does not exist"):
        animate(portraits, speeches, tmp_path / "films", None, Settings(face=1))
    assert sorted(path.name for path in (tmp_path / "films").iterdir()) == ["a_speech.mp4", "b_speech.mp4"]


def test_several_films_go_into_a_folder(made, tmp_path):
    portraits, speeches = inputs(tmp_path)
    films = animate(portraits, speeches, tmp_path / "films", None, Settings(face=1))
    assert [film.name for film in films] == ["a_speech.mp4", "b_speech.mp4"]
    assert not list(tmp_path.rglob("*_faces.png"))
    with pytest.raises(ValueError, match="same name"):
        animate([portraits[0], portraits[0]], speeches, tmp_path / "films", None, Settings())


def test_every_film_of_several_has_its_own_contact_sheet(made, tmp_path):
    portraits, speeches = inputs(tmp_path)
    animate(portraits, speeches, tmp_path / "films", None, Settings(face=1, preview=tmp_path / "sheets"))
    assert sorted(path.name for path in (tmp_path / "sheets").iterdir()) == ["a_speech.png", "b_speech.png"]
    with pytest.raises(ValueError, match="several films need a folder"):
        animate(portraits, speeches, tmp_path / "films", None, Settings(preview=tmp_path / "sheet.png"))
    with pytest.raises(ValueError, match="a contact sheet ends in"):
        animate(portraits[:1], speeches, tmp_path / "out.mp4", None, Settings(preview=tmp_path / "sheet"))


def test_a_pose_that_is_no_file(made, tmp_path):
    portraits, speeches = inputs(tmp_path)
    with pytest.raises(ValueError, match="--pose dance: generated, still, or a video file"):
        animate(portraits[:1], speeches, tmp_path / "out.mp4", None, Settings(pose="dance"))


def test_the_output_is_an_mp4():
    with pytest.raises(ValueError, match=r"must end in \.mp4"):
        out_path(Path("out.avi"), Path("a.png"), Path("b.wav"), several=False)


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
    wide = ContactSheet(frames=1, fps=25, tiles=1, columns=2, tile_px=64)
    wide.see(np.full((50, 100, 3), 9, np.uint8))
    assert wide.picture().shape == (32, 128, 3)  # its shape is kept
    assert [int(picture[y, x, 0]) for y, x in ((50, 32), (50, 96), (110, 32), (110, 96))] == [0, 33, 66, 99]


def test_the_output_means_what_a_person_means(tmp_path):
    one, other = Path("in/a.png"), Path("b.wav")
    (tmp_path / "there.d").mkdir()
    assert out_path(tmp_path / "there.d", one, other, several=False) == tmp_path / "there.d/a_b.mp4"
    assert out_path(Path("films"), one, other, several=False) == Path("films/a_b.mp4")
    assert out_path(Path("a.MP4"), one, other, several=False) == Path("a.MP4")
    with pytest.raises(ValueError, match="several films need a folder"):
        out_path(Path("all.mp4"), one, other, several=True)


def test_a_full_disk_names_the_film(made, tmp_path, monkeypatch):
    portraits, speeches = inputs(tmp_path)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Animator, "animate_to_file", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/out.mp4'"):
        animate(portraits[:1], speeches, tmp_path / "out.mp4", None, Settings(face=1))

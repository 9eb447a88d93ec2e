"""Uploads are decoded in a process of their own, within limits, and once."""

from __future__ import annotations

import os
import subprocess
import sys

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from models.generation.talking_head import TalkingHead
from pipeline.animate import uploads
from pipeline.animate.animator import Animator
from pipeline.animate.decoded import FilmWish
from pipeline.animate.speech import read_speech
from pipeline.animate.uploads import FilmReader, Refused
from pipeline.media.film import write_video
from tests.pipeline.animate.fakes import FakeDetector, FakeEncoder, FakeGenerator, FakeSpace


def test_the_process_starts_without_torch():
    code = "import sys, pipeline.animate.decoding; print('torch' in sys.modules, 'onnxruntime' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "False"]


def test_a_film_that_takes_too_long_is_refused(tmp_path, monkeypatch):
    write_video(tmp_path / "a.mp4", [np.full((480, 640, 3), i, np.uint8) for i in range(200)], 25)
    monkeypatch.setattr(uploads, "LIMIT_S", 0.02)
    reader = FilmReader(tmp_path / "a.mp4")
    try:
        with pytest.raises(Refused, match=r"no result within 0\.02 s") as caught:
            list(reader.parts(FilmWish("", 25, 200, 1, 4320), 200))
        assert caught.value.code == "timeout"
    finally:
        reader.close()


FULL = """
import resource, sys
from pipeline.animate.portrait import read_portrait
from pipeline.animate.speech import read_speech
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
for read, name in ((read_portrait, "a.png"), (read_speech, "a.wav")):
    try:
        read(name)
    except OSError as error:
        print(error.filename, error.strerror)
"""


def test_a_disk_that_is_full_is_no_mistake_in_the_file(tmp_path):
    Image.new("RGB", (200, 200)).save(tmp_path / "a.png")
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(np.arange(16000)), 16000)
    said = subprocess.run([sys.executable, "-c", FULL], cwd=tmp_path, capture_output=True, text=True, check=True,
                          env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": os.getcwd()})
    lines = said.stdout.splitlines()
    assert len(lines) == 2 and all(line.startswith(f"{tmp_path} what was decoded cannot be kept") for line in lines)


def test_pictures_come_in_parts(tmp_path):
    write_video(tmp_path / "a.mp4", [np.full((720, 1280, 3), 20 * i, np.uint8) for i in range(10)], 25)
    reader = FilmReader((tmp_path / "a.mp4").read_bytes())
    try:
        parts = list(reader.parts(FilmWish("", 25, 9, 2, 4320), 2))
        assert [len(pictures) for pictures, _ in parts] == [2, 2, 1]
        assert parts[0][0].shape == (2, 360, 640, 3) and parts[0][1] == 2.0
        levels = np.concatenate([pictures.mean((1, 2, 3)) for pictures, _ in parts])
        np.testing.assert_allclose(levels, 20 * np.arange(0, 9, 2), atol=2)
        assert len(list(reader.parts(FilmWish("", 25, 9, 9, 4320), 2))) == 1   # from the start again
    finally:
        reader.close()


def test_speech_is_read_once(tmp_path):
    """What was read is all that a film needs: the file may be gone by then."""
    wave = 0.5 * np.sin(2 * np.pi * 6000 * np.arange(44100) / 44100)
    soundfile.write(tmp_path / "a.wav", np.stack([wave, 0.5 * wave], 1), 44100)
    speech = read_speech(tmp_path / "a.wav")
    (tmp_path / "a.wav").unlink()
    assert read_speech(speech) is speech
    made = Animator(TalkingHead(FakeSpace(), FakeGenerator()), FakeEncoder(), FakeDetector(), "test/1")
    made.animate_to_file(np.full((120, 100, 3), 200, np.uint8), speech, tmp_path / "out.mp4", credentials=False)
    with av.open(str(tmp_path / "out.mp4")) as media:
        sound = media.streams.audio[0]
        assert (sound.rate, sound.channels) == (44100, 2)
        heard = np.concatenate([frame.to_ndarray() for frame in media.decode(sound)], axis=1)
    assert np.std(heard[0]) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)
    assert np.std(heard[1]) == pytest.approx(0.25 / np.sqrt(2), rel=0.1)


def test_sound_beyond_one_is_scaled_not_cut(tmp_path):
    wave = 1.5 * np.sin(2 * np.pi * 440 * np.arange(48000) / 48000)
    soundfile.write(tmp_path / "a.wav", wave.astype(np.float32), 48000, subtype="FLOAT")
    speech = read_speech(tmp_path / "a.wav")
    assert np.abs(speech.waveform).max() == pytest.approx(1.0, abs=1e-3)
    film = np.concatenate([piece[0] for piece in speech.soundtrack().pieces])
    np.testing.assert_allclose(film, wave / 1.5, atol=5e-3)

"""What is refused before it is decoded says why, in words."""

from __future__ import annotations

import pytest
from PIL import Image

from pipeline.media.container import MediaError, open_media


@pytest.mark.parametrize(("name", "make", "said"), [
    ("a.mp4", lambda path: Image.new("RGB", (8, 8)).save(path, "GIF"), "none that is read here, such as MP4 or WAV"),
    ("a.mp4", lambda path: Image.new("RGB", (8, 8)).save(path, "JPEG"), "none that is read here, such as MP4 or WAV"),
    ("list.mp4", lambda path: path.write_text("ffconcat version 1.0\nfile a.wav\n"), "none that is read here"),
    ("a.wav", lambda path: path.write_text("no sound"), "Invalid data"),
    ("empty.wav", lambda path: path.touch(), "the file has no bytes"),
    ("folder.wav", lambda path: path.mkdir(), "does not exist or is not a file"),
    ("gone.wav", lambda path: None, "does not exist or is not a file")])
def test_a_file_of_another_kind(tmp_path, name, make, said):
    make(tmp_path / name)
    with pytest.raises(MediaError, match=said), open_media(tmp_path / name):
        pass

"""docs/api.md: its examples run as they stand, and it names all that there is."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

import playmate
from pipeline.media.crops import write_wav
from tests.needs import weight


def test_every_name_is_documented_and_there(project):
    text = (project / "docs/api.md").read_text()
    assert sorted(playmate.__all__) == sorted(playmate.HOMES)
    for name in playmate.__all__:
        assert getattr(playmate, name).__name__ == name and f"`{name}" in text


@pytest.mark.slow
def test_the_examples_run_as_they_stand(project, picture, tmp_path, monkeypatch):
    for name in ("scrfd", "face_landmarker", "whisper_tiny_en", "silero_vad", "mobilefacenet"):
        weight(name)
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture).save("face.png")
    write_wav(tmp_path / "voice.wav", np.random.default_rng(1).normal(0, 0.1, 16000).astype(np.float32))
    examples = re.findall(r"```python\n(.*?)```", (project / "docs/api.md").read_text(), re.DOTALL)
    names: dict = {}
    for example in examples:
        exec(compile(example, "docs/api.md", "exec"), names)
    assert len(examples) == 7
    assert all((tmp_path / name).is_file() for name in ("film.mp4", "directed.mp4", "dubbed.mp4",
                                                            "scores/report.md"))

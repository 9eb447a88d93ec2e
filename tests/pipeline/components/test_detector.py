"""One maker of face detectors."""

from __future__ import annotations

import pytest

from pipeline.components import detector, model
from pipeline.components.detector import detector_files
from pipeline.components.model import portrait_detector
from pipeline.weights.table import WeightsError


@pytest.fixture
def pack(tmp_path, monkeypatch):
    monkeypatch.setattr(detector, "weight_path", lambda name: tmp_path / name)
    (tmp_path / "buffalo_l").mkdir()
    return tmp_path / "buffalo_l"


def test_an_unknown_detector_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown detector 'dlib': accepted are insightface, buffalo_l, mediapipe"):
        detector_files("dlib")


def test_a_pack_needs_its_detector_and_its_landmarks(pack):
    for name in ("det_10g.onnx", "2d106det.onnx"):
        with pytest.raises(WeightsError, match=rf"holds no {name[:4]}.*unpack buffalo_l\.zip"):
            detector_files("buffalo_l")
        (pack / name).touch()
    found = detector_files("buffalo_l")
    assert (found.network, found.landmarks) == (pack / "det_10g.onnx", pack / "2d106det.onnx")


@pytest.mark.parametrize(("name", "space", "made"), [
    (None, "landmark", "scrfd"), ("insightface", "liveportrait", "scrfd"), (None, "liveportrait", "buffalo_l"),
    ("mediapipe", "liveportrait", "mediapipe")])
def test_portraits_are_looked_at_by_what_fits_the_face_space(monkeypatch, name, space, made):
    monkeypatch.setattr(detector, "weight_path", lambda weight: weight)
    monkeypatch.setattr(model, "make_detector", lambda *wanted: wanted)
    monkeypatch.setattr(model, "ScrfdDetector", lambda *wanted: wanted)
    assert portrait_detector(name, space) == (made, 640)

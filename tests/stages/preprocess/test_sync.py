"""Lips against sound: the score with made vectors, one rule for the crop, and where a piece is measured."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from evaluation.metrics.judges import Judges
from evaluation.metrics.measure import Seen, syncnet_numbers
from models.face.face import detector_box
from models.motion.face_space import FaceNotFound
from pipeline.components.detector import make_detector
from pipeline.components.lip_sync import LipSync, face_boxes
from pipeline.media.crops import read_crop, read_wav
from stages.preprocess.piece import PieceMaker
from tests.needs import weight
from tests.stages.preprocess.fakes import MiddleFace, task, worker
from tests.stages.preprocess.makers import clicks, regular, write
from tests.stages.preprocess.test_hostile import pictures


def vectors(shift: int, count: int = 60) -> np.ndarray:
    """[count, 8]; shifted ones are the same seconds at another time."""
    i, j = np.arange(count)[:, None], np.arange(8)
    return np.sin(0.31 * (i + shift) * (j + 1) + 0.2 * j)


class MadeVectors:
    """Sound that comes `shift` windows before the lips; remembers what it was shown."""

    def __init__(self, shift: int):
        self.shift, self.seen = shift, None

    def lips(self, crops):
        self.seen = crops
        return vectors(0)

    def sound(self, cepstra, frames):
        assert cepstra.shape[1] == 13 and frames == len(self.seen)
        return vectors(self.shift)


@pytest.mark.parametrize(("shift", "confidence"), [(0, 2.733491), (3, 2.646396), (-4, 2.594112)])
def test_offset_keeps_its_sign(shift, confidence):
    made = MadeVectors(shift)
    found = LipSync(made, MiddleFace())(np.zeros((65, 256, 256, 3), np.uint8), np.zeros(65 * 640, np.float32))
    assert found.offset == shift and made.seen.shape == (65, 224, 224, 3)
    assert found.confidence == pytest.approx(confidence, abs=1e-5)


def test_the_box_is_the_detectors_by_hand():
    """A landmark box of side 153 around (150, 223.6) is that of a face of side 200 around (150, 200)."""
    assert detector_box(np.array([73.5, 147.1, 226.5, 300.1])) == pytest.approx([50, 100, 250, 300])
    boxes = face_boxes(np.zeros((7, 306, 306, 3), np.uint8), MiddleFace())   # a landmark box of 204 px
    assert boxes.shape == (7, 4) and boxes[:, 2] - boxes[:, 0] == pytest.approx(np.full(7, 204 / 0.765))


class Nobody:
    def detect(self, image):
        return []


def film_of_a_face(folder):
    """The astronaut, drifting to the right, a pixel a frame; 4 s."""
    picture = pytest.importorskip("skimage.data").astronaut()
    times = regular(25, 4)
    frames = [np.roll(picture, index, 1) for index in range(len(times))]
    return write(folder / "a.mp4", frames, times, clicks([Fraction(1)], 4, 48000))


@pytest.mark.slow
def test_one_face_has_one_crop_in_preprocessing_and_in_evaluation(project, tmp_path):
    """Before its film is written and after, boxes lie within a pixel of 256; crops differ by what the film loses."""
    weight("scrfd")
    detector, made, shown = make_detector("insightface", 320), [MadeVectors(0), MadeVectors(0)], []
    measures = LipSync(made[0], detector)
    clip_worker = worker(project)
    clip_worker.detector = detector
    clip_worker.lip_sync = lambda crops, sound: shown.append(crops) or measures(crops, sound)
    (tmp_path / "out").mkdir()
    [piece] = clip_worker(task(film_of_a_face(tmp_path), tmp_path / "out", corpus="mead")).pieces
    crop = tmp_path / "out" / f"{piece['clip_id']}.mp4"
    frames = read_crop(crop, range(100))
    judges = Judges(landmarks=None, sync=LipSync(made[1], detector))
    found = syncnet_numbers(Seen(frames, None, None), read_wav(crop.with_suffix(".wav")), judges)
    assert found["sync_c"] == piece["sync_confidence"] and found["sync_offset_frames"] == piece["sync_offset_frames"]
    boxes = face_boxes(frames, detector)
    assert np.abs(boxes - face_boxes(shown[0], detector)).max() < 1.0
    assert np.abs(made[0].seen.astype(float) - made[1].seen).mean() < 3
    # the crop was cut by the box that SCRFD saw in the source: 2.2 of 0.765 of its sides
    assert np.median(boxes[:, 2] - boxes[:, 0]) == pytest.approx(256 / 2.2 / 0.765, rel=0.03)


def test_a_crop_in_which_syncnets_detector_finds_nobody_is_a_reject(project, tmp_path):
    with pytest.raises(FaceNotFound, match="no face in any of 2 frames"):
        face_boxes(np.zeros((7, 64, 64, 3), np.uint8), Nobody())
    times, clip_worker = regular(25, 4), worker(project)
    clip_worker.lip_sync = LipSync(MadeVectors(0), Nobody())
    path = write(tmp_path / "a.mp4", pictures(times), times, clicks([Fraction(1)], 4, 48000))
    (tmp_path / "out").mkdir()
    [piece] = clip_worker(task(path, tmp_path / "out", corpus="mead")).pieces
    assert piece["reject"]["code"] == "face_lost" and "SyncNet" in piece["reject"]["detail"]


@pytest.mark.parametrize(("shift", "moved"), [(3, 1920), (-2, -1280), (0, 0)])
def test_a_constant_offset_leaves_with_the_sound_moved(project, tmp_path, shift, moved):
    """A click at 2 s; the made network finds the sound `shift` frames before the lips, 640 samples each."""
    times, clip_worker = regular(25, 4), worker(project)
    clip_worker.lip_sync = LipSync(MadeVectors(shift), MiddleFace())
    path = write(tmp_path / "a.mp4", pictures(times), times, clicks([Fraction(2)], 4, 48000))
    (tmp_path / "out").mkdir()
    [piece] = clip_worker(task(path, tmp_path / "out", corpus="mead")).pieces
    assert (piece["sync_offset_frames"], piece["sound_moved_samples"]) == (shift, moved)
    sound = read_wav(tmp_path / "out" / f"{piece['clip_id']}.wav")
    assert len(sound) == 64000
    assert abs(int(np.abs(sound).argmax()) - (32000 + moved)) < 80   # 5 ms: what AAC does to a click


def test_sound_beyond_both_ends_of_the_source_is_silent():
    maker = PieceMaker.__new__(PieceMaker)
    maker._measure, maker._waveform = SimpleNamespace(sample_rate_hz=50, fps=25), np.arange(1.0, 9.0)   # 2 a frame
    assert maker._sound(1, 3).tolist() == [3, 4, 5, 6]
    assert maker._sound(-1, 1).tolist() == [0, 0, 1, 2]
    assert maker._sound(3, 5).tolist() == [7, 8, 0, 0]
    assert maker._sound(-3, -1).tolist() == maker._sound(5, 7).tolist() == [0, 0, 0, 0]

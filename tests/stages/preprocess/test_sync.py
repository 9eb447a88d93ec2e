"""Lips against sound: the score with made vectors, boxes inside a crop, and where a piece is measured."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from models.face.driving_crop import Square
from pipeline.media.crops import read_wav
from stages.preprocess.lip_sync import LipSync, boxes_in_crop
from stages.preprocess.piece import PieceMaker
from tests.stages.preprocess.fakes import task, worker
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
    found = LipSync(made)(np.zeros((65, 256, 256, 3), np.uint8), np.tile([90.0, 90, 170, 170], (65, 1)),
                          np.zeros(65 * 640, np.float32))
    assert found["sync_offset_frames"] == shift and made.seen.shape == (65, 224, 224, 3)
    assert found["sync_confidence"] == pytest.approx(confidence, abs=1e-5)


def test_boxes_in_a_crop_by_hand():
    boxes = boxes_in_crop(np.array([[140.0, 250, 180, 290]]), Square(160, 260, 80), 256)
    assert boxes == pytest.approx(np.array([[64, 96, 192, 224]]))   # the corner lies at (120, 220), one pixel is 3.2


def test_a_worker_with_the_network_measures(project, tmp_path):
    times, asked = regular(25, 4), []

    def lip_sync(crops, boxes, waveform):
        asked.append((crops.shape, boxes[0], len(waveform)))
        return {"sync_confidence": 6.0, "sync_offset_frames": -1.0}

    clip_worker = worker(project)
    clip_worker.lip_sync = lip_sync
    path = write(tmp_path / "a.mp4", pictures(times), times, clicks([Fraction(1)], 4, 48000))
    (tmp_path / "out").mkdir()
    [piece] = clip_worker(task(path, tmp_path / "out", corpus="mead")).pieces
    assert piece["sync_confidence"] == 6.0
    [(shape, box, samples)] = asked
    assert shape == (100, 256, 256, 3) and samples == 64000
    # the face of 48 px in a square of 2.2 times that, a tenth of it above the middle
    assert box == pytest.approx(256 / 2 + np.array([-1, -1, 1, 1]) * 256 / 4.4 + [0, 25.6, 0, 25.6])


@pytest.mark.parametrize(("shift", "moved"), [(3, 1920), (-2, -1280), (0, 0)])
def test_a_constant_offset_leaves_with_the_sound_moved(project, tmp_path, shift, moved):
    """A click at 2 s; the made network finds the sound `shift` frames before the lips, 640 samples each."""
    times, clip_worker = regular(25, 4), worker(project)
    clip_worker.lip_sync = LipSync(MadeVectors(shift))
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

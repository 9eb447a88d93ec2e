"""MediaPipe's landmarker behind `FaceLandmarker`: coordinates, padding, tracking of one clip alone."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from models.face.landmarker import FaceLandmarker
from tests.needs import weight


@pytest.fixture(scope="module")
def landmarker() -> FaceLandmarker:
    return FaceLandmarker(weight("face_landmarker"))


def test_points_lie_on_the_face(landmarker, picture):
    found = landmarker.detect_video(picture[None], 25.0)
    assert found.found.tolist() == [True] and len(found.names) == 52
    right_eye, left_eye, chin = found.points[0, [33, 263, 152]]
    assert right_eye[0] < left_eye[0] and chin[1] > left_eye[1]  # the person's right is on the picture's left
    tip, side = found.points[0, 4], found.points[0, 234]
    assert tip[2] < side[2]  # depth grows away from the viewer
    assert abs(found.points[0, :468, 2].std() / found.points[0, :468, 0].std() - 0.55) < 0.25  # in the units of x


def test_shifting_the_picture_shifts_the_points(landmarker, picture):
    here = landmarker.detect_video(picture[None, 40:360, 40:360], 25.0).points[0]
    there = landmarker.detect_video(picture[None, 40:360, 20:340], 25.0).points[0]
    shift = (there - here)[:468]
    np.testing.assert_allclose(shift[:, 0].mean(), 2 * 20 / 320, atol=0.01)
    assert abs(shift[:, 1].mean()) < 0.01


def test_a_face_that_fills_the_picture_is_found(landmarker, picture):
    points = (landmarker.detect_video(picture[None], 25.0).points[0, :468, :2] + 1) * 200
    (left, top), (right, bottom) = points.min(0).astype(int) + 4, points.max(0).astype(int) - 4
    tight = landmarker.detect_video(picture[None, top:bottom, left:right], 25.0)
    assert tight.found[0]
    back = (tight.points[0, :468, :2] + 1) / 2 * [right - left, bottom - top] + [left, top]
    assert np.linalg.norm(back - points, axis=1).mean() < 4


def test_frames_without_a_face_are_marked(landmarker, picture):
    clip = np.stack([picture, picture, np.zeros_like(picture), picture])
    found = landmarker.detect_video(clip, 25.0)
    assert found.found.tolist() == [True, True, False, True]
    assert np.isnan(found.points[2]).all() and np.isfinite(found.points[[0, 1, 3]]).all()


@pytest.mark.processes
def test_a_tracker_loads_no_matplotlib_and_leaves_the_real_one_to_others():
    path = weight("face_landmarker")
    subprocess.run([sys.executable, "-c", f"""
import sys
from pathlib import Path
from models.face.landmarker import FaceTracker
FaceTracker(Path({str(path)!r}), 0.5, 25.0).close()
assert not [name for name in sys.modules if name.startswith("matplotlib")]
import matplotlib.pyplot
assert callable(matplotlib.pyplot.plot)
"""], check=True, timeout=100)

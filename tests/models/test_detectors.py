"""Yaw from five points, boxes of one convention, and both detectors on the same picture."""

from __future__ import annotations

import numpy as np
import pytest

from models.detectors import YAW_SLOPE, InsightFaceDetector, MediaPipeDetector, landmark_box, padded_twice, yaw_deg
from tests.needs import weight


def five_points(yaw: float, roll: float = 0.0) -> np.ndarray:
    """Eyes at +-30, nose tip 30 / YAW_SLOPE in front of them and 20 below, turned and seen from the front."""
    yaw, roll = np.radians([yaw, roll])
    nose = 30 / YAW_SLOPE * np.sin(yaw)
    points = np.array([[-30 * np.cos(yaw), 0], [30 * np.cos(yaw), 0], [nose, 20], [-15, 45], [15, 45]])
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    return points @ turn + [300, 200]


@pytest.mark.parametrize("yaw", [-60, -20, 0, 5, 45, 80])
@pytest.mark.parametrize("roll", [0, 20, -35])
def test_yaw_of_a_turned_model(yaw, roll):
    turned = five_points(yaw, roll)
    # the nose's offset down the face leans on the eye line under roll only, which the projection takes out
    assert yaw_deg(turned) == pytest.approx(yaw, abs=1e-6)


def test_yaw_of_a_profile_with_both_eyes_in_one_place():
    assert yaw_deg(np.zeros((5, 2))) == 90.0


def test_landmark_box_by_hand():
    # larger side 200: landmark side 153, centre 23.6 below (150, 200)
    assert landmark_box(np.array([75.0, 100, 225, 300])) == pytest.approx([73.5, 147.1, 226.5, 300.1])


def test_padding():
    padded, offset = padded_twice(np.full((10, 20, 3), 9, np.uint8))
    assert padded.shape == (20, 40, 3) and tuple(offset) == (10, 5)
    assert (padded[5:15, 10:30] == 9).all() and padded.sum() == 10 * 20 * 3 * 9


def astronaut() -> np.ndarray:
    return pytest.importorskip("skimage.data").astronaut()


@pytest.fixture(scope="module", params=["insightface 320", "insightface 640", "mediapipe"])
def detector(request):
    if request.param == "mediapipe":
        pytest.importorskip("mediapipe")
        found = MediaPipeDetector(weight("face_landmarker"))
        yield found
        found.close()
    else:
        yield InsightFaceDetector(weight("scrfd"), int(request.param.split()[1]))


def test_detectors_agree_on_a_real_face(detector):
    [face] = detector.detect(astronaut())
    assert np.abs(face.box - [169, 78, 279, 188]).max() < 25      # brows to chin, in 512 x 512
    assert face.points[0, 0] < face.points[2, 0] < face.points[1, 0] and face.points[3, 1] > face.points[2, 1]
    assert abs(yaw_deg(face.points)) < 35


def test_a_face_that_fills_the_picture_and_none(detector):
    assert len(detector.detect(np.ascontiguousarray(astronaut()[60:210, 150:300]))) == 1
    assert detector.detect(np.full((200, 300, 3), 128, np.uint8)) == []

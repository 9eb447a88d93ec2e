import numpy as np
import pytest

from models.face.points import NUM_KEYPOINTS
from models.motion.motion import RHO_DIM
from models.motion.normalization import MotionStatistics, Normalizer
from training.motion.measures import LIDS, LIPS, motion_measures, nearest_centre, opening

K = NUM_KEYPOINTS
FRAMES = 40


def facts() -> MotionStatistics:
    unit = Normalizer.of(np.full(3 * K, 0.1), np.full(3 * K, 0.5), 1e-4)
    return MotionStatistics(unit, *(np.zeros(RHO_DIM), np.ones(RHO_DIM)) * 2, "clip", 1e-4)


def window(mouth: np.ndarray, eyes: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """[1, T, 3K + 7] normalised, whose mouth opening is `mouth` and lid gap 1 + `eyes`, in own units."""
    delta = np.zeros((len(mouth), K, 3))
    delta[:, [lower for _, lower in LIPS[K]], 1] = mouth[:, None]
    delta[:, [lower for _, lower in LIDS[K]], 1] = eyes[:, None]
    pose = np.zeros((len(mouth), RHO_DIM))
    pose[:, -2] = yaw
    return np.concatenate([(delta.reshape(len(mouth), -1) - 0.1) / 0.5, pose], axis=1)[None]


def x_c() -> np.ndarray:
    points = np.zeros((K, 3))
    points[[lower for _, lower in LIDS[K]], 1] = 1.0
    return points.reshape(1, -1)


def test_opening_by_hand():
    points = np.zeros((2, 4, 3))
    points[1, 2, 1], points[1, 3, 1] = 2.0, 4.0
    assert opening(points, ((0, 2), (1, 3))).tolist() == [0.0, 3.0]


@pytest.mark.parametrize("late", [0, 2, -3])
def test_sync_finds_the_lag_and_the_mouth_its_correlation(late):
    curve = np.random.default_rng(0).standard_normal(FRAMES + 6)
    true, made = curve[3:-3], curve[3 - late:len(curve) - 3 - late]
    still = np.zeros(FRAMES)
    found = motion_measures(window(made, still, still), window(true, still, still), np.ones((1, FRAMES), bool), x_c(),
                            facts())
    assert found["sync_lag_frames"] == late and found["sync_c"] > 0.7
    assert found["mouth_r"] == pytest.approx(np.corrcoef(true, made)[0, 1])


def test_head_and_lids_of_both():
    still, blink = np.zeros(FRAMES), np.zeros(FRAMES)
    blink[10:14] = -0.9
    yaw = np.tile([1.0, -1.0], FRAMES // 2)
    found = motion_measures(window(yaw, blink, yaw), window(yaw, still, 2 * yaw), np.ones((1, FRAMES), bool), x_c(),
                            facts())
    assert (found["eyes_closed"], found["eyes_closed_true"]) == (pytest.approx(0.1), 0.0)
    assert (found["head_spread"], found["head_spread_true"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))


def test_frames_that_do_not_exist_do_not_count():
    curve = np.random.default_rng(1).standard_normal(FRAMES)
    spoiled, there = curve.copy(), np.ones((1, FRAMES), bool)
    spoiled[30:], there[0, 30:] = 99.0, False
    still = np.zeros(FRAMES)
    found = motion_measures(window(spoiled, still, still), window(curve, still, still), there, x_c(), facts())
    assert found["mouth_r"] == pytest.approx(1.0)


def test_a_face_space_of_unknown_points_has_head_measures_alone():
    motion = np.zeros((1, 5, 9 + RHO_DIM))
    assert set(motion_measures(motion, motion, np.ones((1, 5), bool), np.zeros((1, 9)), facts())) == {
        "head_spread", "head_spread_true"}


def test_nearest_centre():
    motion = np.zeros((2, 4, 3 + RHO_DIM))
    motion[0, :2, 0], motion[0, 2:, 0] = 1.0, -50.0  # the last two frames do not exist
    frames = np.array([[True, True, False, False], [True] * 4])
    assert nearest_centre(motion, frames, {2: np.zeros(3), 5: np.array([1.0, 0, 0])}) == [5, 2]

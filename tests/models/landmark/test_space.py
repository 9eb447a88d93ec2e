"""The landmark face space on a real portrait: exactness, stability, and motion -> render -> extract again."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import av
import numpy as np
import pytest

from models.face.landmarker import Landmarks
from models.face.points import (
    EYELID_LOWER_LEFT,
    EYELID_LOWER_RIGHT,
    EYELID_UPPER_LEFT,
    EYELID_UPPER_RIGHT,
    JAW,
    KEYPOINTS,
    LIPS_INNER_LOWER,
    LIPS_OUTER_LOWER,
    NUM_KEYPOINTS,
    positions,
)
from models.landmark.space import LandmarkFaceSpace, close_lips, fill_gaps, first_long_gap
from models.motion.face_space import FaceNotFound
from models.motion.motion import Motion
from tests.needs import weight

FRAMES = 40


@pytest.fixture(scope="module")
def space() -> LandmarkFaceSpace:
    return LandmarkFaceSpace(weight("face_landmarker"))


@pytest.fixture(scope="module")
def appearance(space, picture):
    return space.appearance(picture)


def acted(x_c: np.ndarray) -> np.ndarray:
    """delta [40, 70, 3]: the jaw drops five times, the eyes close twice."""
    wave = (1 - np.cos(np.arange(FRAMES) * 2 * np.pi / 8)) / 2
    blink = np.exp(-((np.arange(FRAMES)[:, None] - [12, 30]) / 1.5) ** 2).sum(1)
    delta = np.zeros((FRAMES, NUM_KEYPOINTS, 3))
    for rows, share in ((LIPS_INNER_LOWER, 1), (LIPS_OUTER_LOWER, 1), (JAW[:2], 1), ((61, 291, 78, 308), 0.4)):
        delta[:, positions(rows), 1] = 0.1 * share * wave[:, None]
    for upper, lower in ((EYELID_UPPER_LEFT, EYELID_LOWER_LEFT), (EYELID_UPPER_RIGHT, EYELID_LOWER_RIGHT)):
        gap = x_c[positions(lower)] - x_c[positions(upper)]
        delta[:, positions(upper)] += 0.9 * blink[:, None, None] * gap
    return delta.astype(np.float32)


def gap(keypoints: np.ndarray, upper: int, lower: int) -> np.ndarray:
    rows = positions((upper, lower))
    return np.linalg.norm(keypoints[:, rows[1], :2] - keypoints[:, rows[0], :2], axis=-1)


@pytest.fixture(scope="module")
def cycle(space, appearance):
    """A motion, its rendering and what is extracted from that."""
    own, phase = appearance.motion, np.arange(FRAMES) / FRAMES * 2 * np.pi
    turn = np.stack([4 * np.sin(phase), 15 * np.sin(phase), 6 * np.cos(phase)], -1)
    motion = Motion(own.x_c, acted(own.x_c), (own.angles_deg + turn).astype(np.float32),
                    np.repeat(own.t, FRAMES, 0), np.repeat(own.s, FRAMES, 0))
    frames = space.render(appearance, space.keypoints(own)[0], space.keypoints(motion))
    return motion, frames, space.landmarks(frames)


def test_eq_1_gives_the_landmarks_back(space, picture):
    landmarks = space.landmarks(np.stack([picture, picture[:, ::-1]]))
    difference = space.keypoints(space.motion(landmarks)) - landmarks.points[:, KEYPOINTS]
    assert np.abs(difference[..., :2]).max() < 1e-5
    assert np.ptp(difference[..., 2], axis=1).max() < 1e-5  # depth but for what all points share (t_z = 0)


def test_a_basis_moves_expression_out_of_identity(space, picture):
    landmarks = space.landmarks(picture[None])
    basis = np.random.default_rng(0).normal(size=(52, NUM_KEYPOINTS * 3)) * 0.01
    explained = (landmarks.blendshapes[0] @ basis).reshape(NUM_KEYPOINTS, 3)
    plain, split = space.motion(landmarks), LandmarkFaceSpace(space.landmarker.path, basis).motion(landmarks)
    eyes = positions((33, 133, 362, 263))
    np.testing.assert_allclose(split.delta[0, eyes], explained[eyes], atol=1e-6)
    np.testing.assert_allclose(split.x_c + split.delta[0], plain.x_c + plain.delta[0], atol=1e-6)


def test_a_still_clip_is_still_and_noise_moves_it_little(space, picture):
    still = np.repeat(picture[None], 20, 0)
    noise = np.random.default_rng(0).normal(0, 3, still.shape)
    noisy = np.clip(still + noise, 0, 255).astype(np.uint8)
    for clip, pixels in ((still, 0.1), (noisy, 0.4)):  # standard deviation at 512 px
        x = space.keypoints(space.extract(clip))[..., :2]
        assert x.std(0).mean() * 256 < pixels


def test_a_clip_gives_the_same_bytes_whatever_came_before(space, picture):
    clip = np.repeat(picture[None], 3, 0)
    first = space.extract(clip).vector()
    space.extract(clip[:, ::-1])
    assert space.extract(clip).vector().tobytes() == first.tobytes()


def test_the_portrait_itself_comes_back(space, appearance):
    x = space.keypoints(appearance.motion)
    frame = space.render(appearance, x[0], x)[0]
    error = np.abs(frame.astype(int) - appearance.content.layers[..., :3])
    assert frame.shape == (512, 512, 3) and error.mean() < 1.5


def test_a_portrait_is_prepared_the_same_every_time(space, picture, appearance):
    again = space.appearance(picture)
    assert again.content.layers.tobytes() == appearance.content.layers.tobytes()
    assert again.content.plate.tobytes() == appearance.content.plate.tobytes()


def test_the_background_never_moves(appearance, cycle):
    frames = cycle[1][:, :120, :60]  # a corner that no part of the person reaches
    assert np.ptp(frames, axis=0).max() == 0
    assert appearance.content.layers[:120, :60, 3].max() == 0


def test_motion_rendered_and_extracted_again_agrees(space, cycle):
    motion, _, landmarks = cycle
    asked, seen, again = space.keypoints(motion), landmarks.points[:, KEYPOINTS], space.motion(landmarks)
    error_px = np.linalg.norm(seen[..., :2] - asked[..., :2], axis=-1) * 256
    assert error_px.mean() < 4
    assert np.abs(again.angles_deg - motion.angles_deg).mean(0).max() < 3
    assert np.corrcoef(again.angles_deg[:, 1], motion.angles_deg[:, 1])[0, 1] > 0.99
    assert np.corrcoef(gap(seen, 13, 14), gap(asked, 13, 14))[0, 1] > 0.97
    assert np.corrcoef(gap(seen, 159, 145), gap(asked, 159, 145))[0, 1] > 0.9


def test_lips_are_seen_without_delay(space, cycle):
    motion, _, landmarks = cycle
    asked, seen = gap(space.keypoints(motion), 13, 14), gap(landmarks.points[:, KEYPOINTS], 13, 14)
    by_lag = {lag: np.corrcoef(asked[2:-2], seen[2 + lag:len(seen) - 2 + lag])[0, 1] for lag in (-1, 0, 1)}
    assert by_lag[0] > max(by_lag[-1], by_lag[1]) + 0.1


def test_closed_lips_look_closed_and_a_blink_closes_the_eye(cycle):
    landmarks = cycle[2]
    mouth, eye = gap(landmarks.points[:, KEYPOINTS], 13, 14), gap(landmarks.points[:, KEYPOINTS], 159, 145)
    assert mouth[[0, 8, 16, 24, 32]].max() < 0.2 * mouth.max()
    assert eye[[12, 30]].max() < 0.5 * np.median(eye)


@pytest.mark.media
def test_a_real_speaker_drives_the_portrait(space, appearance, media):
    with av.open(str(media / "talking" / "styletalk_andrew_clip_1.mp4")) as container:
        clip = np.stack([frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), 60)])
    speaker, own = space.extract(clip), appearance.motion
    angles = own.angles_deg + speaker.angles_deg - speaker.angles_deg.mean(0)
    motion = Motion(own.x_c, speaker.delta, angles, np.repeat(own.t, 60, 0), np.repeat(own.s, 60, 0))
    asked = space.keypoints(motion)
    seen = space.landmarks(space.render(appearance, space.keypoints(own)[0], asked)).points[:, KEYPOINTS]
    assert np.linalg.norm(seen[..., :2] - asked[..., :2], axis=-1).mean() * 256 < 4
    assert np.corrcoef(gap(seen, 13, 14), gap(asked, 13, 14))[0, 1] > 0.95


@pytest.mark.parametrize("yaw_deg", [-35, 35])
@pytest.mark.parametrize("jaw", [0.0, 0.3])
def test_extremes_and_points_outside_the_frame_render(space, appearance, yaw_deg, jaw):
    own = appearance.motion
    delta = np.zeros((1, NUM_KEYPOINTS, 3), np.float32)
    delta[:, positions(LIPS_INNER_LOWER), 1] = jaw
    motion = replace(own, delta=delta, angles_deg=own.angles_deg + np.float32([0, yaw_deg, 0]))
    for shift in (0.0, 0.8, 5.0):
        moved = replace(motion, t=own.t + np.float32([shift, -shift, 0]))
        frame = space.render(appearance, space.keypoints(own)[0], space.keypoints(moved))
        assert frame.shape == (1, 512, 512, 3) and frame.std() > 5


def test_pictures_without_a_face_and_oblong_clips_are_refused(space):
    with pytest.raises(FaceNotFound, match="frame 0"):
        space.extract(np.full((2, 64, 64, 3), 128, np.uint8))
    with pytest.raises(ValueError, match="square"):
        space.extract(np.zeros((2, 64, 32, 3), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        space.extract(np.zeros((2, 64, 64, 3), np.float32))


def test_a_wrong_basis_is_refused(space):
    with pytest.raises(ValueError, match="basis"):
        LandmarkFaceSpace(space.landmarker.path, np.zeros((52, 63)))


def test_a_missing_model_file_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="weights pull"):
        LandmarkFaceSpace(tmp_path / "face_landmarker.task")


def track(found: list[int]) -> Landmarks:
    mask = np.array(found, bool)
    values = np.arange(len(mask), dtype=np.float32)
    points = np.broadcast_to(np.where(mask, values, np.nan)[:, None, None], (len(mask), 478, 3)).astype(np.float32)
    scores = np.broadcast_to(np.where(mask, values, np.nan)[:, None], (len(mask), 52)).astype(np.float32)
    return Landmarks(points, scores, (), mask)


def test_short_gaps_are_interpolated_and_ends_held():
    filled = fill_gaps(track([0, 1, 0, 0, 1, 0]), max_gap=2)
    assert filled.points[:, 5, 1].tolist() == [1, 1, 2, 3, 4, 4]
    assert filled.blendshapes[:, 7].tolist() == [1, 1, 2, 3, 4, 4]


def test_long_gaps_name_their_first_frame():
    with pytest.raises(FaceNotFound) as caught:
        fill_gaps(track([1, 0, 1, 0, 0, 0, 1]), max_gap=2)
    assert caught.value.frame == 3
    assert first_long_gap(np.zeros(2, bool), 5) == 0
    assert first_long_gap(np.array([True, False, True]), 1) is None


def test_closing_the_lips_keeps_their_fullness():
    x_c = np.random.default_rng(4).normal(size=(NUM_KEYPOINTS, 3))
    closed = close_lips(x_c)
    pairs = [(80, 88), (82, 87), (13, 14), (312, 317), (310, 318)]
    for upper, lower in pairs:
        rows = positions((upper, lower))
        np.testing.assert_allclose(closed[rows[0]], closed[rows[1]], atol=1e-12)
        np.testing.assert_allclose(closed[rows[0]], x_c[rows].mean(0), atol=1e-12)
    rows, outer = positions((13, 14)), positions((0, 17))
    for inner_row, outer_row in zip(rows, outer, strict=True):
        np.testing.assert_allclose(closed[outer_row] - closed[inner_row], x_c[outer_row] - x_c[inner_row], atol=1e-12)
    still = positions((33, 133, 61, 291, 168))
    np.testing.assert_array_equal(closed[still], x_c[still])

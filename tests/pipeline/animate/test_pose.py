from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from models.motion.camera import rotation_from_angles
from pipeline.animate.pose import DrivingError, driving_pose, forth_and_back, relative_pose, usual_pose
from pipeline.media.film import write_video
from tests.pipeline.animate.fakes import FakeDetector, FakeSpace

rng = np.random.default_rng(0)


def test_no_movement_is_the_portraits_own_pose():
    source = np.array([1.3, 0.1, -0.2, 0.0, 5, -10, 3])
    driver = np.tile([1.1, 0.3, 0.1, 0, -8, 12, 4], (5, 1))
    np.testing.assert_allclose(relative_pose(driver, source), np.tile(source, (5, 1)), atol=1e-5)


def test_hand_computed():
    """A driver who grows by 10 %, moves by (0.1, -0.2, 0.5) and turns from yaw 5 to 20; the portrait looks ahead."""
    driver = np.array([[1.0, 0, 0, 0, 0, 5, 0], [1.1, 0.1, -0.2, 0.5, 0, 20, 0]])
    pose = relative_pose(driver, np.array([2.0, 0.3, 0.3, 0.7, 0, 0, 0]))
    np.testing.assert_allclose(pose[1], [2.2, 0.4, 0.1, 0.7, 0, 15, 0], atol=1e-5)


def test_a_driver_that_begins_turned_aside_does_not_turn_the_film():
    """30 degrees aside for a fifth of the time, then about 0: the film is about the portrait's own pose."""
    driver = np.zeros((50, 7))
    driver[:, 0], driver[:10, 5], driver[10:, 5] = 1, 30, np.linspace(-2, 2, 40)
    source = np.array([1.3, 0.1, -0.2, 0.0, 5, -10, 3])
    assert abs(usual_pose(driver)[5]) < 1.5
    film = relative_pose(driver, source, usual_pose(driver))
    assert abs(np.median(film[:, 5]) + 10) < 1.5 and film[0, 5] > 15


def test_rotation_is_that_of_liveportrait():
    driver = rng.uniform(-20, 20, (6, 7))
    driver[:, 0] = 1
    source = np.array([1, 0, 0, 0, 5.0, -12, 7])
    pose = relative_pose(driver, source)
    for frame in range(6):
        expected = (rotation_from_angles(driver[frame, 4:]) @ rotation_from_angles(driver[0, 4:]).T
                    @ rotation_from_angles(source[4:]))
        np.testing.assert_allclose(rotation_from_angles(pose[frame, 4:].astype(float)), expected, atol=1e-6)


@pytest.mark.parametrize(("length", "frames", "expected"), [
    (3, 7, [0, 1, 2, 1, 0, 1, 2]), (1, 3, [0, 0, 0]), (5, 3, [0, 1, 2]), (2, 4, [0, 1, 0, 1])])
def test_a_short_video_runs_forth_and_back(length, frames, expected):
    assert forth_and_back(length, frames).tolist() == expected


SHADES = np.linspace(0, 255, 128).astype(np.uint8)[:, None].repeat(128, 1)
RHO = np.array([1, 0, 0, 0, 0, 0, 0.0])


def driver(path, black: range, frames: int = 50):
    """Red, which the fake space takes for the yaw, grows by 1 a frame; some frames are black."""
    pictures = [np.zeros((128, 128, 3), np.uint8) if i in black
                else np.stack([np.full_like(SHADES, 40 + i), SHADES, SHADES], -1) for i in range(frames)]
    write_video(path, pictures, 25, crf=1)
    return path


@pytest.mark.parametrize("black", [range(20, 32), range(0, 12), range(38, 50)])
def test_the_pose_is_bridged_over_black_frames_and_said(tmp_path, black):
    driven = driving_pose(driver(tmp_path / "a.mp4", black), 50, 25, RHO, FakeSpace(), FakeDetector())
    held = np.clip(np.arange(50), 12 if black.start == 0 else 0, 37 if black.stop == 50 else 49)
    np.testing.assert_allclose(driven.rho[:, 5], held - np.median(held), atol=3.1)
    assert f"from {black.start / 25:.2f} to {black.stop / 25:.2f} s" in driven.notes[0]


def test_a_face_that_is_away_for_long_is_refused(tmp_path):
    with pytest.raises(DrivingError, match=r"away for over 2 s \(from 0\.4 s on\)"):
        driving_pose(driver(tmp_path / "a.mp4", range(10, 65), 75), 75, 25, RHO, FakeSpace(), FakeDetector())
    with pytest.raises(DrivingError, match=r"b\.mp4 cannot be read: its video is of a kind that cannot be decoded"):
        path = driver(tmp_path / "b.mp4", range(0))
        path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
        driving_pose(path, 10, 25, RHO, FakeSpace(), FakeDetector())


class WideDetector(FakeDetector):
    """Says how wide the pictures were that it saw."""

    def detect(self, image):
        self.shape = image.shape
        return super().detect(image)


def test_a_drivers_pixels_are_squared(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 128, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2)
        picture = np.stack([SHADES[:, ::2]] * 3, -1)
        for _ in range(5):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    detector = WideDetector()
    driving_pose(tmp_path / "a.mp4", 5, 25, RHO, FakeSpace(), detector)
    assert detector.shape == (128, 128, 3)

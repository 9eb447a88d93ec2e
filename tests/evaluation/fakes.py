"""A face that is a grey square with a mouth: a face space, a generator and judges whose answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from evaluation.jobs.parts import Parts
from evaluation.metrics.emotion import EmotionFilm, scores
from evaluation.metrics.judges import Judges
from evaluation.results.rows import MeasuredClip
from models.face.landmarker import Landmarks
from models.face.points import KEYPOINTS, NUM_KEYPOINTS
from models.generation.talking_head import TalkingHead
from models.motion.camera import transform_head_keypoints
from models.motion.face_space import Appearance
from models.motion.motion import Motion

SIDE = 64
LABELS = ("happy", "neutral", "sad")
UPPER, LOWER = KEYPOINTS.index(13), KEYPOINTS.index(14)
SIDES = [(KEYPOINTS.index(u), KEYPOINTS.index(low)) for u, low in ((82, 87), (312, 317))]


def rest_keypoints() -> np.ndarray:
    """Canonical key points [70, 3] in general position."""
    return np.random.default_rng(0).normal(0, 0.2, (NUM_KEYPOINTS, 3)).astype(np.float32)


def motion_of(mouth: np.ndarray, yaw_deg: np.ndarray | float = 0.0) -> np.ndarray:
    """Motion vectors [T, 217] whose lower lip is down by `mouth` [T]."""
    delta = np.zeros((len(mouth), NUM_KEYPOINTS, 3), np.float32)
    delta[:, LOWER, 1] = mouth
    angles = np.zeros((len(mouth), 3), np.float32)
    angles[:, 1] = yaw_deg
    return Motion(rest_keypoints(), delta, angles, np.zeros((len(mouth), 3), np.float32),
                  np.ones((len(mouth), 1), np.float32)).vector()


def picture(mouth: float) -> np.ndarray:
    """A frame that shows a mouth opening in [0, 1]."""
    frame = np.full((SIDE, SIDE, 3), 100, np.uint8)
    frame[:SIDE // 2] = round(255 * float(np.clip(mouth, 0, 1)))
    return frame


class FakeSpace:
    """Key points in the head's frame; renders the mouth opening as brightness."""

    name = "landmark"
    num_keypoints = NUM_KEYPOINTS

    def keypoints(self, motion: Motion, x_c: np.ndarray | None = None) -> np.ndarray:
        return transform_head_keypoints(motion.x_c[None], motion.delta, motion.rotation, motion.t, motion.s)

    def appearance(self, image: np.ndarray) -> Appearance:
        return Appearance(Motion.from_vector(rest_keypoints(), motion_of(np.zeros(1))), image)

    def shut_eyes(self, points: np.ndarray, closed: np.ndarray) -> np.ndarray:
        return 0 * points

    shut_mouth = shut_eyes
    knows_eyes = True

    def scale_mouth(self, delta: np.ndarray, rest: np.ndarray, scale: np.ndarray) -> np.ndarray:
        return delta

    def hold_lids(self, x_c: np.ndarray, delta: np.ndarray, rest: np.ndarray) -> np.ndarray:
        return delta

    def hold_gaze(self, x_c: np.ndarray, delta: np.ndarray, *_: np.ndarray) -> np.ndarray:
        return delta

    def retarget(self, motion: Motion, portrait: Motion, rest: np.ndarray) -> Motion:
        return motion

    def render(self, appearance: Appearance, x_source: np.ndarray, x_driving: np.ndarray) -> np.ndarray:
        return np.stack([picture(x[LOWER, 1] - rest_keypoints()[LOWER, 1]) for x in x_driving])


@dataclass
class FakeGenerator:
    """Opens the mouth as the first speech feature says; emotion leaves the pose alone unless `broken`."""

    labels: tuple[str, ...] = LABELS
    broken: bool = False
    rest: np.ndarray = field(default_factory=lambda: np.zeros((NUM_KEYPOINTS, 3)))

    def generate_batch(self, requests, **settings):
        return [self._one(request) for request in requests]

    def _one(self, request) -> np.ndarray:
        random = np.random.default_rng(request.seed)
        yaw = random.normal(0, 1, len(request.speech))
        if self.broken and request.emotion is not None:
            yaw = yaw + request.emotion[0]
        motion = motion_of(request.speech[:, 0] + 0.01 * random.normal(size=len(request.speech)), yaw)
        if not isinstance(request.pose, str):
            motion[:, -7:] = request.pose
        elif request.pose == "still":
            motion[:, -7:] = request.source_rho
        return motion


def landmarks_of(frames: np.ndarray) -> Landmarks:
    """Reads the mouth opening back from the brightness of the upper half."""
    points = np.zeros((len(frames), 478, 3), np.float32)
    points[:, list(KEYPOINTS)] = np.random.default_rng(1).uniform(-0.5, 0.5, (NUM_KEYPOINTS, 3))
    for upper, lower in ((13, 14), (82, 87), (312, 317)):
        points[:, lower] = points[:, upper]
        points[:, lower, 1] += frames[:, :SIDE // 4].mean((1, 2, 3)) / 255
    return Landmarks(points, np.zeros((len(frames), 52), np.float32), (), np.ones(len(frames), bool))


def fake_parts(broken: bool = False) -> Parts:
    """Judges that look at brightness only."""
    judges = Judges(
        landmarks=landmarks_of,
        identity={"csim_mobilefacenet": lambda faces: np.eye(4, dtype=np.float32)[np.zeros(len(faces), int)]},
        features={"fd_efficientnet_lite0": lambda frames: frames[:, ::16, ::32, 0].reshape(len(frames), -1).astype(
            np.float32)},
        lpips=lambda a, b: np.abs(a.astype(float) - b).mean((1, 2, 3)) / 255,
        expression=lambda faces: np.tile(np.float32([0.6, 0.3, 0.1]), (len(faces), 1)), expression_labels=LABELS)
    return Parts(judges, TalkingHead(FakeSpace(), FakeGenerator(broken=broken)))


def measured_clip(clip_id: str, **numbers: float | None) -> MeasuredClip:
    """A test clip's row."""
    return MeasuredClip(clip_id=clip_id, identity="hdtf/p", frames=75, corpus="hdtf", seed=1, wrong_clip_id="b",
                        numbers=numbers)


def emotion_film(emotion: str, probabilities: Sequence[float] = (), labels: tuple[str, ...] = LABELS,
                 identity: str = "p", emo_a_seen: str | None = None) -> EmotionFilm:
    """A film whose frames all have these probabilities, of no classifier where there are none."""
    means, logs = scores(np.array([probabilities, probabilities]), labels) if probabilities else ({}, {})
    seen = labels[int(np.argmax(probabilities))] if probabilities else None
    return EmotionFilm("a", "mead", identity, emotion, 50, brow_height=1.0, corner_height=1.0, eye_opening=0.2,
                       mouth_opening=0.3, seen=seen, probabilities=means, log_probabilities=logs, emo_a_seen=emo_a_seen)

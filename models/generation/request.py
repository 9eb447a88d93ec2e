"""What is asked of a motion generator, and how it is to sample."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from models.diffusion.sampler import Solver
from models.motion.motion import RHO_DIM
from models.transformer.shape import ModelShape

REPEATED = 3  # frames of the window before that a window begins with: a window's first frames are its roughest
ALL_STEPS = (0.0, 1.0)
Pose = str | np.ndarray  # "generated", "still", or a rho [T, 7] to follow


@dataclass(frozen=True)
class SampleSettings:
    """How to sample: the `sample` section of params.yaml, stored with the model."""

    solver: Solver
    steps: int
    audio_scale: float  # w_a of eq. 8
    emotion_scale: float  # w_e of eq. 8
    limit: float  # largest deviation from the mean that is generated, in standard deviations
    fade: int  # frames over which the error at a joint of two windows fades out
    identity_limit: float  # largest deviation of a face from the mean training face, in standard deviations
    pose_share: float  # of w_a, for the head pose; 1: eq. 8 as written
    pose_gain: float  # of a generated head's movement, of which sampling gives less than the training clips have
    expression_samples: int  # of which the expression is the mean; the head pose is the first one's


@dataclass(frozen=True)
class Given:
    """Expression that is known: `delta` [T, 3K], of which the dimensions `known` [3K] (bool) are kept.

    Frames beyond the last one repeat it. Rows are read window by window: `delta` may be a map of a file.
    """

    delta: np.ndarray
    known: np.ndarray


@dataclass(frozen=True)
class Curves:
    """How a performance departs from the model's own, frame by frame: [T] each, of which the last value stays; None: as
    the model has it."""

    pose_scale: np.ndarray | None = None     # of the head's deviation from the portrait's pose: 0 still, 1 as generated
    mouth_scale: np.ndarray | None = None    # of the mouth's displacement from rest
    blinks_per_min: np.ndarray | None = None
    gaze: np.ndarray | None = None           # 1: eyes stay on the camera, 0: they move as generated
    expression_scale: np.ndarray | None = None   # w_a of eq. 8 for the expression
    pose_guidance: np.ndarray | None = None      # w_a of eq. 8 for the head pose


@dataclass(frozen=True)
class Request:
    """One motion to be generated.

    `speech` [T, A] or pieces of it in order; `x_c` [K, 3] and `source_rho` [7] of the portrait; `emotion` weights
    [E + 1] or [T, E + 1] (models/motion/emotions.py) or None; `pose` "generated", "still", or a rho [T, 7] to follow;
    `window`: frames generated at once, fewer than the model's own for a shorter delay; None: the model's.
    `given`: expression that is not to be generated but kept, as a film's eyes are when its mouth gets new words; wants
    a pose that is known as well. `curves`: how it is directed. `source_delta` [K, 3]: the portrait's own expression.
    `guided`: the part of sampling, from noise (0) to motion (1), in which eq. 8 guides; else its weights are 1.
    `style`: mean and deviation [7] of a generated pose (eq. 6), instead of the portrait's and the training clips'.
    """

    speech: np.ndarray | Iterable[np.ndarray]
    x_c: np.ndarray
    source_rho: np.ndarray
    emotion: np.ndarray | None = None
    pose: Pose = "generated"
    seed: int = 0
    window: int | None = None
    given: Given | None = None
    curves: Curves = field(default_factory=Curves)
    source_delta: np.ndarray | None = None
    guided: tuple[float, float] = ALL_STEPS
    style: tuple[np.ndarray, np.ndarray] | None = None


def check_request(request: Request, shape: ModelShape) -> None:
    """Raise ValueError where a request does not fit a model."""
    if request.x_c.shape != (shape.num_keypoints, 3):
        raise ValueError(f"x_c must be [{shape.num_keypoints}, 3] for this model, got {list(request.x_c.shape)}")
    if request.window is not None and not REPEATED < request.window <= shape.window:
        raise ValueError(f"window is {request.window}, this model makes {REPEATED + 1} to {shape.window} at once")
    _check_pose(request.pose)
    if request.given is not None:
        _check_given(request.given, request.pose, shape)
    if request.emotion is not None:
        _check_emotion(request.emotion, shape)


def _check_pose(pose: Pose) -> None:
    if isinstance(pose, str):
        if pose not in ("generated", "still"):
            raise ValueError(f"unknown pose {pose!r}: accepted are generated, still, or a rho [T, {RHO_DIM}]")
    elif pose.ndim != 2 or pose.shape[1] != RHO_DIM or len(pose) == 0:
        raise ValueError(f"a pose to follow must be [T, {RHO_DIM}], got {list(pose.shape)}")


def _check_given(given: Given, pose: Pose, shape: ModelShape) -> None:
    size = 3 * shape.num_keypoints
    if given.delta.ndim != 2 or given.delta.shape[1] != size or len(given.delta) == 0 or given.known.shape != (size,):
        raise ValueError(f"given expression must be [T, {size}] with [{size}] of it known, got "
                         f"{list(given.delta.shape)} and {list(given.known.shape)}")
    if isinstance(pose, str) and pose == "generated":
        raise ValueError("a given expression wants a pose that is given, too: still, or a rho [T, 7]")


def _check_emotion(emotion: np.ndarray, shape: ModelShape) -> None:
    if not shape.num_emotions:
        raise ValueError("this model has no emotion control: use the bundle of stage 2")
    if emotion.shape[-1] != shape.num_emotions + 1:
        raise ValueError(f"emotion weights must have {shape.num_emotions + 1} columns, got {emotion.shape[-1]}")

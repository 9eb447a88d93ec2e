"""The same portrait, speech and seed with three head poses: generated, still, and another clip's movement."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from evaluation.jobs.clip import FPS, NOTE, JobSettings, OfClip, tile
from evaluation.jobs.parts import Parts
from evaluation.metrics.measure import pose_numbers
from evaluation.metrics.motion import pearson
from evaluation.results.files import Result
from pipeline.animate.pose import forth_and_back, relative_pose
from pipeline.media.crops import read_crop
from pipeline.media.film import write_video

Pose = Literal["generated", "still", "driven"]
POSES: tuple[Pose, ...] = get_args(Pose)


@dataclass(frozen=True)
class PoseJob(OfClip):
    """Generate the clip's first frame with its speech and a pose; `driver` [T, 7] is the movement to follow."""

    pose: Pose
    driver: np.ndarray

    @property
    def stage(self) -> str:
        return f"pose {self.pose}"

    def inputs(self) -> list[Any]:
        return [*super().inputs(), hashlib.sha256(self.driver.tobytes()).hexdigest()]

    def run(self, parts: Parts, settings: JobSettings, folder: Path) -> Result:
        """Generate and render; the tile goes to `folder`. Raises FaceNotFound."""
        clip = self.clip
        portrait = parts.head.portrait(read_crop(Path(clip.crop), [0])[0])
        driven = relative_pose(self.driver[forth_and_back(len(self.driver), len(clip))], portrait.rho)
        request = portrait.request(clip.speech, pose=driven if self.pose == "driven" else self.pose, seed=clip.seed)
        motion = parts.head.motions([request])[0]
        frames = parts.head.frames(portrait, motion)
        tiles = (tile(frame, settings.panel_px, self.pose) for frame in frames)
        write_video(folder / f"{clip.clip_id}_pose_{self.pose}.mp4", tiles, FPS, crf=settings.crf, tags=NOTE)
        row = {"clip_id": clip.clip_id, "pose": self.pose, "frames": len(clip), **pose_numbers(motion[:, -3:]),
               "yaw_r_driver": pearson(motion[:, -2].astype(np.float64), driven[:, -2].astype(np.float64))}
        return Result(row, {}, {})

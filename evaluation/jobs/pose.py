"""The same portrait, speech and seed with three head poses: generated, still, and another clip's movement."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.jobs.clip import FPS, NOTE, Clip, JobSettings, tile
from evaluation.jobs.parts import Parts
from evaluation.metrics.measure import pose_numbers
from evaluation.metrics.motion import pearson
from evaluation.results.files import Result
from pipeline.animate.pose import forth_and_back, relative_pose
from pipeline.media.crops import read_crop
from pipeline.media.film import write_video

POSES = ("generated", "still", "driven")


@dataclass(frozen=True)
class PoseJob:
    """Generate the clip's first frame with its speech and a pose; `driver` [T, 7] is the movement to follow."""

    clip: Clip
    pose: str
    driver: np.ndarray


def run_pose(job: PoseJob, parts: Parts, settings: JobSettings, folder: Path) -> Result:
    """Generate and render; the tile goes to `folder`. Raises FaceNotFound."""
    clip = job.clip
    portrait = parts.head.portrait(read_crop(Path(clip.crop), [0])[0])
    driven = relative_pose(job.driver[forth_and_back(len(job.driver), len(clip))], portrait.rho)
    request = portrait.request(clip.speech, pose=driven if job.pose == "driven" else job.pose, seed=clip.seed)
    motion = parts.head.motions([request])[0]
    frames = parts.head.frames(portrait, motion)
    tiles = (tile(frame, settings.panel_px, job.pose) for frame in frames)
    write_video(folder / f"{clip.clip_id}_pose_{job.pose}.mp4", tiles, FPS, crf=settings.crf, tags=NOTE)
    row = {"clip_id": clip.clip_id, "pose": job.pose, "frames": len(clip), **pose_numbers(motion[:, -3:]),
           "yaw_r_driver": pearson(motion[:, -2].astype(np.float64), driven[:, -2].astype(np.float64))}
    return Result(row, {}, {})

"""Films that are shown and not judged: one portrait and speech with three head poses, with several seeds, and with each
dial at several values; films side by side as one, so that they run on one clock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from evaluation.jobs.clip import JobSettings, OfClip, write_tiles
from evaluation.jobs.parts import Parts
from evaluation.metrics.measure import pose_numbers
from evaluation.metrics.motion import pearson
from evaluation.results.files import Result
from models.motion.clock import SAMPLE_RATE_HZ
from pipeline.animate.direction import Direction
from pipeline.animate.pose import forth_and_back, relative_pose
from pipeline.media.crops import read_crop, read_wav
from pipeline.media.film import SYNTHETIC, write_video

Pose = Literal["generated", "still", "driven"]
POSES: tuple[Pose, ...] = get_args(Pose)
COLUMNS = 3  # of a row of films: on a phone a face is then a hundred pixels wide


@dataclass(frozen=True)
class ShownFilm:
    """What was asked of a film, and how its head moves."""

    clip_id: str
    asked: str
    seed: int
    frames: int
    numbers: Mapping[str, float]


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

    def run(self, parts: Parts, settings: JobSettings, folder: Path) -> Result[ShownFilm]:
        """Generate and render; the tile goes to `folder`. Raises FaceNotFound."""
        clip = self.clip
        portrait = parts.head.portrait(read_crop(Path(clip.crop), [0])[0])
        driven = relative_pose(self.driver[forth_and_back(len(self.driver), len(clip))], portrait.rho)
        request = portrait.request(clip.speech, pose=driven if self.pose == "driven" else self.pose, seed=clip.seed)
        motion = parts.head.motions([request])[0]
        write_tiles(folder / f"{clip.clip_id}_pose_{self.pose}.mp4", parts.head.frames(portrait, motion), self.pose,
                    settings)
        follows = pearson(motion[:, -2].astype(np.float64), driven[:, -2].astype(np.float64))
        return Result((_film(self, clip.seed, pose_numbers(motion[:, -3:]) | {"yaw_r_driver": follows}),), {}, {})


@dataclass(frozen=True)
class SeedJob(OfClip):
    """Generate the clip's first frame with its speech; `offset` is added to the clip's seed."""

    offset: int

    @property
    def stage(self) -> str:
        return f"seed {self.offset}"

    def inputs(self) -> list[Any]:
        return [*super().inputs(), self.offset]

    def run(self, parts: Parts, settings: JobSettings, folder: Path) -> Result[ShownFilm]:
        """Generate and render; the tile goes to `folder`. Raises FaceNotFound."""
        clip, seed = self.clip, self.clip.seed + self.offset
        portrait = parts.head.portrait(read_crop(Path(clip.crop), [0])[0])
        motion = parts.head.motions([portrait.request(clip.speech, seed=seed)])[0]
        write_tiles(folder / f"{clip.clip_id}_seed_{self.offset}.mp4", parts.head.frames(portrait, motion), self.stage,
                    settings)
        return Result((_film(self, seed, pose_numbers(motion[:, -3:])),), {}, {})


@dataclass(frozen=True)
class DialJob(OfClip):
    """Generate the clip's first frame with its speech, directed by one dial (pipeline/animate/direction.py)."""

    dial: str
    value: float | str

    @property
    def stage(self) -> str:
        return f"{self.dial.replace('_', ' ')} {self.value}"

    def inputs(self) -> list[Any]:
        return [*super().inputs(), self.dial, self.value]

    def run(self, parts: Parts, settings: JobSettings, folder: Path) -> Result[ShownFilm]:
        """Generate and render; the tile goes to `folder`. Raises FaceNotFound."""
        clip = self.clip
        portrait = parts.head.portrait(read_crop(Path(clip.crop), [0])[0])
        asked: dict[str, Any] = {self.dial: self.value}
        curves = Direction(**asked).curves(None)
        motion = parts.head.motions([portrait.request(clip.speech, seed=clip.seed, curves=curves)])[0]
        write_tiles(folder / f"{clip.clip_id}_{self.dial}_{self.value}.mp4", parts.head.frames(portrait, motion),
                    self.stage, settings)
        return Result((_film(self, clip.seed, pose_numbers(motion[:, -3:])),), {}, {})


def _film(job: PoseJob | SeedJob | DialJob, seed: int, numbers: dict[str, float]) -> ShownFilm:
    return ShownFilm(job.clip.clip_id, job.stage, seed, len(job.clip), numbers)


def write_grid(path: Path, tiles: list[Path], wav: Path, fps: int, crf: int) -> None:
    """Put our own videos of one size and length into rows of three (four: of two), with the start of `wav` as sound."""
    videos = [read_crop(tile) for tile in tiles]
    frames = min(len(video) for video in videos)
    blank = np.zeros_like(videos[0][0])

    def picture(t: int) -> np.ndarray:
        pictures = [video[t] for video in videos]
        columns = 2 if len(pictures) == 4 else min(COLUMNS, len(pictures))
        pictures += [blank] * (-len(pictures) % columns)
        rows = [np.concatenate(pictures[start:start + columns], 1) for start in range(0, len(pictures), columns)]
        return np.concatenate(rows, 0)

    waveform = read_wav(wav)[:frames * SAMPLE_RATE_HZ // fps]
    write_video(path, (picture(t) for t in range(frames)), fps, waveform, crf=crf, tags=SYNTHETIC)

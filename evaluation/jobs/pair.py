"""Videos of anyone against their references, by the same code as our own: pairs by file name, one row each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.jobs.clip import FPS, RATE_HZ, JobSettings, pair_numbers
from evaluation.jobs.reading import Reading, VideoReader
from evaluation.metrics import measure
from evaluation.metrics.judges import Judges, judge_weights, load_judges
from evaluation.metrics.lip_sync import fill_gaps
from evaluation.metrics.seen_pose import head_angles_deg, seen_lip_error
from evaluation.results.files import Result
from evaluation.results.rows import MeasuredClip
from pipeline.core.fingerprint import file_sha256

SUFFIXES = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm")
Reader = Callable[[Path], tuple[np.ndarray, np.ndarray | None]]  # -> frames [T, H, W, 3] at 25 fps, 16 kHz sound [N]


@dataclass(frozen=True)
class PairJob:
    """A generated video and the true one; both are cut to the shorter."""

    name: str
    generated: str
    reference: str

    @property
    def stage(self) -> str:
        return "pair"

    def inputs(self) -> list[Any]:
        return [self.name, *(file_sha256(Path(path)) for path in (self.generated, self.reference))]

    def run(self, parts: PairParts, settings: JobSettings, folder: Path) -> Result[MeasuredClip]:
        """Measure; nothing is written. Raises FaceNotFound, ValueError, UnreadableVideo."""
        return measure_pair(self, parts.judges, settings, parts.read)


@dataclass(frozen=True)
class PairParts:
    """What a worker of pairs holds."""

    judges: Judges
    read: Reader


@dataclass(frozen=True)
class PairSpec:
    """What a worker of pairs loads."""

    metrics: tuple[str, ...]
    settings: JobSettings
    reading: Reading

    def inputs(self) -> list[Any]:
        return [vars(self.settings), vars(self.reading), judge_weights(self.metrics)]

    def load(self, device: str) -> PairParts:
        """On `device` and one thread of this process; raises WeightsError."""
        return PairParts(load_judges(FPS, self.metrics, device), VideoReader(self.reading))


@dataclass(frozen=True)
class Pairing:
    """Pairs in order of name, and what has no counterpart: (side, file name)."""

    jobs: list[PairJob]
    unpaired: list[tuple[str, str]]


def find_pairs(generated: Path, reference: Path) -> Pairing:
    """Pair the videos of two folders by file name without suffix.

    Raises FileNotFoundError for a folder that is not there, ValueError where two files of a folder share a name or no
    pair is found.
    """
    sides = {name: _videos(folder) for name, folder in (("generated", generated), ("reference", reference))}
    common = sorted(sides["generated"].keys() & sides["reference"].keys())
    if not common:
        raise ValueError(f"no video of {generated} has the name of one of {reference}")
    unpaired = [(side, path.name) for side, found in sides.items() for name, path in sorted(found.items())
                if name not in common]
    return Pairing([PairJob(name, str(sides["generated"][name].resolve()), str(sides["reference"][name].resolve()))
                    for name in common], unpaired)


def _videos(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    twice = [name for name, count in Counter(path.stem for path in paths).items() if count > 1]
    if twice:
        raise ValueError(f"{folder}: several videos are called {', '.join(twice)}: pairs are found by name")
    return {path.stem: path for path in paths}


def measure_pair(job: PairJob, judges: Judges, settings: JobSettings, read: Reader) -> Result[MeasuredClip]:
    """Measure one pair; raises FaceNotFound, ValueError, or what `read` raises for a broken file.

    The generated video is judged with its own sound, or with the reference's where it has none.
    """
    made_frames, made_sound = read(Path(job.generated))
    true_frames, true_sound = read(Path(job.reference))
    frames = min(len(made_frames), len(true_frames))
    made, true = (measure.look_at(side[:frames], judges) for side in (made_frames, true_frames))
    sound = made_sound if made_sound is not None else true_sound
    if sound is None:
        sound = np.zeros(0, np.float32)
    numbers, arrays = pair_numbers(true, made, sound, judges, settings)
    row = MeasuredClip(clip_id=job.name, identity="", frames=frames, frames_generated=len(made_frames),
                       frames_reference=len(true_frames), has_sound=bool(len(sound)),
                       numbers=numbers | _motion_numbers(true, made, sound))
    return Result((row,), {"reference": true.curves.mouth, "generated": made.curves.mouth}, arrays)


def other_video_r(generated: np.ndarray, other: np.ndarray, max_lag: int) -> float | None:
    """`mouth_r` of a generated mouth [T] against another video's true one [U] over their common length: what chance
    gives. Frames without a face are filled over time; None where the common part is too short or has none."""
    frames = min(len(generated), len(other))
    true, made = other[:frames], generated[:frames]
    if frames <= max_lag + 2 or not (np.isfinite(true).any() and np.isfinite(made).any()):
        return None
    return measure.mouth_correlation(fill_gaps(true), fill_gaps(made), max_lag).r


def _motion_numbers(true: measure.Seen, made: measure.Seen, sound: np.ndarray) -> dict[str, float | None]:
    """Lips, head pose and beats by the landmarks, of both videos: their motion itself is not known."""
    angles = {"generated": head_angles_deg(made.points), "true": head_angles_deg(true.points)}
    found: dict[str, float | None] = {
        **measure.pose_numbers(angles["generated"]), **measure.of_the_truth(measure.pose_numbers(angles["true"])),
        "lip_error_seen": seen_lip_error(true.points, made.points)}
    if len(sound):
        found |= measure.beat_numbers(sound, RATE_HZ, FPS, angles["generated"])
        found["beat_alignment_reference"] = measure.beat_numbers(sound, RATE_HZ, FPS, angles["true"])["beat_alignment"]
    return found

"""A video of anyone as frames at 25 fps and sound at 16 kHz, decoded in a guarded process."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.motion.clock import SAMPLE_RATE_HZ
from pipeline.compute.guard import Failure, GuardedWorker
from pipeline.media.container import MediaError, open_media
from pipeline.media.sound import read_sound
from pipeline.media.video import Limits, Upright, probe, steady, timed_frames, video_stream

MODULE = "evaluation.jobs.reading"


class UnreadableVideo(ValueError):
    """A video that gives no frames; the message says why."""


@dataclass(frozen=True)
class Reading:
    """What is read of a video: at most `max_frames` at `fps`, scaled to `side_px` on the longer side where larger, with
    bounds on what its header may claim and on what its process may take."""

    fps: int
    max_frames: int
    side_px: int
    max_side_px: int
    max_source_s: float
    limit_s: float
    memory_gb: float


def make_worker(settings: dict[str, Any]) -> VideoWorker:
    """`settings`: the fields of a Reading."""
    cv2.setNumThreads(1)
    return VideoWorker(Reading(**settings))


class VideoWorker:
    """Runs in the guarded child: writes frames.npy and sound.npy into the task's folder."""

    def __init__(self, reading: Reading):
        self.reading = reading
        self.limits = Limits(reading.max_side_px, reading.max_source_s)

    def __call__(self, task: dict[str, Any]) -> dict[str, Any]:
        path, folder, fps = Path(task["media"]), Path(task["folder"]), self.reading.fps
        try:
            source = probe(path, self.limits, whole=False)
            frames = self._frames(path, source.start_s)
            np.save(folder / "frames.npy", frames)
            if source.has_sound:
                sound = read_sound(path, source.start_s, len(frames) / fps, SAMPLE_RATE_HZ, False)
                np.save(folder / "sound.npy", sound)
        except MediaError as error:
            return {"reject": f"{error.stage}, {error.code}: {error.detail}"}
        return {"frames": len(frames)}

    def _frames(self, path: Path, zero_s: Fraction) -> np.ndarray:
        """[T, H, W, 3], T at most `max_frames`; larger pictures are scaled to `side_px` on their longer side."""
        frames = []
        with open_media(path) as container:
            stream = video_stream(container)
            upright = Upright(stream)
            timed = ((time - zero_s, frame) for time, frame in timed_frames(container, stream))
            for _, frame in steady(timed, self.reading.fps):
                frames.append(self._small(upright(frame)))
                if len(frames) == self.reading.max_frames:
                    break
        return np.stack(frames)

    def _small(self, picture: np.ndarray) -> np.ndarray:
        scale = self.reading.side_px / max(picture.shape[:2])
        if scale >= 1:
            return picture
        size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


class VideoReader:
    """`reader(path)` -> frames [T, H, W, 3] uint8 and sound [N] or None; raises UnreadableVideo."""

    def __init__(self, reading: Reading):
        self._worker = GuardedWorker(MODULE, asdict(reading), reading.limit_s, reading.memory_gb)

    def __call__(self, path: Path) -> tuple[np.ndarray, np.ndarray | None]:
        with tempfile.TemporaryDirectory() as folder:
            answer = self._worker.run({"media": str(path), "folder": folder})
            if isinstance(answer, Failure):
                raise UnreadableVideo(f"{path.name}: {answer.code}: {answer.detail}")
            if "frames" not in answer:
                raise UnreadableVideo(f"{path.name}: {answer.get('reject') or answer.get('detail')}")
            sound = Path(folder) / "sound.npy"
            return (np.load(Path(folder) / "frames.npy", allow_pickle=False),
                    np.load(sound, allow_pickle=False) if sound.is_file() else None)

    def close(self) -> None:
        self._worker.close()

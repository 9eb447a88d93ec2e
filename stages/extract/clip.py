"""One clip's work: crop -> motion, speech -> features; each result is stored the moment it is finished."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

import numpy as np

from feature_store.manifest import Reject
from feature_store.schema import MOTION, motion_tensors, speech_tensors
from feature_store.units import Store, UnitKey, write_reject, write_unit
from models.motion.clock import SAMPLE_RATE_HZ
from models.motion.face_space import FaceNotFound
from models.motion.motion import Motion
from models.speech.encoder import SpeechEncoder
from models.speech.level import bring_to_level
from pipeline.compute.guarded_child import is_memory_error
from pipeline.media.crops import read_crop, read_wav

MAX_LAG_FRAMES = 2  # by which speech may be shorter than the picture: codecs end on different boundaries


class ClipError(ValueError):
    """This clip cannot be used; `code` says why in a word, `value` is what was measured."""

    def __init__(self, code: str, detail: str, value: float | None = None):
        super().__init__(detail)
        self.code, self.value = code, value


class CropFiles:
    """What features are made of, read from the clip's own files; raises FileNotFoundError."""

    def pictures(self, path: Path) -> np.ndarray:
        """The crop at `path` -> RGB uint8 [T, H, W, 3]."""
        return read_crop(_present(path))

    def waveform(self, path: Path) -> np.ndarray:
        """The WAV beside the crop -> mono 16 kHz float32 [N]."""
        return read_wav(_present(path.with_suffix(".wav")))


def _present(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `dvc repro preprocess`")
    return path


class Extracts(Protocol):
    """What of a face space extraction needs."""

    def extract(self, frames: np.ndarray) -> Motion: ...


class ClipExtractor:
    """Loaded once per process: the face space, the speech encoder and the storage of finished work."""

    def __init__(self, space: Extracts, encoder: SpeechEncoder, storage: Store, fps: int):
        self.space, self.encoder, self.storage, self.fps = space, encoder, storage, fps
        self.seconds: dict[str, list] = {}  # family -> fingerprint, frames, seconds: of what was computed last

    def extract(self, path: Path, frames: int, keys: list[UnitKey],
                media: CropFiles = CropFiles()) -> Reject | None:  # noqa: B008 (it has no state)
        """Compute and store the units of `keys` from the crop at `path` and the WAV beside it.

        `media` reads them, or has them already where another process decoded the clip.
        What the clip itself is to blame for becomes a stored Reject; errors of the machine (OSError,
        MemoryError) are raised, because they say nothing about the clip.
        """
        for key in keys:
            began = time.monotonic()
            try:
                self._family(path, frames, key, media)
                self.seconds[key.family] = [key.fingerprint, frames, time.monotonic() - began]
            except (OSError, MemoryError):
                raise
            except Exception as error:
                if type(error).__name__ == "OutOfMemoryError":  # torch's, which is a RuntimeError
                    raise MemoryError(f"the GPU is full: lower extract.batch_frames ({error})") from error
                if is_memory_error(error):  # torch's allocator, OpenCV and others have errors of their own for it
                    raise MemoryError(_first_line(error)) from error
                reject = reject_of(key.clip_id, error)
                write_reject(self.storage, key, reject)
                return reject
        return None

    def _family(self, path: Path, frames: int, key: UnitKey, media: CropFiles) -> None:
        if key.family == MOTION:
            tensors, values = self._motion(media.pictures(path), frames)
        else:
            tensors, values = self._speech(media.waveform(path), frames)
        write_unit(self.storage, key, frames, self.fps, tensors, values)

    def _motion(self, pictures: np.ndarray, frames: int) -> tuple:
        if len(pictures) != frames:
            raise ClipError("frame_count", f"the crop has {len(pictures)} frames, its row says {frames}", len(pictures))
        motion = self.space.extract(pictures)
        vector = motion.vector().astype(np.float32)
        exact = vector.astype(np.float64)
        moments = np.stack([exact.mean(0), ((exact - exact.mean(0)) ** 2).sum(0)])
        return motion_tensors(len(motion.x_c)), {"x_c": motion.x_c, "motion": vector, "moments": moments}

    def _speech(self, waveform: np.ndarray, frames: int) -> tuple:
        lag = frames - len(waveform) * self.fps / SAMPLE_RATE_HZ
        if lag > MAX_LAG_FRAMES:
            raise ClipError("short_speech", f"speech ends {lag:.1f} frames before the picture", lag)
        return speech_tensors(self.encoder.dim), {"features": self.encoder.encode(bring_to_level(waveform), frames)}


def reject_of(clip_id: str, error: Exception) -> Reject:
    """The row of a clip whose own fault `error` is."""
    if isinstance(error, ClipError):
        return Reject(clip_id, "extract", error.code, str(error), error.value)
    if isinstance(error, FaceNotFound):
        return Reject(clip_id, "extract", "face_not_found", str(error), float(error.frame))
    return Reject(clip_id, "extract", type(error).__name__, _first_line(error))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else ""

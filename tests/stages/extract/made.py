"""A project folder with made-up crops, and an extractor that needs no weights. Clip names say what goes wrong."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

import numpy as np

from feature_store.manifest import Reject
from models.motion.face_space import FaceNotFound
from models.motion.motion import Motion
from pipeline.core.clip_table import KEPT, REJECTED, write_clip_table
from pipeline.core.config import Params
from pipeline.media.crops import write_wav
from pipeline.media.film import write_video
from pipeline.storage import Storage
from stages.extract.clip import ClipExtractor

FRAMES = 6
PRINTS = {"motion": "m" * 32, "speech": "s" * 32}
SHADES = {"good": 30, "faceless": 65, "segfault": 100, "hang": 135, "hungry": 170, "killed": 205,
          "full": 240}  # the picture's brightness


class MadeSpace:
    """Key points from the picture's brightness."""

    name, num_keypoints = "made", 2

    def extract(self, frames: np.ndarray) -> Motion:
        shade = float(frames.mean())
        kind = min(SHADES, key=lambda name: abs(SHADES[name] - shade))
        if kind == "faceless":
            raise FaceNotFound(3)
        if kind == "segfault":
            ctypes.string_at(0)  # a signal sent to ourselves would arrive a moment later, the clip done by then
        if kind == "hang":
            ctypes.PyDLL(None).sleep(600)  # does not give up the interpreter's lock, as a native loop does not
        if kind == "hungry":
            np.empty(1 << 36, np.uint8)
        if kind == "killed":
            os.kill(os.getpid(), signal.SIGKILL)  # at once, what the system does where memory has run out
        if kind == "full":
            raise OSError(28, "No space left on device")
        count = len(frames)
        delta = np.linspace(0, 1, count * 6, dtype=np.float32).reshape(count, 2, 3)
        zeros = np.zeros((count, 3), np.float32)
        return Motion(np.zeros((2, 3), np.float32), delta, zeros, zeros, np.ones((count, 1), np.float32))


class MadeEncoder:
    name, dim = "made", 3

    def encode(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        return np.tile(np.abs(waveform).mean(dtype=np.float32), (frames, 3))


def make_extractor(params: Params, storage: Storage) -> ClipExtractor:
    """In place of the models that params.yaml names."""
    return ClipExtractor(MadeSpace(), MadeEncoder(), storage, params.preprocess.measure.fps)


def write_corpus(corpus: str, kinds: list[str], rejected: int = 1) -> None:
    """Crops of the given kinds below data/crops, in the current folder."""
    folder, rows = Path("data/crops") / corpus, []
    for i, kind in enumerate(kinds):
        clip_id, shade = f"{corpus}{i:02d}", SHADES[kind]
        write_video(folder / f"{clip_id}.mp4", [np.full((32, 32, 3), shade, np.uint8)] * FRAMES, 25)
        write_wav(folder / f"{clip_id}.wav", np.full(FRAMES * 640, 0.1, np.float32))
        rows.append({"clip_id": clip_id, "corpus": corpus, "identity": f"{corpus}/{i % 3}", "status": KEPT,
                     "frames": FRAMES, "crop_sha256": f"{kind}{i}".ljust(64, "0"), "speech_sha256": str(i) * 64,
                     "language": "en"})
    rows += [{"clip_id": f"{corpus}x{i}", "corpus": corpus, "status": REJECTED, "stage": "probe", "code": "no_audio"}
             for i in range(rejected)]
    write_clip_table(folder / "clips.parquet", rows)


def crashed(clip_id: str) -> Reject:
    """As of a clip that was given up."""
    return Reject(clip_id, "extract", "crash", "its process died 3 times", 3.0)

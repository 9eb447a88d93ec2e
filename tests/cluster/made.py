"""A small extraction job whose models are arithmetic and whose store, writer and Ray graph are the real ones."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from models.motion.motion import Motion
from pipeline.core.clip_table import KEPT, write_clip_table
from pipeline.core.config import Params
from pipeline.core.fingerprint import file_sha256
from pipeline.media.crops import write_wav
from pipeline.media.film import write_video
from pipeline.storage import Storage
from stages.extract.clip import ClipExtractor

CORPUS, FRAMES, SIDE = "avspeech", 6, 32
POISON_SHADE = 250
COMPUTED = Path("computed.log")  # a line for every extraction that was begun: clip, process


class MadeSpace:
    """Key points from the picture's brightness; a white clip kills the process."""

    name, num_keypoints = "made", 2

    def extract(self, frames: np.ndarray) -> Motion:
        if frames.mean() > POISON_SHADE - 5:
            os.kill(os.getpid(), signal.SIGKILL)
        count, zeros = len(frames), np.zeros((len(frames), 3), np.float32)
        delta = np.linspace(0, frames.mean(), count * 6, dtype=np.float32).reshape(count, 2, 3)
        return Motion(np.zeros((2, 3), np.float32), delta, zeros, zeros, np.ones((count, 1), np.float32))


class MadeEncoder:
    name, dim = "made", 3

    def encode(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        return np.tile(np.abs(waveform).mean(dtype=np.float32), (frames, 3))


class LoggedExtractor(ClipExtractor):
    """Says in `computed.log` what it begins, and takes a moment for it."""

    def extract(self, path, frames, keys, *media):
        with COMPUTED.open("a") as log:
            log.write(f"{path.stem} {os.getpid()}\n")
        time.sleep(0.1)
        return super().extract(path, frames, keys, *media)


def make_extractor(params: Params, storage: Storage) -> ClipExtractor:
    """In place of the models that params.yaml names."""
    return LoggedExtractor(MadeSpace(), MadeEncoder(), storage, params.preprocess.measure.fps)


def write_corpus(count: int, poison: tuple[int, ...] = ()) -> None:
    """`count` crops of different brightness and loudness below data/crops, in the current folder."""
    folder, rows = Path("data/crops") / CORPUS, []
    for i in range(count):
        clip_id, shade = f"clip{i:03d}", POISON_SHADE if i in poison else 2 * i
        crop, speech = folder / f"{clip_id}.mp4", folder / f"{clip_id}.wav"
        write_video(crop, [np.full((SIDE, SIDE, 3), shade, np.uint8)] * FRAMES, 25)
        write_wav(speech, np.full(FRAMES * 640, i / 1000, np.float32))
        rows.append({"clip_id": clip_id, "corpus": CORPUS, "identity": f"{CORPUS}/{i % 3}", "status": KEPT,
                     "frames": FRAMES, "crop_sha256": file_sha256(crop), "speech_sha256": file_sha256(speech)})
    write_clip_table(folder / "clips.parquet", rows)

"""Our own crops and their speech: 256 px MP4 files that decord reads, 16 kHz WAV files beside them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

from models.motion.clock import SAMPLE_RATE_HZ
from pipeline.core.atomic import atomic_path


def write_wav(path: Path, waveform: np.ndarray, rate_hz: int = SAMPLE_RATE_HZ) -> None:
    """Write mono float32 [N] in [-1, 1] as 16-bit WAV."""
    with atomic_path(path) as temporary:
        soundfile.write(temporary, np.clip(waveform, -1.0, 1.0), rate_hz, subtype="PCM_16")


def read_wav(path: Path) -> np.ndarray:
    """Read one of our own 16 kHz mono WAV files -> float32 [N]; raises ValueError on another form."""
    waveform, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    if rate_hz != SAMPLE_RATE_HZ or waveform.shape[1] != 1:
        raise ValueError(f"{path}: expected 16 kHz mono, got {rate_hz} Hz with {waveform.shape[1]} channels")
    return waveform[:, 0]


def read_crop(path: Path, indices: Iterable[int] | None = None) -> np.ndarray:
    """Read frames of one of our own crops with decord -> RGB uint8 [T, H, W, 3]; all frames unless `indices`."""
    import decord

    reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
    wanted = list(range(len(reader))) if indices is None else list(indices)
    return reader.get_batch(wanted).asnumpy()

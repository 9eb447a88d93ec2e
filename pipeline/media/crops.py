"""Our own crops and their speech: 256 px MP4 files, 16 kHz WAV files beside them.

decord reads single frames of a crop, and has wheels for x86-64 Linux alone; elsewhere PyAV reads the same frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile

from models.motion.clock import SAMPLE_RATE_HZ
from pipeline.core.atomic import atomic_path

LIBRARY = "decord" if find_spec("decord") else "av"   # that reads crops here


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
    """Read frames of one of our own crops -> RGB uint8 [T, H, W, 3]; all frames unless `indices`."""
    read = _read_with_decord if LIBRARY == "decord" else _read_with_pyav
    return read(path, None if indices is None else list(indices))


def _read_with_decord(path: Path, indices: list[int] | None) -> np.ndarray:
    import decord

    reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
    return reader.get_batch(list(range(len(reader))) if indices is None else indices).asnumpy()


def _read_with_pyav(path: Path, indices: list[int] | None) -> np.ndarray:
    """Decodes from the beginning; raises IndexError for a frame that is not there."""
    import av

    wanted = None if indices is None else set(indices)
    last = None if wanted is None else max(wanted)
    found: dict[int, np.ndarray] = {}
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(container.streams.video[0])):
            if wanted is None or index in wanted:
                found[index] = frame.to_ndarray(format="rgb24")
            if index == last:
                break
    if wanted is not None and not wanted <= set(found):
        raise IndexError(f"{path} has no frame {min(wanted - set(found))}")
    return np.stack([found[index] for index in (sorted(found) if indices is None else indices)])

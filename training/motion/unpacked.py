"""Training clips as columns on a node's own disk, made once: a sample then reads its window's rows and nothing else.

Parquet keeps clips compressed, so that one window costs a whole row group. Here the rows of all clips lie one after
another in `.npy` files, normalised, and are mapped into memory: the system's page cache keeps what is used, of all
workers of a node together.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from pipeline.core.atomic import atomic_path
from training.motion.clips import Clips, StoredClips, TrainingClip

log = logging.getLogger(__name__)
COLUMNS = MOTION, SPEECH, IDENTITY = "motion.npy", "speech.npy", "x_c.npy"


class UnpackedClips(Clips):
    """Clips whose arrays are views of mapped files: nothing is read until it is used. Any number of threads may ask."""

    def __init__(self, folder: Path, clip_ids: Sequence[str], frames: Sequence[int], emotions: Sequence[int]):
        super().__init__(clip_ids, emotions)
        self._ends = np.cumsum(frames).tolist()
        self._motion, self._speech, self._x_c = (_map_file(folder / name) for name in (MOTION, SPEECH, IDENTITY))

    def _at(self, index: int) -> TrainingClip:
        rows = slice(self._ends[index - 1] if index else 0, self._ends[index])
        return TrainingClip(self.clip_ids[index], self._x_c[index], self._motion[rows], self._speech[rows],
                            self.emotions[index])


def unpack(clips: StoredClips, root: Path) -> UnpackedClips:
    """The clips, from their copy in `root`, which is made where it is missing; workers of a node wait for each other.

    Raises OSError where the disk is full.
    """
    folder = root / clips.content
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all((folder / name).is_file() for name in COLUMNS):
            log.info("unpacking %d clips into %s", len(clips), folder)
            _write(folder, clips)
    return UnpackedClips(folder, clips.clip_ids, clips.frames, clips.emotions)


def _write(folder: Path, clips: StoredClips) -> None:
    frames, first = sum(clips.frames), clips[0]
    shapes = {MOTION: (frames, *first.motion.shape[1:]), SPEECH: (frames, *first.speech.shape[1:]),
              IDENTITY: (len(clips), *first.x_c.shape)}
    kinds = {MOTION: first.motion.dtype, SPEECH: first.speech.dtype, IDENTITY: first.x_c.dtype}
    with ExitStack() as stack:
        made = {name: np.lib.format.open_memmap(stack.enter_context(atomic_path(folder / name)), "w+", kinds[name],
                                                shapes[name]) for name in COLUMNS}
        row = 0
        for index, clip in enumerate(clips):
            made[MOTION][row:row + len(clip)] = clip.motion
            made[SPEECH][row:row + len(clip)] = clip.speech
            made[IDENTITY][index] = clip.x_c
            row += len(clip)
        for column in made.values():
            column.flush()


def _map_file(path: Path) -> np.ndarray:
    """A plain view of the mapped file: slices of NumPy's own kind of array cost four times as much."""
    return np.load(path, mmap_mode="r").view(np.ndarray)

"""Clips that kill their process: an attempt is noted before a clip is touched and struck out after it.

A process that crashes, hangs or is killed for memory leaves its note behind. Whoever gets the clip next sees how
often it has gone wrong in this run and gives it up after `MAX_ATTEMPTS`, so that no clip is tried for ever, and
no other clip is lost with it.
"""

from __future__ import annotations

import faulthandler
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feature_store.manifest import Reject

TIMEOUT, CRASH, MEMORY = "timeout", "crash", "memory"
LOST = {TIMEOUT, CRASH, MEMORY}  # codes of clips that may do better under other limits
MAX_ATTEMPTS = 3  # a node that is taken away also takes an attempt of the clips in its hands


class Attempts:
    """Notes of one run in `folder`, which all nodes reach; `max_clip_s` is the wall-clock limit of a clip.

    A note is an empty file. Where a clip takes too long it holds the stack of every thread at that moment.
    """

    def __init__(self, folder: Path, max_clip_s: float):
        self.folder, self.max_clip_s = folder, max_clip_s
        folder.mkdir(parents=True, exist_ok=True)

    def reject_of(self, clip_id: str) -> Reject | None:
        """The reason, where the clip has used up its attempts."""
        notes = self._notes(clip_id)
        if len(notes) < MAX_ATTEMPTS:
            return None
        if any(note.stat().st_size for note in notes):
            return Reject(clip_id, "extract", TIMEOUT, f"took longer than {self.max_clip_s:g} s", self.max_clip_s)
        return Reject(clip_id, "extract", CRASH, f"its process died {len(notes)} times", float(len(notes)))

    @contextmanager
    def attempt(self, clip_id: str) -> Iterator[None]:
        """Note that `clip_id` is being worked on; the process ends where that takes longer than the limit."""
        note = self.folder / f"{clip_id}.{len(self._notes(clip_id))}"
        with note.open("w") as file:
            # a C thread ends the process even where native code holds the interpreter's lock for ever
            faulthandler.dump_traceback_later(self.max_clip_s, exit=True, file=file)
            try:
                yield
            finally:
                faulthandler.cancel_dump_traceback_later()
        note.unlink()

    def has_begun(self, clip_id: str) -> bool:
        """Whether an attempt was begun before and did not end."""
        return bool(self._notes(clip_id))

    def _notes(self, clip_id: str) -> list[Path]:
        return [path for i in range(MAX_ATTEMPTS) if (path := self.folder / f"{clip_id}.{i}").exists()]


def sweep(folder: Path) -> None:
    """Delete what all runs left below `folder`."""
    shutil.rmtree(folder, ignore_errors=True)

"""Clips that kill their process: an attempt is noted before a clip is touched and struck out after it.

A process that crashes, hangs or is killed for memory leaves its note behind. Whoever gets the clip next sees how
often it has gone wrong in this run and gives it up after `MAX_ATTEMPTS`, so that no clip is tried for ever, and
no other clip is lost with it.
"""

from __future__ import annotations

import faulthandler
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from feature_store.manifest import Reject
from pipeline.storage import Storage

MAX_ATTEMPTS = 2
FOLDER = "attempts"


class Attempts:
    """Notes of one run in `storage`; `max_clip_s` is the wall-clock limit of a clip."""

    def __init__(self, storage: Storage, run: str, max_clip_s: float):
        self.storage, self.run, self.max_clip_s = storage, run, max_clip_s

    def given_up(self, clip_id: str) -> Reject | None:
        """The reason, where the clip has used up its attempts."""
        notes = self.storage.list(f"{FOLDER}/{self.run}/{clip_id}")
        if len(notes) < MAX_ATTEMPTS:
            return None
        began = max(json.loads(self.storage.get(note))["time"] for note in notes)
        if time.time() - began >= self.max_clip_s:
            return Reject(clip_id, "extract", "timeout", f"took longer than {self.max_clip_s:g} s, {len(notes)} times")
        return Reject(clip_id, "extract", "crash", f"its process died {len(notes)} times")

    @contextmanager
    def attempt(self, clip_id: str) -> Iterator[None]:
        """Note that `clip_id` is being worked on; the process ends where that takes longer than the limit."""
        folder = f"{FOLDER}/{self.run}/{clip_id}"
        note = f"{folder}/{len(self.storage.list(folder))}"
        self.storage.put(note, json.dumps({"time": time.time()}).encode())
        with open(os.devnull, "w") as nowhere:
            # a C thread ends the process even where native code holds the interpreter's lock for ever
            faulthandler.dump_traceback_later(self.max_clip_s, exit=True, file=nowhere)
            try:
                yield
            finally:
                faulthandler.cancel_dump_traceback_later()
        self.storage.delete(note)


def sweep(storage: Storage) -> None:
    """Delete the notes of all runs."""
    for key in storage.list(FOLDER):
        storage.delete(key)

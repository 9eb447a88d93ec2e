"""How a training goes, for whoever watches it: the newest row in the storage, printed every few seconds."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from pipeline.compute.background import Background
from pipeline.core import heartbeat
from pipeline.storage import ObjectMissing, Storage
from training.engine.record import Tracked

log = logging.getLogger(__name__)
EVERY_S = 5.0


def progress_key(run: str) -> str:
    return f"{run}/progress.json"


class Reporter:
    """Passes logged rows to tracking, and leaves the newest one in the storage for whoever watches the run.

    A storage that is slow is asked again at the next row; the training never waits for it.
    """

    def __init__(self, storage: Storage, run: str, tracked: Tracked):
        self.key, self.storage, self.tracked = progress_key(run), storage, tracked
        self.writer = Background("progress")

    def __call__(self, metrics: dict[str, float]) -> None:
        self.writer.offer(self._put, json.dumps(metrics).encode())
        self.tracked.metrics({name: value for name, value in metrics.items() if name != "step"}, int(metrics["step"]))

    def close(self) -> None:
        self.writer.close()

    def _put(self, row: bytes) -> None:
        try:
            self.storage.put(self.key, row)
        except Exception as error:  # whatever a store raises: a row that nobody sees is no reason to end a training
            log.warning("progress of %s could not be written: %s", self.key, error)


class Watch:
    """Prints the newest row of a run while the block runs."""

    def __init__(self, storage: Storage, run: str, steps: int, plateau_after: int, unit: str,
                 say: Callable[[str], None]):
        self.storage, self.key, self.steps, self.say = storage, progress_key(run), steps, say
        self.plateau_after, self.unit = plateau_after, unit
        self.done, self.last = threading.Event(), 0

    def __enter__(self) -> None:
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.done.wait(EVERY_S):
            with suppress(ObjectMissing):
                row = json.loads(self.storage.get(self.key))
                if row["step"] > self.last:
                    self.last = row["step"]
                    self.say(self.line(row))

    def line(self, row: dict[str, float]) -> str:
        """One row as a line: step, loss, rate, data wait, time left, and a plateau where there is one."""
        left_s = (self.steps - row["step"]) * row["seconds_per_step"]
        heartbeat.report(int(row["step"]), self.steps, "steps", rate_per_s=1 / row["seconds_per_step"], left_s=left_s)
        text = (f"  step {row['step']} of {self.steps}, loss {row['loss']:.4f}, "
                f"{row['samples_per_s']:.0f} {self.unit}/s, data wait {row['data_wait_share']:.1%}, "
                f"{left_s:.0f} s left")
        stale = row["validations_since_best"]
        if self.plateau_after and stale >= self.plateau_after:
            text += f"; PLATEAU: no progress in {stale:.0f} validations"
        return text


def newest_row(storage: Storage, run: str) -> dict[str, float]:
    """The last row that was reported; empty where there is none."""
    try:
        return json.loads(storage.get(progress_key(run)))
    except ObjectMissing:
        return {}


def sentence(history: list[dict[str, float]]) -> str:
    """The end of a run in one sentence."""
    first, last = history[0], history[-1]
    text = f"loss {first['loss']:.4f} -> {last['loss']:.4f} in {int(last['step'])} steps"
    if "validation_wrong_speech" in last:
        text += (f"; held-out clips: expression loss {last['validation_expression']:.4f} (another's speech "
                 f"{last['validation_wrong_speech']:.4f}), sampled r {last['validation_r']:.2f} (another's "
                 f"{last['validation_r_wrong_speech']:.2f})")
    if "validation_mouth_r" in last:
        text += f", mouth r {last['validation_mouth_r']:.2f}"
    if "validation_emotion_agreement" in last:
        text += (f", emotion agreement {last['validation_emotion_agreement']:.2f} (chance "
                 f"{last['validation_emotion_chance']:.2f})")
    return text

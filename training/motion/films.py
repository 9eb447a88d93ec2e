"""A film of a held-out clip every `video_every` steps, made beside the training by `playmate animate`.

It runs in a process of its own, at low priority and on cores, for the GPU and its memory are the training's: that does
not wait for it, and no renderer can break a run.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline.core.atomic import atomic_path
from pipeline.core.paths import CROPS
from training.engine.loop import State
from training.engine.record import Tracked

log = logging.getLogger(__name__)
LAST_WAIT_S = 300.0  # for the film of the last step, when the training is over


class Films:
    """`take` every state that was written; finished films become artifacts of the run."""

    def __init__(self, every: int, clip_id: str, write_bundle: Callable[[Path, State], None], tracked: Tracked):
        self.every, self.write_bundle, self.tracked = every, write_bundle, tracked
        self.folder = Path(tempfile.mkdtemp(prefix="playmate-films-"))
        self.crop = next(iter(sorted(CROPS.glob(f"*/{clip_id}.mp4"))), None)
        self.process: subprocess.Popen | None = None
        self.waiting: State | None = None  # the newest state whose film is due
        self.film = self.folder / "none.mp4"
        if self.crop is None:
            log.warning("no film will be made: there is no crop of clip %s in %s", clip_id, CROPS)

    def take(self, state: State) -> None:
        """Make a film of this state where its step asks for one: at once, or when the one being made is finished."""
        self._collect(0)
        if self.crop is not None and state["step"] % self.every == 0:
            self.waiting = state
        self._start()

    def close(self) -> None:
        """Wait for the film being made and the last one that is due, then remove what is left."""
        self._collect(LAST_WAIT_S)
        self._start()
        self._collect(LAST_WAIT_S)
        shutil.rmtree(self.folder)

    def _start(self) -> None:
        if self.waiting is None or self.process is not None or self.crop is None:
            return
        state, self.waiting = self.waiting, None
        bundle, portrait = self.folder / "bundle", self.folder / "portrait.png"
        self.write_bundle(bundle, state)
        _first_frame(self.crop, portrait)
        self.film = self.folder / f"step_{state['step']:08d}.mp4"
        command = ["nice", "-n", "10", sys.executable, "-m", "pipeline.animate", str(portrait),
                   str(self.crop.with_suffix(".wav")), str(bundle), str(self.film)]
        with (self.folder / "log.txt").open("w") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT,
                                            env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""})

    def _collect(self, wait_s: float) -> None:
        if self.process is None or (not wait_s and self.process.poll() is None):
            return
        try:
            code = self.process.wait(wait_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process = None
        if code == 0 and self.film.is_file():
            self.tracked.artifact(self.film, "films")
            self.film.unlink()
        else:
            log.warning("no film %s: %s", self.film.name, (self.folder / "log.txt").read_text()[-500:])


def _first_frame(crop: Path, out: Path) -> None:
    from PIL import Image

    from pipeline.media.crops import read_crop

    with atomic_path(out) as temporary:
        Image.fromarray(read_crop(crop, [0])[0]).save(temporary)

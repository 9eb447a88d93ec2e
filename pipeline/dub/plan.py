"""Which frame of the film is shown when, and the film's own motion on the clock of the model."""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from models.motion.clock import FPS
from models.motion.film_space import FilmSpace
from models.motion.motion import RHO_DIM
from pipeline.dub.follow import Followed

Fit = Literal["trim", "hold", "loop"]
FITS: tuple[str, ...] = get_args(Fit)


@dataclass(frozen=True)
class Showing:
    """Frames of the film in the order in which they are shown [N], each one's time from the start, and what was done
    about the length, in words."""

    frames: np.ndarray
    times: tuple[Fraction, ...]
    note: str | None

    @property
    def step(self) -> Fraction:
        """How long the last frame is shown: as long as frames are on average."""
        return self.times[-1] / (len(self.times) - 1) if len(self.times) > 1 else Fraction(1, FPS)

    @property
    def duration_s(self) -> Fraction:
        return self.times[-1] + self.step


def show(times: tuple[Fraction, ...], rate: Fraction, speech_s: float, fit: str) -> Showing:
    """Fit a film whose frames have `times` to speech of `speech_s`; raises ValueError for an unknown `fit`.

    trim: ends with what ends first. hold, loop: the film is shown to its end, and where the speech is longer its last
    frame stays, or it runs backwards and forwards again.
    """
    check_fit(fit)
    start = times[0]
    step = (times[-1] - start) / (len(times) - 1) if len(times) > 1 else 1 / rate
    film_s, speech = times[-1] - start + step, Fraction(speech_s).limit_denominator(10**6)
    own = tuple(time - start for time in times)
    words = f"the film lasts {float(film_s):.2f} s, the speech {speech_s:.2f} s"
    if abs(film_s - speech) < step:
        return Showing(np.arange(len(times)), own, None)
    if speech < film_s and fit == "trim":
        count = max(1, sum(time < speech for time in own))
        return Showing(np.arange(count), own[:count], f"{words}: the film is cut where the speech ends")
    if speech < film_s:
        return Showing(np.arange(len(times)), own, f"{words}: the mouth rests where the speech is over")
    if fit == "trim":
        return Showing(np.arange(len(times)), own, f"{words}: the speech is cut where the film ends")
    backwards = [*range(len(times) - 2, -1, -1), *range(1, len(times))]
    after = itertools.cycle(backwards if fit == "loop" and backwards else [len(times) - 1])
    frames, shown = list(range(len(times))), list(own)
    for frame in after:
        time = shown[-1] + (abs(own[frame] - own[frames[-1]]) or step)
        if time >= speech:
            break
        frames.append(frame)
        shown.append(time)
    held = "the film's last frame is held" if fit == "hold" else "the film runs backwards and forwards again"
    return Showing(np.array(frames), tuple(shown), f"{words}: {held}")


def check_fit(fit: str) -> None:
    """Raise ValueError for an unknown `fit`."""
    if fit not in FITS:
        raise ValueError(f"fit {fit!r}: accepted are {', '.join(FITS)}")


def known_motion(showing: Showing, followed: Followed, space: FilmSpace, folder: Path) -> np.ndarray:
    """The film's own motion [M, 3K + 7] at `FPS`, M = round(FPS x duration), a map of a file.

    Between two frames of a shot it is interpolated; frames that cannot be drawn take the motion of the last that can.
    """
    count = max(1, round(showing.duration_s * FPS))
    size = followed.x_c.size + RHO_DIM
    motion = scratch(folder, (count, size))
    first = int(np.flatnonzero(followed.share > 0)[0])
    before, before_s, before_shot = _vector(followed, space, first), Fraction(0), -1
    done = 0
    for frame, time in zip(showing.frames.tolist(), showing.times, strict=True):
        shot = int(followed.shot_of[frame])
        now = _vector(followed, space, frame) if followed.share[frame] > 0 else before
        while done < count and Fraction(done, FPS) <= time:
            along = 1.0 if shot != before_shot or time == before_s else float(
                (Fraction(done, FPS) - before_s) / (time - before_s))
            motion[done] = before + np.float32(along) * (now - before)
            done += 1
        before, before_s, before_shot = now, time, shot
    motion[done:] = before
    return motion


def scratch(folder: Path, shape: tuple[int, int]) -> np.ndarray:
    """Float32 zeros in a file of the folder without a name, which goes when they do."""
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, np.float32, "w+", shape=shape)


def _vector(followed: Followed, space: FilmSpace, frame: int) -> np.ndarray:
    square = followed.squares[int(followed.shot_of[frame])]
    return space.motion(np.asarray(followed.rows[frame:frame + 1], np.float64), followed.x_c, square).vector()[0]


def at_time(motion: np.ndarray, time: Fraction) -> np.ndarray:
    """Motion [M, D] at `FPS` read at a time between its frames -> [D]."""
    place = min(float(time * FPS), len(motion) - 1.0)
    low = int(place)
    high = min(low + 1, len(motion) - 1)
    return motion[low] + np.float32(place - low) * (motion[high] - motion[low])

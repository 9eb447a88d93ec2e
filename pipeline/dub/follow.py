"""One person's face in every frame of a film: what the face space sees there, kept in a file, a row a frame.

A frame is drawable where the space sees the face, no farther turned than it can draw; towards frames that are not, the
new mouth leads over to the film's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.face.driving_crop import Square, cut
from models.motion.film_space import FilmSpace, PixelSquare
from pipeline.dub.cast import Cast, Person
from pipeline.dub.reader import DubError, FilmReader

CROP_PX = 512
SQUARE_SCALE, SQUARE_SHIFT_Y = 2.2, -0.1   # LivePortrait's driving crop
SMOOTH_FRAMES = 12       # half width of the window over which squares are averaged: they must not tremble
LEAD_FRAMES = 5          # from the film's mouth to the new one, at both ends of what is drawable
AT_ONCE = 256            # rows
INSIDE_YAW_DEG = 20.0    # teeth are taken from a face that is turned no farther
INSIDE_OPENING = 0.12    # and a mouth that is open no wider, in face widths


@dataclass(frozen=True)
class Followed:
    """A person's face through a film: `rows` [T, R] of a `FilmSpace` (a map of a file), its `x_c` [K, 3], `share` [T]
    from 0 (the frame passes through) to 1, the square of every shot that poses are measured in."""

    rows: np.ndarray
    x_c: np.ndarray
    share: np.ndarray
    squares: tuple[PixelSquare, ...]
    shot_of: np.ndarray         # [T] int
    insides: tuple[Any, ...]    # of every shot
    turned: int                 # frames with a face that is turned too far
    missing: int                # frames in which it is not seen


def follow(reader: FilmReader, cast: Cast, person: Person, space: FilmSpace, folder: Path) -> Followed:
    """Read the film once and look at the person in every frame; raises DubError where no frame can be drawn."""
    count = len(cast.times)
    rows = np.memmap(folder / "rows.f32", np.float32, "w+", shape=(count, space.row_dim))
    shot_of = np.repeat(np.arange(len(cast.shots)), [shot.end - shot.first for shot in cast.shots])
    squares = {index: frame_squares(boxes) for index, boxes in person.boxes.items()}
    seen, before = np.zeros(count, bool), -1
    with closing(reader.pictures(cast.size)) as pictures:
        for frame, picture in enumerate(pictures):
            shot = int(shot_of[frame])
            if shot != before:
                space.begin()
                before = shot
            at = frame - person.starts.get(shot, count)
            if not 0 <= at < len(squares.get(shot, ())):
                continue
            square = squares[shot][at]
            row = space.look(cut(picture, Square(square.left + square.side / 2, square.top + square.side / 2,
                                                 square.side), CROP_PX), square)
            if row is not None:
                rows[frame], seen[frame] = row, True
    space.begin()
    if not seen.any():
        raise DubError("no face can be followed in the film: its features are not seen in any frame")
    means = tuple(mean_square(squares[index]) if index in squares else PixelSquare(0, 0, 2)
                  for index in range(len(cast.shots)))
    x_c = space.canonical(_choose(rows, seen))
    angles = np.zeros((count, 3))
    for part in _parts(seen):
        angles[part] = space.motion(rows[part], x_c, PixelSquare(0, 0, 2)).angles_deg
    turned = seen & ((np.abs(angles[:, 1]) > space.max_yaw_deg) | (np.abs(angles[:, 0]) > space.max_pitch_deg))
    drawable = seen & ~turned
    if not drawable.any():
        raise DubError(f"the face is turned too far in every frame: more than {space.max_yaw_deg:g} degrees to the side"
                       f" or {space.max_pitch_deg:g} up or down cannot be drawn")
    best = {shot: _best_inside(rows, drawable & (shot_of == shot), angles, space) for shot in range(len(cast.shots))}
    return Followed(rows, x_c, shares(drawable, shot_of), means, shot_of,
                    _insides(reader, cast, best, rows, x_c, space), int(turned.sum()), int((~seen).sum()))


def frame_squares(boxes: np.ndarray) -> list[PixelSquare]:
    """LivePortrait's driving square of every box [T, 4], averaged over neighbouring frames."""
    sides = SQUARE_SCALE * np.max(boxes[:, 2:] - boxes[:, :2], axis=1)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    values = np.stack([centres[:, 0], centres[:, 1] + SQUARE_SHIFT_Y * sides, sides], -1)
    reach = min(SMOOTH_FRAMES, len(values) - 1)
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    kernel = np.ones(2 * reach + 1) / (2 * reach + 1)
    smooth = np.stack([np.convolve(column, kernel, "valid") for column in padded.T], -1)
    return [_whole(*row) for row in smooth]


def mean_square(squares: list[PixelSquare]) -> PixelSquare:
    """One square for a shot: poses are measured in it, because squares that follow the face hide how it moves."""
    mean = np.mean([(one.left, one.top, one.side) for one in squares], axis=0)
    return PixelSquare(round(mean[0]), round(mean[1]), max(2, round(mean[2])))


def _whole(x: float, y: float, side: float) -> PixelSquare:
    whole = max(2, round(side))
    return PixelSquare(round(x - whole / 2), round(y - whole / 2), whole)


def shares(drawable: np.ndarray, shot_of: np.ndarray) -> np.ndarray:
    """Share of the new mouth [T]: 0 where not drawable, rising over `LEAD_FRAMES` from such frames of the same shot."""
    before, after = _since(drawable, shot_of), _since(drawable[::-1], shot_of[::-1])[::-1]
    return np.minimum(np.minimum(before, after) / LEAD_FRAMES, 1.0)


def _since(drawable: np.ndarray, shot_of: np.ndarray) -> np.ndarray:
    """Frames [T] since the last one of the same shot that cannot be drawn; infinite where there is none."""
    found, count = np.empty(len(drawable)), np.inf
    for frame, (drawn, shot) in enumerate(zip(drawable.tolist(), shot_of.tolist(), strict=True)):
        if frame and shot != shot_of[frame - 1]:
            count = np.inf
        found[frame] = count = count + 1 if drawn else 0
    return found


def _parts(seen: np.ndarray) -> Iterator[np.ndarray]:
    frames = np.flatnonzero(seen)
    return (frames[start:start + AT_ONCE] for start in range(0, len(frames), AT_ONCE))


def _choose(rows: np.ndarray, seen: np.ndarray) -> Iterator[np.ndarray]:
    return (np.asarray(rows[part], np.float64) for part in _parts(seen))


def _best_inside(rows: np.ndarray, drawable: np.ndarray, angles: np.ndarray, space: FilmSpace) -> int | None:
    """The frame that lends the inside of its mouth: the widest open up to `INSIDE_OPENING`, seen from the front."""
    best, value = None, -np.inf
    for part in _parts(drawable):
        score = np.minimum(space.opening(np.asarray(rows[part], np.float64)), INSIDE_OPENING)
        score = score - 0.1 * (np.abs(angles[part, 1]) > INSIDE_YAW_DEG)
        if score.max() > value:
            best, value = int(part[score.argmax()]), float(score.max())
    return best


def _insides(reader: FilmReader, cast: Cast, best: dict[int, int | None], rows: np.ndarray, x_c: np.ndarray,
             space: FilmSpace) -> tuple[Any, ...]:
    found: list[Any] = []
    for shot in range(len(cast.shots)):
        frame = best[shot]
        if frame is None:
            found.append(None)
            continue
        with closing(reader.pictures(cast.size, cast.times[frame], 1)) as pictures:
            picture = next(pictures, None)
        if picture is None:
            raise DubError(f"the film's frame at {float(cast.times[frame]):.2f} s is not found a second time")
        found.append(space.inside(picture, np.asarray(rows[frame], np.float64), x_c))
    return tuple(found)

"""Dubbed films against their originals: `python -m benchmarks.dub CLIPS -o OUT [--seconds 8]`.

CLIPS: a folder of talking faces, the sound in the file or in a .wav of its name. Every clip is dubbed with its own
speech and with that of the next one. A line each: r of the new mouth with the true mouth of that speech, with that of
the clip after (wrong speech) and with the film's own mouth, whose traces should be gone; flicker; identity; how far the
encoded picture differs from the film beyond the face. OUT gets the films and a sheet of each to look at: the film
above, the dubbed one below.

Flicker: standard deviation of the second difference in time of the luma of a patch of 48 x 32 pixels around the mouth,
cut along the film's own landmarks in both films (with the film's mouth in it, it is what a mouth does to it).
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from evaluation.metrics.faces import align
from evaluation.metrics.lip_sync import fill_gaps
from evaluation.metrics.motion import mouth_correlation
from models.face.landmarker import FaceLandmarker
from models.face.points import FACE_OVAL
from models.judges.identity import IdentityVectors
from models.motion.clock import FPS, SAMPLE_RATE_HZ
from pipeline.animate.direction import Direction
from pipeline.animate.load import load_animator
from pipeline.animate.speech import Speech, read_speech
from pipeline.core.config import load_params
from pipeline.dub.dubber import dub_to_file
from pipeline.media.container import open_media
from pipeline.media.video import EXACT, Upright, timed_frames, video_stream
from pipeline.weights.table import weight_path

PATCH_PX = (48, 32)
OUTSIDE = 1.45     # of the face's oval: everything beyond is outside
LANDMARKS_PX = 640


@dataclass(frozen=True)
class Seen:
    """A film read whole: pictures [T, H, W, 3], landmarks [T, 478, 3] in pixels (NaN: no face), frames a second."""

    pictures: np.ndarray
    points: np.ndarray
    fps: float

    @property
    def mouth(self) -> np.ndarray:
        """Opening in face widths at 25 fps."""
        opening = np.linalg.norm(self.points[:, 14] - self.points[:, 13], axis=-1) / np.linalg.norm(
            self.points[:, 454] - self.points[:, 234], axis=-1)
        times = np.arange(round(len(opening) * FPS / self.fps)) / FPS
        return np.interp(times, np.arange(len(opening)) / self.fps, fill_gaps(opening))


def main() -> None:
    """Print a line for every film."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each clip, at most")
    parser.add_argument("--model")
    parser.add_argument("--only", help="clips whose name holds this")
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    animator, which = load_animator(given.model)
    judges = FaceLandmarker(weight_path("face_landmarker")), IdentityVectors(weight_path("mobilefacenet"))
    films, max_lag = sorted(given.clips.glob("*.mp4")), load_params().evaluate.max_lag_frames
    print(f"{which}; {len(films)} clips\nfilm, speech: r, wrong speech, film's own mouth; flicker ratio; identity; "
          "outside, of 255")
    rows: list[list[float]] = []
    mouths = {}
    for film in films:
        seen = see(film, judges[0], given.seconds)
        if np.isfinite(seen.points).any():
            mouths[film] = seen.mouth   # pictures are let go again
        else:
            print(f"{film.stem}: the landmarker sees no face in it: left out", flush=True)
    films = list(mouths)
    for index, film in enumerate(films):
        if given.only and given.only not in film.name:
            continue
        original = see(film, judges[0], given.seconds)
        for own in (True, False):
            said, wrong = films[index if own else (index + 1) % len(films)], films[(index + 2) % len(films)]
            out = given.out / f"{film.stem}_{'own' if own else 'other'}.mp4"
            dub_to_file(animator, film, cut(read_speech(sound(said)), given.seconds), out, direction=Direction(),
                        credentials=False, tell=lambda note: print(f"  {note}"))
            made = see(out, judges[0], given.seconds)
            rows.append([*follows([mouths[one] for one in (said, wrong, film)], made.mouth, max_lag),
                         flicker(made, original), identity(made, original, judges[1]), outside(made, original)])
            cv2.imwrite(str(given.out / f"{out.stem}.png"), sheet(original, made)[:, :, ::-1])
            print(f"{film.stem}, {'own' if own else said.stem}: {words(rows[-1])}", flush=True)
    for name, part in (("own", rows[::2]), ("other", rows[1::2])):
        print(f"mean, {name}: {words(np.nanmean(part, axis=0))}")


def words(row: list[float] | np.ndarray) -> str:
    """A line of the table."""
    return ", ".join(f"{value:.3f}" for value in row)


def see(film: Path, landmarker: FaceLandmarker, seconds: float) -> Seen:
    """The first seconds of a film."""
    with open_media(film) as container:
        stream = video_stream(container)
        fps, upright = float(stream.average_rate), Upright(stream)
        shown = itertools.islice(timed_frames(container, stream), round(seconds * fps))
        pictures = [upright(frame, interpolation=EXACT) for _, frame in shown]
    height, width = pictures[0].shape[:2]
    scale = min(1.0, LANDMARKS_PX / max(height, width))
    small = np.stack([cv2.resize(one, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for one in pictures])
    points = landmarker.detect_video(small, fps).points
    return Seen(np.stack(pictures), (points[..., :2] + 1) / 2 * [width, height], fps)


def sound(film: Path) -> Path:
    """The file with a film's sound."""
    beside = film.with_suffix(".wav")
    return beside if beside.is_file() else film


def cut(speech: Speech, seconds: float) -> Speech:
    """The first seconds of speech."""
    film = None if speech.film is None else speech.film[:round(seconds * speech.film_rate_hz)]
    return Speech(speech.waveform[:round(seconds * SAMPLE_RATE_HZ)], film, speech.film_one, speech.film_rate_hz)


def follows(mouths: list[np.ndarray], made: np.ndarray, max_lag: int) -> list[float]:
    """r with the speech's true mouth at its best lag, with the others at that same lag."""
    count = min(len(mouths[0]), len(made))
    found = mouth_correlation(mouths[0][:count], made[:count], max_lag)
    return [found.r, *(at_lag(other, made, found.lag) for other in mouths[1:])]


def at_lag(true: np.ndarray, made: np.ndarray, lag: int) -> float:
    """r of a curve that is `lag` frames late."""
    true, made = true[max(-lag, 0):], made[max(lag, 0):]
    count = min(len(true), len(made))
    return mouth_correlation(true[:count], made[:count], 0).r


def flicker(made: Seen, original: Seen) -> float:
    """The dubbed film's over the original's."""
    count = min(len(made.pictures), len(original.pictures))
    values = []
    for pictures in (made.pictures, original.pictures):
        luma = np.stack([patch(pictures[i], original.points[i]) for i in range(count)])
        values.append(np.diff(luma, 2, axis=0)[np.isfinite(original.points[2:count, 0, 0])].std())
    return float(values[0] / values[1])


def patch(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Luma [32, 48] around the mouth, turned and scaled with the face."""
    if not np.isfinite(points).all():
        return np.zeros(PATCH_PX[::-1], np.float32)
    right, left, chin, nose = points[234], points[454], points[152], points[2]
    across, middle = (left - right) / 2 * 0.7, (chin + nose) / 2
    down = (chin - nose) / 2 * 1.1
    corners = np.float32([middle - across - down, middle + across - down, middle - across + down])
    width, height = PATCH_PX
    matrix = cv2.getAffineTransform(corners, np.float32([[0, 0], [width, 0], [0, height]]))
    blurred = cv2.GaussianBlur(picture, (0, 0), max(0.01, 0.4 * np.linalg.norm(across) * 2 / width))
    return cv2.cvtColor(cv2.warpAffine(blurred, matrix, PATCH_PX), cv2.COLOR_RGB2GRAY).astype(np.float32)


def identity(made: Seen, original: Seen, network: IdentityVectors) -> float:
    """Mean cosine of the same frames."""
    frames = [i for i in range(0, min(len(made.pictures), len(original.pictures)), 5)
              if np.isfinite(original.points[i]).all() and np.isfinite(made.points[i]).all()]
    height, width = original.pictures.shape[1:3]

    def vectors(seen: Seen) -> np.ndarray:
        shape = np.array([width, height])
        return network(np.stack([align(seen.pictures[i], seen.points[i] / shape * 2 - 1) for i in frames]))

    return float((vectors(made) * vectors(original)).sum(-1).mean())


def outside(made: Seen, original: Seen) -> float:
    """Mean difference of pixels beyond the face."""
    differences = []
    for i in range(0, min(len(made.pictures), len(original.pictures)), 5):
        beyond = np.ones(original.pictures.shape[1:3], np.uint8)
        if np.isfinite(original.points[i]).all():
            oval = original.points[i][list(FACE_OVAL)]
            oval = oval.mean(0) + OUTSIDE * (oval - oval.mean(0))
            cv2.fillPoly(beyond, [np.round(oval).astype(np.int32)], 0)
        height, width = made.pictures.shape[1:3]
        apart = np.abs(made.pictures[i].astype(np.int16) - original.pictures[i][:height, :width])
        differences.append(apart[beyond[:height, :width] > 0].mean())
    return float(np.mean(differences))


def sheet(original: Seen, made: Seen, tiles: int = 16, side: int = 240) -> np.ndarray:
    """Faces of the film above those of the dubbed one."""
    columns = []
    for i in np.linspace(0, min(len(made.pictures), len(original.pictures)) - 1, tiles).round().astype(int):
        points = original.points[i]
        if not np.isfinite(points).all():
            continue
        low, high = points.min(0), points.max(0)
        centre, half = (low + high) / 2, 0.75 * (high - low).max()
        matrix = np.array([[side / 2 / half, 0, side / 2 - centre[0] * side / 2 / half],
                           [0, side / 2 / half, side / 2 - centre[1] * side / 2 / half]])
        columns.append(np.vstack([cv2.warpAffine(seen.pictures[i], matrix, (side, side), flags=cv2.INTER_AREA)
                                  for seen in (original, made)]))
    rows = [np.hstack(columns[start:start + 8]) for start in range(0, len(columns) // 8 * 8, 8)] or columns[:1]
    return np.vstack(rows)


if __name__ == "__main__":
    main()

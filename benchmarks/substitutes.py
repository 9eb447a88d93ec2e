"""Do the metrics that run on substitute networks order real clips rightly? `python -m benchmarks.substitutes FOLDER`.

FOLDER holds films of talking people, one person each, with their sound in the file or in a `.wav` beside it. Every
metric gets a right and a wrong input whose order is known: the same person and another one, clean and degraded, moving
and frozen, the true speech and another person's. Writes evaluation/report/substitutes.json, which the report shows, and
prints it as Markdown. `--emotions FILM`: seven square tiles side by side, in the order of `EMOTIONS`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from evaluation.jobs.clip import FPS
from evaluation.jobs.reading import Reading, VideoReader
from evaluation.metrics import measure
from evaluation.metrics.frechet import frechet_of_features
from evaluation.metrics.judges import Judges, load_judges
from evaluation.metrics.lip_sync import fill_gaps, fit_speech_to_mouth, mouth_sync
from evaluation.metrics.motion import mouth_correlation
from evaluation.report.substitutes import PATH, markdown
from evaluation.results.files import round_floats
from models.speech.level import bring_to_level
from pipeline.components.speech import make_speech_encoder
from pipeline.core.atomic import write_json
from pipeline.core.config import load_params
from pipeline.media.crops import read_wav

FRAMES, SIDE_PX, STRIDE, MAX_LAG = 150, 256, 5, 2
METRICS = ("csim_mobilefacenet", "lpips_alexnet", "fd_efficientnet_lite0", "emo_facex")
EMOTIONS = ("angry", "disgusted", "contempt", "fear", "happy", "sad", "surprised")
READING = Reading(FPS, FRAMES, 1024, 4320, 3600.0, limit_s=600.0, memory_gb=6.0)


@dataclass(frozen=True)
class Film:
    """A person's face, cut out, and what they say as features [T, A]; None where there is no speech."""

    name: str
    seen: measure.Seen
    speech: np.ndarray | None


@dataclass(frozen=True)
class Pairing:
    """Values of one metric for inputs of which the first must score better, film by film."""

    metric: str
    question: str
    right: list[float]
    wrong: list[float]
    higher: bool = True

    def row(self) -> dict[str, Any]:
        """What the tables show of it."""
        good = [(r > w) == self.higher and r != w for r, w in zip(self.right, self.wrong, strict=True)]
        return {"metric": self.metric, "question": self.question, "right": _spread(self.right),
                "wrong": _spread(self.wrong), "in_order": int(sum(good)), "of": len(good)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--emotions", type=Path)
    chosen = arguments.parse_args()
    judges = load_judges(FPS, METRICS)
    films = read_films(sorted(chosen.folder.glob("*.mp4")), judges)
    pairings = [*identity(films, judges), *pictures(films, judges), *mouths(films, judges), *speech(films)]
    if chosen.emotions:
        pairings.append(emotions(chosen.emotions, judges))
    value = round_floats({"films": len(films), "frames": sum(len(film.seen.frames) for film in films),
                          "rows": [pairing.row() for pairing in pairings]}, 4)
    write_json(PATH, value)
    print(markdown(value))


def read_films(paths: Sequence[Path], judges: Judges) -> list[Film]:
    """Decode, cut to the face, look at it, encode the speech."""
    params, films = load_params(), []
    encoder = make_speech_encoder(params.speech)
    reader = VideoReader(READING)
    for path in paths:
        frames, sound = reader(path)
        if path.with_suffix(".wav").is_file():
            sound = read_wav(path.with_suffix(".wav"))
        seen = measure.look_at(face_only(frames, judges), judges)
        films.append(Film(path.stem, seen, None if sound is None else encoder.encode(
            bring_to_level(sound[:len(frames) * 640]), len(frames)).astype(np.float64)))
        print(f"{path.stem}: {len(frames)} frames, {seen.curves.found_share:.0%} with a face", flush=True)
    reader.close()
    return films


def face_only(frames: np.ndarray, judges: Judges) -> np.ndarray:
    """The square of twice the face's size around where it is in the first second, at 256 px."""
    points = judges.landmarks(frames[:FPS]).points
    pixels = np.nanmedian((points[..., :2] + 1) / 2 * np.array(frames.shape[2:0:-1]), axis=0)
    half = min(int((pixels.max(0) - pixels.min(0)).max()), *(side // 2 for side in frames.shape[1:3]))
    middle = np.clip(pixels.mean(0), half, np.array(frames.shape[2:0:-1]) - half).astype(int)
    square = frames[:, middle[1] - half:middle[1] + half, middle[0] - half:middle[0] + half]
    return each(square, lambda frame: cv2.resize(frame, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA))


def identity(films: Sequence[Film], judges: Judges) -> list[Pairing]:
    """The same person's later frames against the portrait, and the other people's; worst cases count."""
    vectors = [measure.identity_numbers(film.seen, film.seen, judges, STRIDE)[1] for film in films]
    portraits, means = (np.stack([one[f"csim_mobilefacenet.{kind}"] for one in vectors]) for kind in (
        "portrait", "made"))
    cosines = portraits @ means.T
    strangers = np.where(np.eye(len(films), dtype=bool), -np.inf, cosines).max(1)
    return [Pairing("csim_mobilefacenet", "the same person against the most similar other person",
                    list(np.diag(cosines)), list(strangers))]


def pictures(films: Sequence[Film], judges: Judges) -> list[Pairing]:
    """Lightly and heavily degraded frames; another person's frames; frozen against moving."""
    found = {name: [] for name in ("rough", "blurred", "half", "stranger")}
    for film, other in zip(films, [*films[1:], films[0]], strict=True):
        clean = film.seen.frames
        for name, made in (("rough", each(clean, compressed)), ("blurred", each(clean, blurred))):
            numbers, features = measure.picture_numbers(clean, made, judges, STRIDE)
            found[name].append((numbers["lpips_alexnet"], _distance(features)))
        network = judges.features["fd_efficientnet_lite0"]
        halves = [network(frames) for frames in (clean[::STRIDE], clean[2::STRIDE], other.seen.frames[::STRIDE])]
        found["half"].append(frechet_of_features(halves[0], halves[1]))
        found["stranger"].append(frechet_of_features(halves[0], halves[2]))
    lpips, distance = ([[pair[which] for pair in found[name]] for name in ("rough", "blurred")] for which in (0, 1))
    return [Pairing("lpips_alexnet", "JPEG at quality 60 against a blur of 4 px", *lpips, higher=False),
            Pairing("fd_efficientnet_lite0", "JPEG at quality 60 against a blur of 4 px", *distance, higher=False),
            Pairing("fd_efficientnet_lite0", "other frames of the same film against another person's film",
                    found["half"], found["stranger"], higher=False)]


def mouths(films: Sequence[Film], judges: Judges) -> list[Pairing]:
    """The mouth of a recompressed film, against the same film backwards and frozen; blinks of the frozen one."""
    rough, backwards, frozen, moving_blinks, frozen_blinks = [], [], [], [], []
    for film in films:
        true = film.seen.curves.mouth
        rough.append(mouth_correlation(true, measure.look_at(each(film.seen.frames, compressed), judges).curves.mouth,
                                       MAX_LAG).r)
        backwards.append(mouth_correlation(true, true[::-1], MAX_LAG).r)
        still = measure.look_at(np.repeat(film.seen.frames[:1], len(true), 0), judges).curves
        frozen.append(mouth_correlation(true, still.mouth, MAX_LAG).r)
        moving_blinks.append(measure.blinks_per_min(film.seen.curves, FPS))
        frozen_blinks.append(measure.blinks_per_min(still, FPS))
    return [Pairing("mouth_r", "the film recompressed against the film backwards", rough, backwards),
            Pairing("mouth_r", "the film recompressed against its first frame, frozen", rough, frozen),
            Pairing("blinks_per_min", "the film against its first frame, frozen", moving_blinks, frozen_blinks)]


def speech(films: Sequence[Film]) -> list[Pairing]:
    """`mouth_sync`, its regression fitted on the other films: true speech, another person's, a late picture."""
    films = [film for film in films if film.speech is not None]
    true, wrong, lag_right, lag_late = [], [], [], []
    for index, film in enumerate(films):
        model = fit_speech_to_mouth([(other.speech, fill_gaps(other.seen.curves.mouth)) for other in films
                                     if other is not film], load_params().evaluate.sync_ridge)
        mouth, stranger = fill_gaps(film.seen.curves.mouth), films[(index + 1) % len(films)]
        frames = min(len(mouth), len(stranger.speech))
        own = mouth_sync(model.predict(film.speech), mouth)
        true.append(own.confidence)
        wrong.append(mouth_sync(model.predict(stranger.speech[:frames]), mouth[:frames]).confidence)
        lag_right.append(abs(own.offset))
        lag_late.append(abs(mouth_sync(model.predict(film.speech), np.roll(mouth, 8)).offset))
    return [Pairing("mouth_sync_c", "the true speech against another person's", true, wrong),
            Pairing("mouth_sync_offset_frames", "the film against its picture moved by 8 frames", lag_right, lag_late,
                    higher=False)]


def emotions(path: Path, judges: Judges) -> Pairing:
    """facex on seven films of one person: a label's probability on its own film against the other six's mean."""
    reader = VideoReader(replace(READING, side_px=4000))
    frames, _ = reader(path)
    reader.close()
    tiles = [measure.look_at(np.ascontiguousarray(tile), judges) for tile in np.split(frames[::STRIDE], 7, axis=2)]
    seen = np.stack([measure.expression_probabilities(tile, judges, 1).mean(0) for tile in tiles])
    known = [name for name in EMOTIONS if name in judges.expression_labels]
    own, others = [], []
    for name in known:
        column = seen[:, judges.expression_labels.index(name)]
        own.append(column[EMOTIONS.index(name)])
        others.append(np.delete(column, EMOTIONS.index(name)).mean())
    return Pairing("emo_facex", "a label's probability on its own film against the same person's others", own, others)


def each(frames: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`change` on every frame."""
    return np.stack([change(frame) for frame in frames])


def compressed(frame: np.ndarray) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)


def blurred(frame: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(frame, (0, 0), 4.0)


def _distance(features: dict[str, np.ndarray]) -> float:
    return frechet_of_features(features["fd_efficientnet_lite0.true"], features["fd_efficientnet_lite0.made"])


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "low": float(np.min(values)), "high": float(np.max(values))}


if __name__ == "__main__":
    main()

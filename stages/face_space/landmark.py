"""The landmark space's bundle: an expression basis fitted on training clips, spread evenly over people and emotions,
so that a clip's canonical key points do not take its expression for identity.

Writes data/face_space/{face_space.json, face_space.safetensors}; the tensor is `basis` [52, 3K].
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial, reduce
from operator import add
from pathlib import Path

import numpy as np

from feature_store.manifest import Reject
from models.face.points import KEYPOINTS
from models.landmark.basis import BasisSums, solve_basis
from models.motion.face_space import FaceNotFound
from pipeline.components.face_space import FACE_SPACE_JSON, FACE_SPACE_TENSORS
from pipeline.compute.progress import Progress
from pipeline.compute.resources import Actors
from pipeline.compute.work import run
from pipeline.core.atomic import atomic_path, write_json
from pipeline.core.clip_table import KEPT, read_clip_table
from pipeline.core.config import Params
from pipeline.core.fingerprint import digest, file_sha256
from pipeline.core.paths import CROPS, FACE_SPACE, SPLIT
from pipeline.core.split_table import TRAIN, clips_of, read_split
from pipeline.media.crops import read_crop
from pipeline.weights.table import weight_path, weight_sha256
from stages.face_space.frozen import fit_digest, read_fit, sentence


def fit(params: Params, say: Callable[[str], None]) -> None:
    """Fit and write the basis, unless it was fitted before; raises WeightsError, ValueError where no face was found."""
    section, task = params.face_space, weight_path("face_landmarker")
    if found := read_fit(FACE_SPACE, fit_digest(params)):
        say(sentence(found))
        return
    rows = pick_clips(training_rows(params.corpora), section.max_clips)
    people = list(_people(rows).values())
    parts: dict[tuple[Path, ...], Person] = {}
    progress = Progress("face_space", len(people), "people", say)
    for paths, part in run(people, partial(partial, measure_person, task, section.frame_stride),
                           Actors("face_space", params.ray.num_cpus or os.cpu_count() or 1)):
        parts[paths] = part
        progress.add(part.frames)
    measured = [parts[paths] for paths in people]
    basis = solve([part for part in measured if part.sums is not None], section.ridge)
    rejects = sorted(reject for part in measured for reject in part.rejects)
    _write(basis, rejects, len(rows), params)
    say(f"face_space: basis of {basis.frames} frames of {len(people)} people explains {basis.r2:.0%} of expression")


def training_rows(corpora: Iterable[str]) -> list[dict]:
    """Kept clips of the training split; raises FileNotFoundError, ValueError where there is none."""
    train = clips_of(read_split(SPLIT), TRAIN)
    rows = [row for corpus in corpora for row in read_clip_table(CROPS / corpus / "clips.parquet", KEPT)
            if row["clip_id"] in train]
    if not rows:
        raise ValueError("no training clip was kept: look at data/crops/*/clips.parquet for the reasons")
    return rows


def pick_clips(rows: list[dict], count: int) -> list[dict]:
    """At most `count` rows, one after the other from every person, and within a person from every emotion."""
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in sorted(rows, key=lambda row: row["clip_id"]):
        groups.setdefault((row["identity"], row["emotion"] or ""), []).append(row)
    people: dict[str, list[list[dict]]] = {}
    for (identity, _), members in sorted(groups.items()):
        people.setdefault(identity, []).append(members)
    queues = [list(_in_turn(emotions)) for emotions in people.values()]
    return list(_in_turn(queues))[:count]


def _in_turn(queues: list[list[dict]]) -> Iterator[dict]:
    for place in range(max(map(len, queues), default=0)):
        yield from (queue[place] for queue in queues if place < len(queue))


def _people(rows: list[dict]) -> dict[str, tuple[Path, ...]]:
    """Identity -> the crops of a person."""
    people: dict[str, tuple[Path, ...]] = {}
    for row in rows:
        crop = CROPS / row["corpus"] / f"{row['clip_id']}.mp4"
        people[row["identity"]] = (*people.get(row["identity"], ()), crop)
    return people


@dataclass(frozen=True)
class Person:
    """One person's share of the fit; `squares` is the sum of squares of the centred points."""

    sums: BasisSums | None
    squares: float
    rejects: list[Reject]

    @property
    def frames(self) -> int:
        return self.sums.frames if self.sums else 0


def measure_person(task: Path, stride: int, paths: tuple[Path, ...]) -> Person:
    """Every `stride`-th frame of one person's crops, seen by the landmarker at `task`."""
    from models.landmark.space import LandmarkFaceSpace

    space, scores, points, rejects = LandmarkFaceSpace(task), [], [], []
    for path in paths:
        try:
            frames = read_crop(path)[::stride]
            landmarks = space.landmarks(frames)
        except FaceNotFound as error:
            rejects.append(Reject(path.stem, "face_space", "face_not_found", str(error), float(error.frame)))
            continue
        scores.append(landmarks.blendshapes)
        points.append(space.unpose(landmarks.points)[1][:, KEYPOINTS])
    if not scores:
        return Person(None, 0.0, rejects)
    stacked = np.concatenate(points)
    squares = float(((stacked - stacked.mean(0)) ** 2).sum())
    return Person(BasisSums.of_person(np.concatenate(scores), stacked), squares, rejects)


@dataclass(frozen=True)
class Fit:
    basis: np.ndarray  # [52, 3K]
    frames: int
    r2: float  # share of the variance of unposed key points about each person's mean that the basis explains


def solve(people: list[Person], ridge: float) -> Fit:
    """Ridge regression over all people; raises ValueError where nobody's face was found."""
    if not people:
        raise ValueError("no face was found in any training clip")
    sums = reduce(add, (person.sums for person in people if person.sums is not None))
    basis = solve_basis(sums, ridge)
    exact = basis.astype(np.float64)
    residual = -2 * (exact * sums.scores_points).sum() + (exact * (sums.scores_scores @ exact)).sum()
    return Fit(basis, sums.frames, float(-residual / sum(person.squares for person in people)))


def _write(fit: Fit, rejects: list[Reject], clips: int, params: Params) -> None:
    from safetensors.numpy import save_file

    path = FACE_SPACE / FACE_SPACE_TENSORS
    with atomic_path(path) as temporary:
        save_file({"basis": fit.basis}, temporary)
    weights, tensors = {"face_landmarker": weight_sha256("face_landmarker")}, file_sha256(path)
    fingerprint = digest(weights, tensors, list(KEYPOINTS))
    write_json(FACE_SPACE / FACE_SPACE_JSON, {
        "kind": "landmark", "keypoints": list(KEYPOINTS), "num_keypoints": len(KEYPOINTS), "weights": weights,
        "clips": clips, "frames": fit.frames, "r2": round(fit.r2, 6), "ridge": params.face_space.ridge,
        "rejects": [asdict(reject) for reject in rejects],
        "asked": fit_digest(params), "tensors": tensors, "fingerprint": fingerprint, "motion": fingerprint})

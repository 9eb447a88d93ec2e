"""Evaluation over a Ray cluster: the same bytes as in this process, and a broken film costs itself alone."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.jobs.clip import FPS, JobSettings
from evaluation.jobs.pair import PairJob, PairSpec
from evaluation.jobs.reading import Reading
from evaluation.jobs.workers import Task, Worker, run_missing
from pipeline.compute.resources import Actors
from pipeline.core.config import load_params
from pipeline.media.film import write_video
from tests.needs import weight

READING = Reading(FPS, max_frames=12, side_px=256, max_side_px=4320, max_source_s=60.0, limit_s=60.0, memory_gb=2.0)


@pytest.fixture
def films(tmp_path, picture):
    """A portrait that is moved about: pairs a and b, and c, which is no film."""
    for name, step in (("a", 1), ("b", 2)):
        for side, start in (("made", 0), ("true", 3)):
            frames = (np.roll(picture[:256, 40:296], start + step * t, 1) for t in range(12))
            write_video(tmp_path / side / f"{name}.mp4", frames, FPS, crf=10)
    for side in ("made", "true"):
        (tmp_path / side / "c.mp4").write_bytes(b"no film")
    return tmp_path


@pytest.mark.ray
def test_ray_and_this_process_give_the_same_bytes(films, project, ray_session):
    for name in ("face_landmarker", "mobilefacenet"):
        weight(name)
    params = load_params(project / "params.yaml")
    params = params.model_copy(update={"ray": params.ray.model_copy(update={"address": "auto"})})
    spec = PairSpec(("csim_mobilefacenet",), JobSettings(1, 5, 2, 2, 64, 27, "mean_logits"), READING)

    def tasks(folder):
        return [Task(PairJob(name, str(films / "made" / f"{name}.mp4"), str(films / "true" / f"{name}.mp4")),
                     films / folder / name) for name in "abc"]

    failures = run_missing(tasks("ray"), spec, params, Actors("evaluate", 2), lambda line: None)
    assert [(failure.clip_id, failure.code) for failure in failures] == [("c", "UnreadableVideo")]
    worker = Worker(spec)
    for task in tasks("here"):
        worker(task)
    for name in "ab":
        for file in ("result.json", "arrays.npz"):
            assert (films / "ray" / name / file).read_bytes() == (films / "here" / name / file).read_bytes()

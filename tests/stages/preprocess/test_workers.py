"""Guarded processes with a share of a GPU see one each; without one they are bounded in memory."""

from __future__ import annotations

import pytest

from pipeline.compute.resources import Actors
from pipeline.core.config import load_params
from stages.preprocess import workers


@pytest.mark.parametrize(("share", "made"), [(1.0, [(None, "4"), (None, "7")]), (0.0, [(6.0, None), (6.0, None)])])
def test_what_processes_see_and_may_take(project, monkeypatch, share, made):
    params = load_params(project / "params.yaml")
    section = params.preprocess.model_copy(update={"gpus_per_actor": share})
    params = params.model_copy(update={"preprocess": section, "ray": params.ray.model_copy(update={"num_cpus": 2})})
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    found: list[tuple] = []

    def run_here(units, make, actors, ray, threads):
        assert (actors, ray, threads) == (Actors("preprocess", 2, share), None, True)
        make(), make()
        return iter(())

    monkeypatch.setattr(workers, "run", run_here)
    monkeypatch.setattr(workers, "GuardedWorker", lambda module, settings, limit_s, *given: found.append(given))
    assert list(workers.run_units([], {"params": section.model_dump()}, params, None)) == []
    assert found == made

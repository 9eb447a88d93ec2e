"""What evaluation, ablation, preprocessing and extraction ask of Ray: against a Ray that is none."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from feature_store.shards import ShardWriter
from pipeline.compute import work
from pipeline.compute.device import ResourcesMissing
from pipeline.compute.resources import Actors
from pipeline.core.config import load_params
from pipeline.core.data_params import Ray
from stages.extract import compute, stage
from stages.extract.actor import Work
from tests.pipeline.compute.fake_ray import CLUSTER, CPU_NODE, GPU_NODE, LOCAL, FakeRay
from tests.pipeline.compute.work_target import SeesGpu

LIMIT_S = CLUSTER.max_wait_s


def double() -> object:
    return lambda number: 2 * number


def evaluate(fake: FakeRay, monkeypatch, share: float, place: Ray = CLUSTER) -> tuple[list[dict], list[str]]:
    """Through the engine of evaluation, ablation and preprocessing: options of its actors, and what was said."""
    monkeypatch.setattr(work, "ray_session", lambda section: nullcontext(fake))
    said: list[str] = []
    done = dict(work.run([1, 2, 3], double, Actors("evaluate", 2, share), place, say=said.append))
    assert done == {1: 2, 2: 4, 3: 6} and 1 <= fake.started <= 2
    return fake.options, said


def extract(fake: FakeRay, monkeypatch, share: float, place: Ray = CLUSTER) -> tuple[list[dict], list[str]]:
    """The pools of extraction."""
    params = load_params(Path(__file__).resolve().parents[3] / "params.yaml")
    section = params.extract.model_copy(update={"gpus_per_actor": share, "actors": 4, "decode_actors": 8})
    params = params.model_copy(update={"extract": section, "ray": place})
    data, said = FakeData(), []
    monkeypatch.setattr(compute, "ray_session", lambda section: nullcontext(fake))
    monkeypatch.setattr(compute, "is_started", lambda: False)
    monkeypatch.setattr(compute, "quiet_datasets", lambda: data)
    monkeypatch.setattr("builtins.print", said.append)
    list(compute._on_ray(Work(params, "", "", "", Path(), None), np.full(8, 300)))
    return data.options, said


class FakeData:
    """Ray Data, which takes the pools and has no row."""

    def __init__(self):
        self.options: list[dict] = []

    def from_blocks(self, blocks):
        return self

    def ActorPoolStrategy(self, size):
        return size

    def map_batches(self, actor, **options):
        self.options.append({"name": actor.__name__, **options})
        return self

    def iter_rows(self):
        return iter(())


STAGES = pytest.mark.parametrize("stage_of", [evaluate, extract])


@STAGES
def test_gpus_that_are_there_are_taken_without_a_word(monkeypatch, stage_of):
    """Nodes with a GPU alone are enough: they have cores too."""
    options, said = stage_of(FakeRay(monkeypatch, GPU_NODE, GPU_NODE), monkeypatch, 0.5)
    assert said == []
    assert [(one["num_cpus"], one["num_gpus"]) for one in options if "num_gpus" in one] == [(0, 0.5)]


@STAGES
@pytest.mark.parametrize("now", [[], [CPU_NODE]], ids=["empty head", "CPU nodes only"])
def test_gpus_that_come_late_are_waited_for_and_never_replaced_by_cores(monkeypatch, stage_of, now):
    fake = FakeRay(monkeypatch, *now, late=((40.0, GPU_NODE),))
    options, said = stage_of(fake, monkeypatch, 1.0)
    assert 40 <= fake.now < LIMIT_S and not fake.pending
    assert "waiting for 1 worker with 1 GPU" in said[0] and "the cluster has no GPU" in said[0]
    assert [one["num_gpus"] for one in options if "num_gpus" in one] == [1.0]


@STAGES
@pytest.mark.parametrize("now", [[], [CPU_NODE]], ids=["empty head", "CPU nodes only"])
def test_gpus_that_never_come_end_in_an_error_that_says_what_to_set(monkeypatch, stage_of, now):
    fake = FakeRay(monkeypatch, *now)
    with pytest.raises(ResourcesMissing, match=(
            rf"{stage_of.__name__}: 1 worker with 1 GPU.* not there within 100 s; the cluster has no GPU and .*: "
            rf"set {stage_of.__name__}.gpus_per_actor to 0, which computes on CPU cores, add nodes, or raise ray.max")):
        stage_of(fake, monkeypatch, 1.0)
    assert not fake.pending and fake.started == 0


@STAGES
def test_without_a_share_cores_are_asked_for_beside_gpus_and_waited_for(monkeypatch, stage_of):
    fake = FakeRay(monkeypatch, late=((10.0, GPU_NODE),))
    options, said = stage_of(fake, monkeypatch, 0.0)
    assert [(one["num_cpus"], one.get("num_gpus", 0)) for one in options] == [(1, 0)]
    assert len(said) == 1 and 10 <= fake.now < LIMIT_S
    with pytest.raises(ResourcesMissing, match="1 worker with 1 CPU were not there within 100 s; the cluster has no "
                                               "GPU and 0 CPU cores: add nodes, or raise"):
        stage_of(FakeRay(monkeypatch), monkeypatch, 0.0)


@STAGES
def test_a_machine_without_a_gpu_says_so_before_anything_starts(monkeypatch, stage_of):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ResourcesMissing, match=rf"{stage_of.__name__}.gpus_per_actor is 1, this machine has no GPU"):
        stage_of(None, monkeypatch, 1.0, LOCAL)


def test_decoders_feed_the_gpus_of_other_nodes(monkeypatch):
    """A GPU node without a free core does nothing alone."""
    fake = FakeRay(monkeypatch, {"GPU": 4.0}, late=((20.0, CPU_NODE),))
    options, said = extract(fake, monkeypatch, 1.0)
    assert "1 worker with 1 GPU, and 1 CPU beside" in said[0] and fake.now >= 20
    assert [(one["name"], one["num_cpus"], one.get("num_gpus", 0), one["compute"]) for one in options] == [
        ("Decoder", 1, 0, 4), ("Forward", 0, 1.0, 4), ("Writer", 0, 0, 1)]


def test_the_pools_of_one_machine_are_no_larger_than_it(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    options, _ = extract(FakeRay(monkeypatch, {"CPU": 2.0, "GPU": 1.0}), monkeypatch, 0.5, LOCAL)
    assert [(one["name"], one["compute"]) for one in options] == [("Decoder", 2), ("Forward", 2), ("Writer", 1)]


def test_processes_of_one_machine_see_a_gpu_each(monkeypatch, tmp_path):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    seen = dict(work.run([1, 2], partial(SeesGpu, tmp_path, 2), Actors("evaluate", 8, 1.0)))
    assert sorted(seen.values()) == ["4", "7"]


def test_shards_are_packed_on_as_many_cores_as_decode_and_here_without_a_cluster(monkeypatch):
    params = load_params(Path(__file__).resolve().parents[3] / "params.yaml")
    on_cluster = params.model_copy(update={"ray": CLUSTER})
    monkeypatch.setattr(stage, "run", lambda *given: given)
    write = stage._writers(on_cluster, Path("shards"))
    tasks, make, *asked = write(iter("ab"))
    assert (tasks, asked) == (["a", "b"], [Actors("extract", params.extract.decode_actors), CLUSTER])
    assert (make.func, make.args) == (ShardWriter, (".playmate/store", Path("shards")))
    assert stage._writers(params, None) is None

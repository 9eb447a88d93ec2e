"""What a training asks of Ray: against a Ray that is none, whose nodes come when the test says."""

from __future__ import annotations

import pytest
import yaml

from pipeline.compute.device import COUNTED, ResourcesMissing, gpu_places, which_device
from pipeline.compute.resources import Ask, Request, check_machine, own_device, request_of, wait_for
from pipeline.core.config import ParamsError, parse_params
from pipeline.core.data_params import Ray
from tests.chosen import change
from tests.pipeline.compute.fake_ray import CLUSTER, CPU_NODE, GPU_NODE, LOCAL, FakeRay


def see_gpus(monkeypatch, count: int) -> None:
    """As if PyTorch saw so many."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: count > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)


def asked(fake: FakeRay, gpus, workers: int = 4, section: Ray = CLUSTER) -> tuple[Request, list[str]]:
    """What is asked for, once it is there, and what was said meanwhile."""
    said: list[str] = []
    request = request_of(Ask("train_audio", workers, gpus, workers), section, fake)
    wait_for(fake, request, section.max_wait_s, said.append)
    assert not fake.pending  # Ray Train asks for the same itself
    return request, said


def test_gpus_that_are_there_are_asked_for_without_a_word(monkeypatch):
    request, said = asked(FakeRay(monkeypatch, *[GPU_NODE] * 4), 4)
    assert (request.workers, request.bundle, said) == (4, {"GPU": 1}, [])


@pytest.mark.parametrize("now", [[], [CPU_NODE, CPU_NODE]], ids=["empty head", "CPU nodes only"])
def test_gpus_that_come_late_are_waited_for_and_never_replaced_by_cores(monkeypatch, now):
    """An autoscaler brings them for the pending request; until then the head may have no core at all."""
    fake = FakeRay(monkeypatch, *now, late=((40.0, GPU_NODE), (70.0, GPU_NODE)))
    request, said = asked(fake, 2, workers=2)
    assert request.bundle == {"GPU": 1} and request.workers == 2 and 70 <= fake.now < 100
    cores = 16 * len(now)
    assert said[0] == (f"train_audio: waiting for 2 workers with 1 GPU each; the cluster has no GPU and {cores} CPU "
                       "cores now; 2 s of at most 100 s (ray.max_wait_s)")
    assert f"the cluster has 1 GPU and {cores + 8} CPU cores now" in said[-1]
    assert len(said) == 3


@pytest.mark.parametrize(("nodes", "gpus", "wanted", "there"), [
    ([], 4, "4 workers with 1 GPU each", "no GPU and 0 CPU cores"),
    ([CPU_NODE] * 3, 4, "4 workers with 1 GPU each", "no GPU and 48 CPU cores"),
    ([GPU_NODE] * 2, 4, "4 workers with 1 GPU each", "2 GPUs and 16 CPU cores"),
    ([], 0, "4 workers with 1 CPU each", "no GPU and 0 CPU cores"),
], ids=["empty head", "CPU nodes only", "too few GPU nodes", "empty head, cores asked for"])
def test_what_never_comes_ends_in_an_error_that_says_what_to_set(monkeypatch, nodes, gpus, wanted, there):
    fake = FakeRay(monkeypatch, *nodes)
    with pytest.raises(ResourcesMissing, match=(
            rf"train_audio: {wanted} were not there within 100 s; the cluster has {there}: set gpus and workers "
            r"of train_audio.trainer to what there is \(gpus: 0 computes on CPU cores\), add nodes, or raise "
            r"ray.max_wait_s")):
        asked(fake, gpus)
    assert fake.now == pytest.approx(100.0) and not fake.pending


def test_gpus_0_computes_on_cores_beside_gpus(monkeypatch):
    request, _ = asked(FakeRay(monkeypatch, GPU_NODE, CPU_NODE), 0)
    assert request.bundle == {"CPU": 1} and request.workers == 4


def test_enough_for_the_least_number_of_workers_is_enough(monkeypatch):
    fake = FakeRay(monkeypatch, GPU_NODE, GPU_NODE)
    request = request_of(Ask("train_audio", 4, 4, 2), CLUSTER, fake)
    wait_for(fake, request, 100.0, pytest.fail)
    assert (request.min_workers, request.workers) == (2, 4)


@pytest.mark.parametrize(("node", "gpus", "workers", "bundle"), [
    ({"CPU": 8.0, "GPU": 2.0}, "auto", 2, {"GPU": 1}), ({"CPU": 3.0}, "auto", 3, {"CPU": 1}),
    ({"CPU": 3.0}, 0, 3, {"CPU": 1}), ({"CPU": 8.0, "GPU": 2.0}, 0, 4, {"CPU": 1}),
    ({"CPU": 8.0, "GPU": 4.0}, 4, 4, {"GPU": 1})])
def test_one_machine_is_asked_for_no_more_than_it_has(monkeypatch, node, gpus, workers, bundle):
    request, said = asked(FakeRay(monkeypatch, node), gpus, section=LOCAL)
    assert (request.workers, request.bundle, said) == (workers, bundle, [])


def test_a_machine_without_the_gpus_asked_for_is_an_error_before_ray_starts(monkeypatch):
    see_gpus(monkeypatch, 0)
    with pytest.raises(ResourcesMissing, match=r"train_audio.trainer.gpus is 4, this machine has no GPU: set gpus"):
        check_machine(Ask("train_audio", 4, 4, 4))
    with pytest.raises(ResourcesMissing, match=r"train_audio.trainer.gpus is 1, this machine has no GPU"):
        own_device(Ask("train_audio", 0, 1, 1))
    assert own_device(Ask("train_audio", 0, "auto", 1)) == "cpu"
    see_gpus(monkeypatch, 1)
    assert own_device(Ask("train_audio", 0, "auto", 1)) == "cuda" and own_device(Ask("train_audio", 0, 0, 1)) == "cpu"


def test_a_gpu_that_pytorch_does_not_see_is_no_silent_run_on_a_cpu(monkeypatch):
    see_gpus(monkeypatch, 0)
    with pytest.raises(ResourcesMissing, match=r"this process was given a GPU, and its PyTorch .* sees none"):
        which_device(True)
    monkeypatch.setenv(COUNTED, "1")
    assert which_device(True) == "cpu"


@pytest.mark.parametrize(("there", "given", "device"), [
    (1, None, "cuda"), (0, None, "cpu"), (1, True, "cuda"), (1, False, "cpu")])
def test_a_process_takes_what_it_was_given_or_what_is_there(monkeypatch, there, given, device):
    see_gpus(monkeypatch, there)
    assert which_device(given) == device


@pytest.mark.parametrize(("visible", "share", "found"), [
    (None, 1.0, ["0", "1"]), (None, 0.5, ["0", "1", "0", "1"]), ("3,5", 0.34, ["3", "5", "3", "5"])])
def test_every_process_of_a_machine_sees_one_gpu(monkeypatch, visible, share, found):
    see_gpus(monkeypatch, 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_places(share) == found


@pytest.mark.parametrize(("section", "changes", "message"), [
    ("ray", {"address": "auto"}, "train_audio.trainer.gpus auto is for one machine: on the cluster .* how many GPUs"),
    ("train_emotion", {"trainer": {"gpus": 3}}, "gpus 3 must be auto, 0, or one for each of 2 workers"),
    ("train_audio", {"trainer": {"gpus": -1}}, "train_audio.trainer.gpus")])
def test_params_say_what_does_not_fit(project, section, changes, message):
    values = yaml.safe_load((project / "params.yaml").read_text())
    change(values, {section: changes})
    with pytest.raises(ParamsError, match=message):
        parse_params(values)

"""The files that start the pipeline on a cluster: of the right form, and true to the project."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from tests.cluster.kuberay import Quantity, RayJob


@pytest.fixture(scope="module")
def job(project) -> dict:
    return yaml.safe_load((project / "cluster/kuberay/rayjob.yaml").read_text())


@pytest.fixture(scope="module")
def aws(project) -> dict:
    return yaml.safe_load((project / "cluster/aws.yaml").read_text())


@pytest.fixture(scope="module")
def launcher_schema() -> dict:
    import importlib.util

    origin = Path(importlib.util.find_spec("ray").origin)
    return json.loads((origin.parent / "autoscaler/ray-schema.json").read_text())


def pinned(project: Path, package: str) -> str:
    return re.search(rf"^{package}==(\S+)", (project / "constraints.txt").read_text(), re.MULTILINE)[1]


def test_the_rayjob_has_the_fields_of_its_kind(job):
    RayJob.model_validate(job)


@pytest.mark.parametrize(("path", "value"), [
    ("spec.entryPoint", "x"), ("spec.rayClusterSpec.workerGroupSpecs.0.maxReplicas", -1),
    ("spec.rayClusterSpec.workerGroupSpecs.0.replicas", 99), ("spec.submissionMode", "k8s"),
    ("spec.rayClusterSpec.headGroupSpec.rayStartParams.num-cpus", 0),
    ("spec.rayClusterSpec.workerGroupSpecs.1.template.spec.volumes", [])])
def test_a_wrong_rayjob_is_refused(job, path, value):
    copy = json.loads(json.dumps(job))
    *parents, last = path.split(".")
    at = copy
    for part in parents:
        at = at[int(part) if part.isdigit() else part]
    at[last] = value
    with pytest.raises(ValidationError):
        RayJob.model_validate(copy)


def test_versions_are_those_of_the_environment(project, job):
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == pinned(project, "ray")
    assert "constraints.txt" in (project / "cluster/Dockerfile").read_text()


def test_start_parameters_are_options_of_ray_start(job, aws):
    from ray.scripts.scripts import start

    options = {option.removeprefix("--") for parameter in start.params for option in parameter.opts}
    spec = job["spec"]["rayClusterSpec"]
    for group in [spec["headGroupSpec"], *spec["workerGroupSpecs"]]:
        assert set(group["rayStartParams"]) <= options
    for command in [*aws["head_start_ray_commands"], *aws["worker_start_ray_commands"]]:
        words = shlex.split(command)
        used = {word.split("=")[0].removeprefix("--") for word in words if word.startswith("--")}
        assert words[:2] == ["ray", "stop"] or used <= options


def test_no_actor_that_needs_a_core_runs_on_the_head(job, aws):
    assert job["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert aws["available_node_types"]["head"]["resources"]["CPU"] == 0
    assert "--num-cpus=0" in aws["head_start_ray_commands"][1]


def test_the_object_store_fits_into_shared_memory(job):
    spec = job["spec"]["rayClusterSpec"]
    for group in [spec["headGroupSpec"], *spec["workerGroupSpecs"]]:
        volumes = {volume["name"]: volume for volume in group["template"]["spec"]["volumes"]}
        limit = volumes["shm"]["emptyDir"]["sizeLimit"]
        assert re.fullmatch(Quantity.__metadata__[0].metadata[0].pattern, limit)
        assert int(group["rayStartParams"]["object-store-memory"]) < int(limit.removesuffix("Gi")) * 2**30


def test_the_launcher_file_fits_rays_schema(aws, launcher_schema):
    jsonschema.validate(aws, launcher_schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(aws | {"worker_nodes_max": 3}, launcher_schema)


def test_the_launcher_accepts_its_file(aws, monkeypatch):
    """Ray's own further checks: node types, head node, worker counts."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(json.loads(json.dumps(aws))))


def test_shared_storage_is_a_claim_that_all_nodes_write(project, job):
    claim = yaml.safe_load((project / "cluster/kuberay/storage.yaml").read_text())
    assert claim["kind"] == "PersistentVolumeClaim" and claim["spec"]["accessModes"] == ["ReadWriteMany"]
    spec = job["spec"]["rayClusterSpec"]
    for group in [spec["headGroupSpec"], *spec["workerGroupSpecs"]]:
        claims = [v["persistentVolumeClaim"]["claimName"] for v in group["template"]["spec"]["volumes"]
                  if "persistentVolumeClaim" in v]
        assert claims == [claim["metadata"]["name"]]

"""Registration with toy bundles and a registry of its own: versions, aliases, gates, lineage, loading."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from models.generation.request import SampleSettings
from models.motion.normalization import MotionStatistics, Normalizer
from models.transformer.motion_transformer import ModelShape, MotionTransformer
from pipeline.components.bundle import BundleConfig, bundle_digest, read_config, save_bundle
from pipeline.components.graphs import check_graphs, has_graphs
from pipeline.components.model import weights_of
from pipeline.core import paths
from pipeline.core.atomic import write_json
from pipeline.core.config import load_params
from pipeline.media.crops import write_wav
from pipeline.media.film import write_video
from pipeline.tracking.client import TrackingUnavailable
from pipeline.tracking.registry import download, lineage
from stages.register import stage as register
from stages.register.model_card import BY_PATH, example_request

LABELS = ("neutral", "happy")
GOOD = {"mouth_r": 0.8, "mouth_r_wrong_speech_lag0": 0.05, "clips": 3}


def toy_bundle(folder: Path, stage: str, seed: int, speech: dict) -> None:
    torch.manual_seed(seed)
    shape = ModelShape(dim=16, heads=2, layers=1, conv_kernel=3, conv_norm="layer", mlp_ratio=2, dropout=0.0,
                       audio_align_layers=1, window=10, previous=2, emotion_blocks=1, num_keypoints=70,
                       speech_dim=384, num_emotions=len(LABELS) if stage == "emotion" else 0)
    pose = np.array([1.0, 0, 0, 0, 0, 0, 0])
    statistics = MotionStatistics(Normalizer.of(np.zeros(210), np.full(210, 0.001), 1e-4), pose, pose * 0 + 0.01, pose,
                                  pose * 0 + 0.01, "clip", 1e-4)
    config = BundleConfig(stage, "embedded", shape, {"steps": 100, "schedule": "linear", "target": "eps",
                                                     "previous_noise_t_max": 5, "previous_noise_form": "sqrt"},
                          speech, "landmark", SampleSettings("ddim", 2, 1.0, 1.0, 10.0, 0, 3.0, 1.0, 1.0, 1), LABELS,
                          {"data": "d1", "code": "c1"})
    save_bundle(folder, config, MotionTransformer(shape).state_dict(), statistics)


@pytest.fixture
def work(tmp_path, monkeypatch, project, empty_mlflow) -> Path:
    """A project folder with two bundles, metrics and a face space; its own registry."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copy(project / "params.yaml", "params.yaml")
    speech = yaml.safe_load(Path("params.yaml").read_text())["speech"]
    toy_bundle(paths.AUDIO_BUNDLE, "audio", 1, speech)
    toy_bundle(paths.EMOTION_BUNDLE, "emotion", 2, speech)
    for folder in (paths.AUDIO_MODEL, paths.EMOTION_MODEL):
        write_json(folder / "metrics.json", {"validation_r": 0.4, "learned_nothing": 0, "run": "x"})
    write_json(paths.EVALUATION / "metrics.json", GOOD)
    write_json(paths.FACE_SPACE / "face_space.json", {"kind": "landmark", "fingerprint": "f"})
    write_json(paths.FEATURES / "mead" / "manifest.json", {"shards": []})
    paths.MLFLOW_DB.parent.mkdir()
    shutil.copy(empty_mlflow, paths.MLFLOW_DB)
    return tmp_path


def run(say=lambda text: None) -> dict:
    register.main(say=say)
    return json.loads(paths.REGISTRATION.read_text())


@pytest.mark.slow
def test_versions_aliases_gates_and_lineage(work):
    first = run()
    assert {name: row["version"] for name, row in first.items()} == {
        "playmate-audio": "1", "playmate-emotion": "1", "playmate": "1"}
    assert all(row["champion"] for row in first.values())
    assert run() == first  # the same bundle keeps its version
    found = lineage("playmate")
    assert (found["version"], found["aliases"]) == ("1", ["candidate", "champion"])
    made_from = found["made_from"]
    assert made_from["bundle_digest"] == bundle_digest(paths.EMOTION_BUNDLE)
    assert {"params_sha256", "manifest_sha256.mead", "face_space_digest", "fingerprint.code"} <= set(made_from)
    assert made_from["training_run.audio"] == "x"  # the run's name in the experiment train_audio
    assert "consent" in found["description"] and "mouth_r | 0.8" in found["description"]

    write_json(paths.EVALUATION / "metrics.json", {**GOOD, "mouth_r": None})  # not measured: no number in JSON
    speech = yaml.safe_load(Path("params.yaml").read_text())["speech"]
    toy_bundle(paths.EMOTION_BUNDLE, "emotion", 3, {**speech, "checkpoint": "nowhere"})
    said: list[str] = []
    second = run(said.append)
    assert second["playmate"]["version"] == "2" and not second["playmate"]["champion"]
    assert second["playmate"]["gates"]["mouth_r"] == {"passed": False, "reason": "mouth_r was not measured"}
    assert second["playmate-audio"]["champion"] and second["playmate-audio"]["version"] == "1"
    assert lineage("models:/playmate@candidate")["version"] == "2"
    assert lineage("playmate")["version"] == "1"  # the champion stays
    assert "audio_validation_r 0.4 >= 0.2" in lineage("models:/playmate/2")["made_from"]["gates_reason"].split("; ")

    folder = download("models:/playmate@champion")
    assert bundle_digest(folder / "bundle") == made_from["bundle_digest"]
    check_graphs(folder / "bundle")
    assert not (folder / "bundle" / "speech.safetensors").exists()   # fetched by its checksum where it is missing
    assert weights_of(folder / "bundle") == weights_of(paths.AUDIO_BUNDLE)
    assert not {"torch", "transformers"} & pinned(folder)
    assert (folder / "face_space" / "face_space.json").is_file()
    assert not list(work.rglob("*.pkl"))
    candidate = download("models:/playmate@candidate")   # its speech encoder is not here: as PyTorch runs it
    assert not has_graphs(candidate / "bundle") and {"torch", "transformers"} <= pinned(candidate)
    assert sum("emotion/bundle is registered without graphs, PyTorch runs it: " in line for line in said) == 1


def pinned(folder: Path) -> set[str]:
    return {line.split("==")[0] for line in (folder.parent / "requirements.txt").read_text().split()}


def test_a_model_that_is_not_registered_is_named(work):
    with pytest.raises(ValueError, match="nobody"):
        lineage("models:/nobody@champion")
    with pytest.raises(ValueError, match="is no model"):
        lineage("models:/../x")


def test_without_models_the_stage_says_what_is_missing(work):
    (paths.EVALUATION / "metrics.json").unlink()
    with pytest.raises(FileNotFoundError, match="dvc repro"):
        run()


def test_a_registry_that_is_away_is_a_clear_error(work, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    with pytest.raises(TrackingUnavailable, match=f"127.0.0.1:{port}"):
        run()
    assert not os.path.exists(paths.REGISTRATION)


@pytest.fixture
def served(work) -> Path:
    """A registered toy model with the real face space and speech encoder, and one test clip of two seconds."""
    from safetensors.numpy import save_file
    from skimage.data import astronaut

    save_file({"basis": np.zeros((52, 210), np.float32)}, paths.FACE_SPACE / "face_space.safetensors")
    clip = paths.CROPS / "hdtf" / "a"
    clip.parent.mkdir(parents=True)
    write_video(clip.with_suffix(".mp4"), 2 * [astronaut()], 25)
    write_wav(clip.with_suffix(".wav"), (0.3 * np.sin(np.arange(32000) * 0.1)).astype(np.float32))
    run()
    return work


def test_no_face_of_a_real_corpus_goes_into_the_registry(work):
    params = load_params()
    clip = paths.CROPS / "hdtf" / "a.mp4"
    clip.parent.mkdir(parents=True)
    clip.touch()
    real = params.model_copy(update={"corpora": {"hdtf": params.corpora["hdtf"].model_copy(update={"path": "/hdtf"})}})
    assert example_request(read_config(paths.AUDIO_BUNDLE), real) == {**BY_PATH, "seed": 0}
    assert example_request(read_config(paths.EMOTION_BUNDLE), real) == {**BY_PATH, "emotion": "happy", "seed": 0}


@pytest.fixture
def mlflow(served):
    """MLflow's functions on the registry of `served`; they keep its address in the environment until told to forget."""
    import mlflow

    from pipeline.tracking.client import tracking_uri

    mlflow.set_tracking_uri(tracking_uri())
    yield mlflow
    mlflow.set_tracking_uri(None)


@pytest.mark.slow
def test_the_registered_model_turns_bytes_into_a_film(mlflow):
    import io

    import av
    import pandas as pd

    model = mlflow.pyfunc.load_model("models:/playmate@champion", model_config={"credentials": False})
    [request] = model.input_example.to_dict("records")
    assert isinstance(request["portrait"], bytes) and request["emotion"] == "happy"
    [film] = model.predict(model.input_example)["video"]
    with av.open(io.BytesIO(film)) as media:
        assert (media.streams.video[0].frames, media.streams.video[0].width) == (25, 512)
        assert '"model": "embedded/emotion/' in media.metadata["comment"]
    Path("face.png").write_bytes(request["portrait"])
    with pytest.raises(ValueError, match="portrait_path is not allowed here"):
        model.predict(pd.DataFrame([{"portrait_path": "face.png", "speech": request["speech"]}]))
    with pytest.raises(ValueError, match="unknown emotion 'angry'"):
        model.predict(pd.DataFrame([{**request, "emotion": "angry"}]))
    posted = {**request, "portrait": _base64(request["portrait"]), "speech": _base64(request["speech"])}
    answer = _posted(model, {"dataframe_records": [posted]})
    assert base64.b64decode(answer["predictions"][0]["video"]) == film  # the same film, byte for byte
    refused = _posted(model, {"dataframe_records": [{**posted, "portrait": _base64(b"no picture")}]}, status=400)
    assert "Error: the portrait is no picture that can be read" in refused["message"] and "stack_trace" not in refused


ELSEWHERE = """
import io, sys
import av, mlflow
model = mlflow.pyfunc.load_model(sys.argv[1], model_config={"credentials": False})
[film] = model.predict(model.input_example)["video"]
import pipeline
print(pipeline.__file__, av.open(io.BytesIO(film)).streams.video[0].frames)
"""


@pytest.mark.nightly
@pytest.mark.slow
def test_a_model_loads_in_an_environment_of_its_own_requirements(served, tmp_path_factory):
    """Made by `uv` from the model's requirements.txt alone, in an empty folder; weights from the machine's cache."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if uv is None:
        pytest.skip("no uv")
    model, place = download("models:/playmate@champion").parent, tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(model, place / "model")
    python = place / "venv/bin/python"
    for command in ([uv, "venv", "--quiet", "--python", sys.executable, place / "venv"],
                    [uv, "pip", "install", "--quiet", "--python", python, "-r", place / "model/requirements.txt"]):
        subprocess.run(command, check=True, cwd=place)
    (place / "empty").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    said = subprocess.run([python, "-c", ELSEWHERE, place / "model"], check=True, cwd=place / "empty", text=True,
                          stdout=subprocess.PIPE, env=environment).stdout
    assert said.split()[-2:] == [str(place / "model/code/pipeline/__init__.py"), "25"]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _posted(model, body: dict, status: int = 200) -> dict:
    """What `mlflow models serve` answers to a POST on /invocations."""
    from mlflow.pyfunc import scoring_server
    from starlette.testclient import TestClient

    answer = TestClient(scoring_server.init(model)).post("/invocations", json=body)
    assert answer.status_code == status, answer.text[:500]
    return answer.json()

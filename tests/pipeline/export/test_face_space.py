"""LivePortrait's toy networks as graphs: what PyTorch computes, weights outside, and films without PyTorch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from models.formats.onnx import providers_of
from models.liveportrait.film import LivePortraitFilm
from models.liveportrait.graph_runner import APPEARANCE, IMAGE, MOTION, GraphRunner
from models.liveportrait.networks import seeded_networks
from models.liveportrait.widths import NUM_KEYPOINTS, TOY
from models.motion.film_space import PixelSquare
from models.motion.normalization import MotionStatistics, Normalizer
from pipeline.animate.animator import Animator
from pipeline.components.bundle import BundleError, save_bundle
from pipeline.components.face_space import make_face_space
from pipeline.components.graphs import GRAPHS, graph_face_space
from pipeline.core.atomic import write_json
from pipeline.export.bundle import export_model
from pipeline.export.face_space import export_face_space
from pipeline.export.graph import ExportError
from tests.golden.filled import fill
from tests.needs import weight
from tests.pipeline.components.test_bundle import config
from tests.training.toy import model, shape

pytestmark = pytest.mark.slow
RUNTIME = {"precision": "fp32", "channels_last": False, "compile": False, "batch": 3, "stitching": True}


def toy_space(folder: Path, **runtime) -> Path:
    """As `dvc repro face_space` writes it, with weights by rule: pictures of untrained ones are nearly grey."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    networks = seeded_networks(TOY, 1)
    fill(networks.generator)
    networks.retargeting.stitching.mlp[-1].bias.data[63] = 0.2   # as if trained: a shift that is seen
    save_file({name: value.contiguous() for name, value in networks.state_dict().items()},
              folder / "face_space.safetensors")
    write_json(folder / "face_space.json", {"kind": "liveportrait", "untrained": True, "fingerprint": "f",
                                            "runtime": RUNTIME | runtime})
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    found = export_face_space(toy_space(folder / "space"), folder / "out")
    assert found["key points"] < 1e-5 and found["grey levels"] <= 1
    return folder / "out"


def test_pictures_motion_and_stitching_are_pytorchs(exported, picture):
    frames = np.stack([np.roll(picture[:256, 50:306], shift, 1) for shift in range(0, 20, 4)])
    spaces = graph_face_space(exported, "cpu"), make_face_space("liveportrait", exported, "cpu")
    motions = [space.extract(frames) for space in spaces]
    np.testing.assert_allclose(motions[0].vector(), motions[1].vector(), rtol=1e-4, atol=1e-4)
    x = spaces[1].keypoints(motions[1])
    ours, theirs = (space.render(space.appearance(frames[0]), x[0], x).astype(int) for space in spaces)
    assert ours.shape == (5, 512, 512, 3) and np.abs(ours - theirs).max() <= 1
    assert ours[0].std() > 1 and np.abs(ours[0] - ours[4]).max() > 1
    rows = [LivePortraitFilm(space).look(frames[0], PixelSquare(0, 0, 256)) for space in spaces]
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-4, atol=1e-3)


def test_stitching_is_in_the_graph_where_it_is_on(exported, tmp_path):
    export_face_space(toy_space(tmp_path / "plain", stitching=False), tmp_path / "plain")
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (1, NUM_KEYPOINTS, 3)).astype(np.float32)
    stitched, plain = (GraphRunner(folder, 1, providers_of("cpu")) for folder in (exported, tmp_path / "plain"))
    volume = plain.volume(np.full((1, 256, 256, 3), 90, np.uint8))
    apart = stitched.images(volume, points, points).astype(int) - plain.images(volume, points, points)
    assert np.abs(apart).max() > 5


def test_weights_lie_outside_and_graphs_of_another_space_are_refused(exported, tmp_path):
    for name in (MOTION, APPEARANCE, IMAGE):
        graph = onnx.load(exported / name, load_external_data=False).graph
        assert {one.data_location for one in graph.initializer} == {onnx.TensorProto.EXTERNAL}
    shutil.copytree(exported, tmp_path / "space")
    described = json.loads((tmp_path / "space" / "face_space.json").read_text())
    write_json(tmp_path / "space" / "face_space.json", described | {"fingerprint": "g"})
    with pytest.raises(BundleError, match="another face space"):
        graph_face_space(tmp_path / "space", "cpu")


def test_graphs_that_compute_something_else_are_an_error(tmp_path, monkeypatch):
    space = toy_space(tmp_path / "space")
    monkeypatch.setattr(GraphRunner, "motion", lambda self, pictures: np.full((len(pictures), 133), 0.5, np.float32))
    with pytest.raises(ExportError, match="key points differ by"):
        export_face_space(space, tmp_path / "out")
    assert not (tmp_path / "out" / GRAPHS).exists()


def statistics() -> MotionStatistics:
    """Small movements around a head that stands still."""
    still, moved = np.array([1.0, 0, 0, 0, 0, 0, 0]), np.full(7, 0.01)
    return MotionStatistics(Normalizer.of(np.zeros(3 * NUM_KEYPOINTS), np.full(3 * NUM_KEYPOINTS, 0.02), 1e-4), still,
                            moved, still, moved, "clip", 1e-4)


FILM = """
import sys
import numpy as np
from pathlib import Path
from pipeline.animate.animator import Animator

out = sys.argv[1]
animator = Animator.from_bundle(Path(out, "exported"), detector="insightface")
picture, speech = np.load(out + "/picture.npy"), np.load(out + "/speech.npy")
np.save(out + "/film.npy", np.stack(list(animator.animate(picture, speech))))
assert not {"torch", "torchvision", "transformers"} & set(sys.modules), "PyTorch was imported"
"""


@pytest.mark.processes
def test_a_film_of_liveportrait_and_hubert_without_pytorch(tmp_path, picture):
    for name in ("scrfd", "silero_vad"):
        weight(name)
    torch.manual_seed(0)
    speech = {"kind": "hubert", "checkpoint": "untrained", "layer": 1, "piece_s": 10.0, "overlap_s": 2.0}
    sizes = {"num_keypoints": NUM_KEYPOINTS, "speech_dim": 32}
    save_bundle(tmp_path / "bundle", config(speech=speech, model=shape(**sizes), face_space="liveportrait"),
                model(**sizes).state_dict(), statistics())
    toy_space(tmp_path / "bundle" / "face_space")
    said = export_model(tmp_path / "bundle", tmp_path / "exported")
    assert any(line.startswith("LivePortrait's: key points") for line in said)
    waveform = (0.1 * np.random.default_rng(0).standard_normal(9600)).astype(np.float32)
    np.save(tmp_path / "picture.npy", picture)
    np.save(tmp_path / "speech.npy", waveform)
    subprocess.run([sys.executable, "-c", FILM, str(tmp_path)], check=True, timeout=300)
    animator = Animator.from_bundle(tmp_path / "bundle", detector="insightface")
    theirs = np.stack(list(animator.animate(picture, waveform))).astype(int)
    ours = np.load(tmp_path / "film.npy")
    assert ours.shape == (15, 512, 512, 3) and np.abs(ours - theirs).max() <= 1

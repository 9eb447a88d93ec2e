"""The published networks without their weights: filled by one rule, ours give the published code's outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from models.judges import expression
from models.judges.i3d import I3d, VideoLogits, prepare
from models.judges.identity import ArcFace
from models.judges.inception import FidFeatures, FidInception
from models.judges.inception import prepare as prepare_inception
from models.judges.sync_score import mfcc
from models.judges.syncnet import SyncNet, SyncVectors
from tests.golden.filled import fill, network_input

GOLDEN = Path(__file__).parents[2] / "golden"


def assert_equal(ours: torch.Tensor, stored: np.ndarray) -> None:
    assert np.abs(ours.numpy() - stored).max() <= 1e-4 * np.abs(stored).max()


@pytest.fixture(scope="module")
def syncnet() -> SyncNet:
    return fill(SyncNet())


@torch.inference_mode()
def test_syncnet_is_the_published_one(syncnet):
    golden = np.load(GOLDEN / "syncnet.npz")
    assert_equal(syncnet.lips(network_input("lip", (2, 3, 5, 224, 224), 0, 255)), golden["lip"])
    assert_equal(syncnet.sound(network_input("mfcc", (2, 1, 13, 20), -20, 20)), golden["audio"])
    counts = [sum(value.numel() for value in part.parameters()) for part in (
        syncnet.netcnnaud, syncnet.netcnnlip, syncnet.netfcaud, syncnet.netfclip)]
    assert counts == [4_875_712, 7_177_920, 788_992, 788_992]


def test_syncnet_windows_and_channels(syncnet, tmp_path):
    """Window v holds frames v to v + 4 in blue, green, red, and cepstra 4 v to 4 v + 19."""
    torch.save(syncnet.state_dict(), tmp_path / "syncnet_v2.model")
    network = SyncVectors(tmp_path / "syncnet_v2.model")
    frames = np.random.default_rng(0).integers(0, 256, (7, 224, 224, 3), dtype=np.uint8)
    lips = network.lips(frames)
    window = torch.from_numpy(frames[1:6, ..., ::-1].copy()).permute(3, 0, 1, 2)[None].float()
    cepstra = np.random.default_rng(1).normal(size=(40, 13))
    sound = network.sound(cepstra, 7)
    with torch.inference_mode():
        assert lips.shape == (2, 1024) and np.allclose(lips[1], syncnet.lips(window)[0].numpy(), atol=1e-4)
        column = torch.from_numpy(cepstra[4:24].T.astype(np.float32))[None, None]
        assert sound.shape == (2, 1024) and np.allclose(sound[1], syncnet.sound(column)[0].numpy(), atol=1e-4)


@torch.inference_mode()
def test_i3d_is_the_published_one(tmp_path):
    network, golden = fill(I3d()), np.load(GOLDEN / "i3d.npz")
    clip = network_input("i3d_video", (1, 3, 16, 224, 224), -1, 1)
    features = network.features(clip)
    assert_equal(features, golden["features"])
    assert_equal(network.logits(features).flatten(2).mean(2), golden["logits_time_mean"])
    torch.save(network.state_dict(), tmp_path / "i3d_pretrained_400.pt")
    assert VideoLogits(tmp_path / "i3d_pretrained_400.pt")(np.zeros((15, 32, 32, 3), np.uint8)).shape == (0, 400)


def test_clips_for_i3d_are_cut_in_the_middle_and_span_minus_one_to_one():
    frames = np.zeros((16, 100, 200, 3), np.uint8)
    frames[:, :, 50:150] = 255  # what the centre cut leaves
    clip = prepare(frames)
    assert clip.shape == (1, 3, 16, 224, 224)
    assert clip[..., 4:-4].min() == pytest.approx(1) and prepare(frames * 0).max() == pytest.approx(-1)


@torch.inference_mode()
def test_inception_is_torch_fidelitys(tmp_path):
    """The stored features are those of torch-fidelity 0.4.0's network, filled by the same rule."""
    network = fill(FidInception())
    uint8 = network_input("fid", (2, 3, 299, 299), 0, 256).to(torch.uint8).float()
    assert_equal(network((uint8 - 128) / 128), np.load(GOLDEN / "inception.npz")["features"])
    torch.save(network.state_dict(), tmp_path / "inception.pth")
    assert FidFeatures(tmp_path / "inception.pth")(np.zeros((1, 20, 20, 3), np.uint8)).shape == (1, 2048)


def test_pictures_for_inception_are_scaled_without_antialiasing():
    stripes = np.zeros((1, 598, 598, 3), np.uint8)
    stripes[:, :, 1::2] = 254  # every output pixel lies between two stripes: their mean, and no wider one
    assert torch.allclose(prepare_inception(stripes), torch.full((1, 3, 299, 299), 2 * 127 / 255 - 1), atol=1e-6)


def test_cepstra_are_those_of_python_speech_features():
    """Rows 0 and 50 by python_speech_features 0.6 on int16 of 10000 sin(2 pi 440 t), one second."""
    sound = np.trunc(10000 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)) / 32768
    found = mfcc(sound)
    assert found.shape == (99, 13)
    assert np.allclose(found[0], [19.5074, 18.8076, 1.7124, -14.1897, -27.1832, -33.5303, -29.6864, -18.5563, -3.2681,
                                  10.0441, 18.0148, 17.9862, 11.9377], atol=1e-4)
    assert np.allclose(found[50], [19.5121, 19.5095, 2.6441, -13.1919, -26.1621, -32.5259, -28.6832, -17.6791, -2.3542,
                                   10.7892, 18.8813, 18.6872, 12.3887], atol=1e-4)
    assert mfcc(np.zeros(400)).shape == (1, 13) and mfcc(np.zeros(401)).shape == (2, 13)
    assert np.isfinite(mfcc(np.zeros(1600))).all()


def means_network(path: Path, outputs: int) -> Path:
    """An ONNX network that answers with each channel's mean over the picture, repeated to `outputs` numbers."""
    mean = helper.make_node("ReduceMean", ["x", "axes"], ["m"], keepdims=0)
    tile = helper.make_node("Gather", ["m", "which"], ["y"], axis=1)
    graph = helper.make_graph(
        [mean, tile], "means", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "s", "s"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", outputs])],
        [helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3]),
         helper.make_tensor("which", TensorProto.INT64, [outputs], [i % 3 for i in range(outputs)])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def test_arcface_sees_red_first_in_minus_one_to_one(tmp_path):
    faces = np.zeros((2, 112, 112, 3), np.uint8)
    faces[..., 0] = 255
    vectors = ArcFace(means_network(tmp_path / "w600k_r50.onnx", 3))(faces)
    assert np.allclose(vectors, np.array([1, -1, -1]) / np.sqrt(3))


def test_hsemotion_sees_imagenets_normalisation(tmp_path):
    logits = expression.HsemotionLogits(means_network(tmp_path / "enet.onnx", 8))([np.full((50, 50, 3), 255, np.uint8)])
    assert np.allclose(logits[0, :3], (1 - expression.MEAN) / expression.STD, atol=1e-3)
    assert tuple(sorted(expression.HSEMOTION_LABELS, key=lambda name: {
        "angry": "anger", "disgusted": "disgust", "happy": "happiness", "sad": "sadness",
        "surprised": "surprise"}.get(name, name))) == expression.HSEMOTION_LABELS

"""The metric networks against known answers; skipped, with the command, where their weights are not there."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models.formats.numpy_pickle import read_numpy_pickle
from models.judges.efficientnet_lite0 import EfficientNetLite0, FrameFeatures, prepare
from models.judges.expression import FACEX_LABELS, FacexProbabilities
from models.judges.identity import IdentityVectors
from models.judges.lpips import Lpips
from tests.needs import weight

PICTURES = "PLAYMATE_LPIPS_PICTURES"


def test_lpips_black_against_white_and_identity():
    network = Lpips(weight("lpips_alexnet"))
    black = np.zeros((1, 64, 64, 3), np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3), dtype=np.uint8)
    assert network(black, black + 255)[0] == pytest.approx(0.8139544, abs=1e-5)
    assert np.abs(network(noise, noise)).max() == 0
    far = network(noise, noise[::-1].copy())
    near = network(noise, np.clip(noise.astype(int) + 8, 0, 255).astype(np.uint8))
    assert far.shape == (9,) and np.allclose(far, far[::-1], atol=1e-6)
    assert near[:4].max() < far[:4].min()


def test_the_trunk_comes_with_the_packages_own_linear_layers():
    """The file holds both; its linear layers, equal to those of `lpips` 0.1.4, say which network its trunk is of."""
    path = weight("lpips_alexnet")
    stored = read_numpy_pickle(path)
    for index, layer in enumerate(Lpips(path).network.lins):
        kernel = stored[f"NetLinLayer_{index}"]["Conv_0"]["kernel"]  # [1, 1, C, 1]
        assert np.array_equal(layer.model[-1].weight.detach().numpy().ravel(), np.ravel(kernel))


@pytest.mark.skipif(PICTURES not in os.environ, reason=f"set {PICTURES} to the folder imgs/ of "
                    "richzhang/PerceptualSimilarity: its pictures are in no registry package")
def test_lpips_of_the_published_pictures():
    """Published as (0.722, 0.138)."""
    folder, digests = Path(os.environ[PICTURES]), {"ref": "57aff3a0", "p0": "f44901a9", "p1": "6ada2a42"}
    files = {name: (folder / f"ex_{name}.png").read_bytes() for name in digests}
    assert {name: hashlib.sha256(data).hexdigest()[:8] for name, data in files.items()} == digests
    ref, *others = (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[None, ..., ::-1]
                    for data in files.values())
    found = [Lpips(weight("lpips_alexnet"))(ref, other)[0] for other in others]
    assert found == pytest.approx([0.721881, 0.137566], abs=2e-6)


def test_efficientnet_sees_what_imagenet_sees():
    data = pytest.importorskip("skimage.data")
    backbone = FrameFeatures(weight("efficientnet_lite0"))
    for picture, classes in ((data.chelsea(), {281, 282, 285}), (data.coffee(), {967}), (data.rocket(), {657})):
        side = min(picture.shape[:2])
        top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
        with torch.inference_mode():
            logits = backbone.network(prepare(picture[None, top:top + side, left:left + side]))[1]
        assert int(logits.argmax()) in classes
    assert backbone(np.zeros((18, 50, 50, 3), np.uint8)).shape == (18, 1280)


def test_efficientnet_pads_like_tensorflow():
    """At stride 2 and side 224 the odd pixel is at the end: a spike at the last row reaches the output, padded by 1."""
    stem = EfficientNetLite0()._conv_stem
    with torch.no_grad():
        stem.weight.zero_()
        stem.weight[0, 0, 0, 0] = 1.0  # output (i, j) = input (2i, 2j): nothing is padded before the first pixel
        picture = torch.arange(64.0).reshape(1, 1, 8, 8).expand(1, 3, 8, 8)
        assert torch.equal(stem(picture)[0, 0], picture[0, 0, ::2, ::2])


def test_identity_vectors_are_unit_and_fill_the_last_batch(capfd):
    network = IdentityVectors(weight("mobilefacenet"))
    assert capfd.readouterr().err == ""   # TensorFlow Lite says at its start how it computes
    faces = np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), dtype=np.uint8)
    vectors = network(faces)
    assert vectors.shape == (5, 192) and np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.allclose(network(faces[4:]), vectors[4:], atol=1e-5)


def test_classifier_gives_probabilities_of_our_names():
    network = FacexProbabilities(weight("emotion_facex"))
    faces = [np.full((side, side, 3), 120, np.uint8) for side in (90, 230)]
    probabilities = network(faces)
    assert probabilities.shape == (2, len(FACEX_LABELS)) and np.allclose(probabilities.sum(1), 1, atol=1e-3)
    assert "contempt" not in FACEX_LABELS


def test_a_pickle_with_power_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "made_by_the_pickle"), "w"))

    bad = tmp_path / "bad.ckpt"
    bad.write_bytes(pickle.dumps({"kernel": Evil()}))
    with pytest.raises(ValueError, match="not a pickle of NumPy arrays"):
        read_numpy_pickle(bad)
    assert not (tmp_path / "made_by_the_pickle").exists()
    good = tmp_path / "good.ckpt"
    good.write_bytes(pickle.dumps({"kernel": np.arange(6.0)}))
    assert read_numpy_pickle(good)["kernel"].tolist() == [0, 1, 2, 3, 4, 5]
    good.write_bytes(hashlib.sha256(b"noise").digest())
    with pytest.raises(ValueError, match="not a pickle"):
        read_numpy_pickle(good)

"""VGG's trunk: torchvision's layout, the five outputs, and files that hold no such network."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from models.judges.vgg import IMAGENET_MEAN, IMAGENET_STD, VggFeatures, feature_distance, load_vgg, resize


@pytest.mark.parametrize(("kind", "convolutions", "taps"), [("vgg19", 16, (1, 6, 11, 20, 29)),
                                                            ("vgg16", 13, (1, 6, 11, 18, 25))])
def test_the_layout_is_torchvisions(kind, convolutions, taps):
    from torchvision.models.vgg import cfgs, make_layers

    theirs = make_layers(cfgs[{"vgg19": "E", "vgg16": "D"}[kind]])
    ours = VggFeatures(kind)
    shapes = {name: value.shape for name, value in theirs.state_dict().items()}
    built = {name: value.shape for name, value in ours.layers.state_dict().items()}
    assert ours.taps == taps and set(built) <= set(shapes)
    assert all(shapes[name] == shape for name, shape in built.items())
    assert sum(isinstance(layer, nn.Conv2d) for layer in theirs) == convolutions
    missing = set(shapes) - set(built)  # what comes after relu5_1
    assert {int(name.split(".")[0]) for name in missing} == {n for n, layer in enumerate(theirs)
                                                             if isinstance(layer, nn.Conv2d) and n > taps[-1]}
    assert all(isinstance(theirs[tap], nn.ReLU) for tap in taps)


def test_outputs_are_those_after_the_named_layers(tmp_path):
    from torchvision.models.vgg import make_layers

    torch.manual_seed(0)
    narrow = VggFeatures("vgg16", width=4)
    theirs = make_layers([4, 4, "M", 8, 8, "M", 16, 16, 16, "M", 32, 32, 32, "M", 32])
    theirs.load_state_dict(narrow.layers.state_dict())
    pictures = torch.rand(2, 3, 32, 48)
    x = (pictures - torch.tensor(IMAGENET_MEAN)[:, None, None]) / torch.tensor(IMAGENET_STD)[:, None, None]
    wanted = [theirs[:tap + 1](x) for tap in narrow.taps]
    for found, expected in zip(narrow(pictures), wanted, strict=True):
        torch.testing.assert_close(found, expected)


def test_gradients_reach_the_picture_and_no_weight():
    network, picture = VggFeatures("vgg19", width=2).train(), torch.rand(1, 3, 32, 32, requires_grad=True)
    sum(feature.square().sum() for feature in network(picture)).backward()
    assert picture.grad.abs().max() > 0 and not network.training
    assert all(p.grad is None and not p.requires_grad for p in network.parameters())


def test_distances_by_hand():
    first = [torch.tensor([[0.0, 0, 0, 0], [1, 1, 1, 1]]), torch.tensor([[1.0], [0]])]
    second = [torch.tensor([[2.0, 0, 0, 0], [1, 1, 1, 1]]), torch.tensor([[4.0], [0]])]
    assert feature_distance(first, second, "mean_square").tolist() == [(1 + 9) / 2, 0]
    assert feature_distance(first, second, "l2").tolist() == pytest.approx([(1 + 3) / 2, 0], abs=1e-5)
    assert feature_distance(first, second, "l1").tolist() == [(0.5 + 3) / 2, 0]


def test_shrinking_averages():
    stripes = torch.tensor([0.0, 1.0]).repeat(8).expand(1, 3, 16, 16)
    assert resize(stripes, 4)[..., 1:3].tolist() == pytest.approx(np.full((1, 3, 4, 2), 0.5), abs=0.05)
    assert resize(stripes, 16) is stripes


def test_both_file_forms_load_alike(tmp_path):
    torch.manual_seed(0)
    weights = VggFeatures("vgg16").layers.state_dict()
    torch.save({**{f"features.{k}": v for k, v in weights.items()}, "classifier.0.bias": torch.ones(3)},
               tmp_path / "vgg16.pth")
    numbers = sorted({int(name.split(".")[0]) for name in weights})
    arrays = {f"Conv_{n}": {"kernel": weights[f"{i}.weight"].permute(2, 3, 1, 0).numpy(),
                            "bias": weights[f"{i}.bias"].numpy()} for n, i in enumerate(numbers)}
    (tmp_path / "vgg16.ckpt").write_bytes(pickle.dumps({"VGG16_0": arrays}))
    for name in ("vgg16.pth", "vgg16.ckpt"):
        loaded = load_vgg("vgg16", tmp_path / name).layers.state_dict()
        assert all(torch.equal(loaded[key], value) for key, value in weights.items())
    with pytest.raises(ValueError, match=r"\(vgg19\) does not fit the network; missing: "):
        load_vgg("vgg19", tmp_path / "vgg16.pth")
    (tmp_path / "bad.pth").write_bytes(b"\x80\x04nothing")
    with pytest.raises(ValueError, match="cannot be read as a file of weights"):
        load_vgg("vgg19", tmp_path / "bad.pth")

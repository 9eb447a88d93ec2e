"""Files of weights: the released layout, strictly; what does not fit is named. Toy widths stand for the published."""

from __future__ import annotations

import pickle

import pytest
import torch
from safetensors.torch import save_file

from models.formats.state_dict import CheckpointError, load_strictly
from models.liveportrait.checkpoint import FILES, RETARGETING, load_official
from models.liveportrait.networks import Networks, seeded_networks
from models.liveportrait.widths import TOY


def save_released(networks: Networks, folder, suffix: str = ".pth") -> None:
    """The files as the release has them: flat state dicts, and one of three with the prefix of a distributed run."""
    (folder / "base_models").mkdir(parents=True)
    (folder / "retargeting_models").mkdir()
    for network, name in FILES.items():
        tensors = networks.get_submodule(network).state_dict()
        path = folder / "base_models" / (name + suffix)
        save_file(tensors, path) if suffix == ".safetensors" else torch.save(tensors, path)
    parts = {prefix: {f"module.{key}": value for key, value in networks.retargeting.get_submodule(name).state_dict()
                      .items()} for name, prefix in RETARGETING.items()}
    path = folder / "retargeting_models" / f"stitching_retargeting_module{suffix}"
    if suffix == ".safetensors":
        save_file({f"{prefix}.{key}": value for prefix, part in parts.items() for key, value in part.items()}, path)
    else:
        torch.save(parts, path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_the_released_files_load(tmp_path, suffix):
    wanted, found = seeded_networks(TOY, 1), seeded_networks(TOY, 2)
    save_released(wanted, tmp_path, suffix)
    assert len(load_official(found, tmp_path)) == 5
    for name, value in wanted.state_dict().items():
        assert torch.equal(value, found.state_dict()[name]), name


def test_files_side_by_side_load_too(tmp_path):
    save_released(seeded_networks(TOY, 1), tmp_path / "a")
    for path in sorted((tmp_path / "a").rglob("*.pth")):
        path.rename(tmp_path / path.name)
    assert len(load_official(seeded_networks(TOY, 2), tmp_path)) == 5


def test_missing_files_are_all_named(tmp_path):
    save_released(seeded_networks(TOY, 1), tmp_path)
    (tmp_path / "base_models" / "warping_module.pth").unlink()
    (tmp_path / "base_models" / "motion_extractor.pth").unlink()
    with pytest.raises(CheckpointError, match=r"lacks motion_extractor.pth, warping_module.pth"):
        load_official(seeded_networks(TOY, 2), tmp_path)


@pytest.mark.parametrize(("change", "said"), [
    (lambda t: t.pop("fc.bias"), "missing: fc.bias"),
    (lambda t: t.update({"extra.weight": torch.zeros(1)}), "unexpected: extra.weight"),
    (lambda t: t.update({"fc.bias": torch.zeros(3)}), r"wrong shape: fc.bias is \[3\], not \[8\]"),
    (lambda t: t.update({"fc.bias": torch.full((8,), float("nan"))}), "not finite: fc.bias")])
def test_a_file_that_does_not_fit_says_which_keys(change, said):
    networks = seeded_networks(TOY, 1)
    tensors, before = dict(networks.generator.state_dict()), networks.generator.fc.weight.clone()
    change(tensors)
    tensors["fc.weight"] = torch.zeros_like(before)
    with pytest.raises(CheckpointError, match=f"spade_generator.pth does not fit the network; {said}$"):
        load_strictly(networks.generator, tensors, "spade_generator.pth")
    assert torch.equal(networks.generator.fc.weight, before)  # nothing was loaded by half


def test_many_wrong_keys_are_counted():
    networks = seeded_networks(TOY, 1)
    with pytest.raises(CheckpointError, match=r"missing: .* and \d+ more"):
        load_strictly(networks.generator, {}, "empty.pth")


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    save_released(seeded_networks(TOY, 1), tmp_path)
    path = tmp_path / "base_models" / "appearance_feature_extractor.pth"
    path.write_bytes(pickle.dumps({"first.conv.weight": Evil()}))
    with pytest.raises(CheckpointError, match=r"appearance_feature_extractor.pth cannot be read"):
        load_official(seeded_networks(TOY, 2), tmp_path)
    torch.save({"first.conv.weight": Evil()}, path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_official(seeded_networks(TOY, 2), tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"not a file of weights", b"PK\x03\x04 cut"])
def test_a_damaged_file_is_named(tmp_path, content):
    save_released(seeded_networks(TOY, 1), tmp_path)
    (tmp_path / "base_models" / "motion_extractor.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"motion_extractor\.pth"):
        load_official(seeded_networks(TOY, 2), tmp_path)


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, torch.zeros(2)])
def test_a_file_without_a_state_dict_is_named(tmp_path, content):
    save_released(seeded_networks(TOY, 1), tmp_path)
    torch.save(content, tmp_path / "base_models" / "motion_extractor.pth")
    with pytest.raises(CheckpointError, match="holds no state dict"):
        load_official(seeded_networks(TOY, 2), tmp_path)

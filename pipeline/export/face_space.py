"""LivePortrait's networks as graphs beside the face space's own file, from which they read their weights; checked
against PyTorch. The landmark space has no networks of ours.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.formats.state_dict import load_strictly, read_tensors
from models.liveportrait.graph_runner import APPEARANCE, IMAGE, MOTION
from models.liveportrait.networks import Networks
from models.liveportrait.torch_space import flatten_motion
from models.liveportrait.widths import INPUT_PX, NUM_KEYPOINTS, PUBLISHED, TOY
from pipeline.components.face_space import FACE_SPACE_TENSORS, face_space_description, make_face_space
from pipeline.components.graphs import GRAPHS, VERSION, graph_face_space
from pipeline.core.atomic import write_json
from pipeline.export.graph import ExportError, write_graph

OPSET = 20   # the first one whose GridSample knows volumes
TOLERANCE = 1e-4   # of key points, in half crop widths
GREY_LEVELS = 1    # of pictures


def export_face_space(folder: Path, out: Path) -> dict[str, float]:
    """Copy a face space to `out`, which may be `folder` itself, with graphs where it is LivePortrait's -> what differs
    from PyTorch: key points, in half crop widths, and grey levels of pictures.

    Raises ExportError where that is too much; then there is no `graphs.json`.
    """
    described = face_space_description(folder)
    if folder.resolve() != out.resolve():
        shutil.copytree(folder, out, dirs_exist_ok=True)
    if described["kind"] != "liveportrait":
        return {}
    (out / GRAPHS).unlink(missing_ok=True)
    networks = Networks(TOY if described["untrained"] else PUBLISHED).eval().requires_grad_(False)
    load_strictly(networks, read_tensors(out / FACE_SPACE_TENSORS), FACE_SPACE_TENSORS)
    _write_graphs(out, networks, described["runtime"]["stitching"])
    write_json(out / GRAPHS, {"version": VERSION, "face_space": described["fingerprint"], "opset": OPSET})
    found = differences(out)
    if found["key points"] > TOLERANCE or found["grey levels"] > GREY_LEVELS:
        (out / GRAPHS).unlink()
        raise ExportError(f"{folder}: the graphs are not what PyTorch computes: " + ", ".join(
            f"{name} differ by {value:.1e}" for name, value in found.items()))
    return found


def _write_graphs(out: Path, networks: Networks, stitching: bool) -> None:
    picture, axes = torch.rand(1, 3, INPUT_PX, INPUT_PX), {"picture": {0: "B"}, "driving": {0: "B"}}
    points = torch.zeros(1, NUM_KEYPOINTS, 3)
    with torch.no_grad():
        volume = networks.appearance(picture)
    graphs: tuple[tuple[str, nn.Module, dict[str, Tensor], str], ...] = (
        (MOTION, _Motion(networks), {"picture": picture}, "rows"),
        (APPEARANCE, _Appearance(networks), {"picture": picture}, "volume"),
        (IMAGE, _Image(networks, stitching), {"volume": volume, "source": points, "driving": points.repeat(2, 1, 1)},
         "image"))
    for name, module, inputs, output in graphs:
        write_graph(out / name, module, inputs, axes if name != APPEARANCE else {}, output, out / FACE_SPACE_TENSORS,
                    prefix="networks.", opset=OPSET)


class _Motion(nn.Module):
    def __init__(self, networks: Networks):
        super().__init__()
        self.networks = networks

    def forward(self, picture: Tensor) -> Tensor:
        return flatten_motion(self.networks.head_motion(picture))


class _Appearance(nn.Module):
    def __init__(self, networks: Networks):
        super().__init__()
        self.networks = networks

    def forward(self, picture: Tensor) -> Tensor:
        return self.networks.appearance(picture)


class _Image(nn.Module):
    def __init__(self, networks: Networks, stitching: bool):
        super().__init__()
        self.networks, self.stitching = networks, stitching

    def forward(self, volume: Tensor, source: Tensor, driving: Tensor) -> Tensor:
        source = source.expand_as(driving)
        if self.stitching:
            driving = self.networks.retargeting.stitch(source, driving)
        return self.networks.image(volume.expand(driving.shape[0], *volume.shape[1:]), source, driving)


def differences(folder: Path) -> dict[str, float]:
    """Largest differences of graphs from PyTorch in float32 on the processor, on two pictures of squares: of key
    points (eq. 1), and of the first one driven by both; at the published sizes that is half a minute of a core a frame.
    """
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (2, 8, 8, 3)).astype(np.uint8).repeat(32, 1).repeat(32, 2)
    spaces = graph_face_space(folder, "cpu"), make_face_space("liveportrait", folder, "cpu")
    motions = [space.extract(pictures) for space in spaces]
    ours, theirs = (space.keypoints(motion) for space, motion in zip(spaces, motions, strict=True))
    made = [space.render(space.appearance(pictures[0]), theirs[0], theirs).astype(int) for space in spaces]
    return {"key points": float(np.abs(ours - theirs).max()), "grey levels": float(np.abs(made[0] - made[1]).max())}

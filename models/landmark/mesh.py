"""The mesh of a portrait: the canonical face's 468 vertices, and a grid around them for hair, ears, neck and body.

A face vertex follows the key points. A vertex outside the face follows the rigid head with a weight that is 1 on
hair and ears and falls to 0 towards the shoulders and the far background, plus, near the face, what the closest
point of the face oval does beyond the rigid head (a jaw that drops pulls the skin under it).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.face.points import FACE_OVAL
from models.formats.bare import bare
from models.landmark.template import Template

try:
    with bare("scipy.spatial", "scipy.linalg"):
        from scipy.spatial._qhull import Delaunay
except ImportError:   # the module is SciPy's own business: in a release that has moved it the start takes longer
    from scipy.spatial import Delaunay

GRID_STEP = 0.1  # half crop widths between outer vertices
MARGIN = 0.35  # the grid reaches this far over the edge of the picture


@dataclass(frozen=True)
class Mesh:
    """Source geometry: `vertices` [V, 3] (the first 468 are the face's), `triangles` [F, 3].

    `head_weight` [V - 468] share of the rigid head motion, `oval_share` [V - 468, 36] share of the face oval's
    non-rigid motion, `num_outer` triangles come first and lie behind the face.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    num_outer: int
    head_weight: np.ndarray
    oval_share: np.ndarray


def build_mesh(face: np.ndarray, template: Template) -> Mesh:
    """face [468, 3] in crop coordinates, and the canonical face."""
    face = _draw_in(face, template)
    outer = _outer_grid(face)
    distance = np.linalg.norm(outer[:, None] - face[None, FACE_OVAL, :2], axis=-1)  # [O, 36]
    unit = np.linalg.norm(face[454, :2] - face[234, :2])
    vertices = np.concatenate([face, np.concatenate([outer, _outer_depth(face, distance)], -1)])
    triangles = _outer_triangles(vertices)
    inner = _facing_viewer(face, template.triangles)
    return Mesh(vertices, np.concatenate([triangles, inner]), len(triangles),
                _head_weight(outer, face, distance.min(1) / unit), _oval_share(distance / unit))


def move_mesh(mesh: Mesh, face: np.ndarray, rigid: np.ndarray) -> np.ndarray:
    """New vertices [V, 3]: `face` [468, 3] moved face, `rigid` [V, 3] all source vertices moved with the head."""
    oval = list(FACE_OVAL)
    source = mesh.vertices[468:]
    outer = source + mesh.head_weight[:, None] * (rigid[468:] - source)
    outer = outer + mesh.oval_share @ (face[oval] - rigid[oval])
    return np.concatenate([face, outer])


def painting_order(mesh: Mesh, vertices: np.ndarray) -> np.ndarray:
    """Triangles from far to near: the outer ones, then the face's; those that turned their back are left out."""
    inner = mesh.triangles[mesh.num_outer:]
    depth = vertices[inner, 2].mean(1)
    facing = _signed_area(vertices, inner) > 0
    order = np.argsort(-depth, kind="stable")
    order = order[facing[order]]
    return np.concatenate([np.arange(mesh.num_outer), order + mesh.num_outer])


def _draw_in(face: np.ndarray, template: Template) -> np.ndarray:
    """The face with its sides drawn in onto the cheek: skin, not hair, stretches when a side turns to view.

    A side's vertex moves to where the portrait has the skin that lies a little farther in on the canonical face.
    """
    across = template.vertices[:, 0]
    side = _smoothstep(np.abs(across), 0.36, 0.5)
    moved = np.flatnonzero(side > 0)
    farther_in = template.vertices[moved, :2] * np.stack([1 - 0.1 * side[moved], np.ones(len(moved))], -1)
    drawn = face.copy()
    found = Delaunay(template.vertices[:, :2])
    triangle = found.find_simplex(farther_in)
    inside, affine = triangle >= 0, found.transform[triangle]
    two = np.einsum("nij,nj->ni", affine[:, :2], farther_in - affine[:, 2])
    shares = np.concatenate([two, 1 - two.sum(1, keepdims=True)], -1)   # barycentric [n, 3]
    moved_to = np.einsum("nk,nkd->nd", shares, face[found.simplices[triangle], :2])
    drawn[moved[inside], :2] = moved_to[inside]
    return drawn


def _outer_grid(face: np.ndarray) -> np.ndarray:
    """A grid over the picture and a margin, without the points in or close to the face oval."""
    line = np.arange(-1 - MARGIN, 1 + MARGIN + 1e-9, GRID_STEP)
    grid = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    oval = face[list(FACE_OVAL), :2].astype(np.float32)
    inside = np.array([cv2.pointPolygonTest(oval, (float(x), float(y)), True) for x, y in grid])
    return grid[inside < -0.6 * GRID_STEP]


def _outer_depth(face: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Depth of outer points [O, 1]: that of the oval nearby, farther off that of the ears."""
    share = np.exp(-((distance / 0.15) ** 2)) + 1e-9
    near = (share * face[None, FACE_OVAL, 2]).sum(1) / share.sum(1)
    ears = face[[234, 454], 2].mean()
    blend = np.exp(-distance.min(1) / 0.2)
    return (blend * near + (1 - blend) * ears)[:, None]


def _outer_triangles(vertices: np.ndarray) -> np.ndarray:
    """Delaunay triangles over the oval and the outer vertices, those inside the oval left out."""
    members = np.concatenate([np.array(FACE_OVAL), np.arange(468, len(vertices))])
    triangles = members[Delaunay(vertices[members, :2]).simplices]
    oval = vertices[list(FACE_OVAL), :2].astype(np.float32)
    centres = vertices[triangles, :2].mean(1)
    outside = [cv2.pointPolygonTest(oval, (float(x), float(y)), False) <= 0 for x, y in centres]
    return triangles[np.array(outside)]


def _head_weight(outer: np.ndarray, face: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """1 on the head, falling off below the chin (neck) and far from the face; gap [O] in face widths."""
    unit = np.linalg.norm(face[454, :2] - face[234, :2])
    below = (outer[:, 1] - face[[234, 454], 1].mean()) / unit  # below the ears
    neck = 1 - _smoothstep(below, 0.45, 1.3)
    far = 1 - _smoothstep(gap, 0.45, 1.2)
    return neck * far


def _oval_share(gap: np.ndarray) -> np.ndarray:
    """Rows of non-rigid motion taken over from the oval: gap [O, 36] in face widths."""
    share = np.exp(-((gap / 0.12) ** 2))
    return np.exp(-((gap.min(1, keepdims=True) / 0.25) ** 2)) * share / (share.sum(1, keepdims=True) + 1e-12)


def _smoothstep(value: np.ndarray, start: float, stop: float) -> np.ndarray:
    share = np.clip((value - start) / (stop - start), 0, 1)
    return share * share * (3 - 2 * share)


def _facing_viewer(face: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Face triangles wound so that their area is positive where they face the viewer."""
    flipped = np.median(_signed_area(face, triangles)) < 0
    return triangles[:, ::-1] if flipped else triangles


def _signed_area(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[triangles[:, k], :2] for k in range(3))
    return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])

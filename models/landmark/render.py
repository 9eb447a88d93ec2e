"""Mesh renderer of the landmark face space: portrait + key points -> 512 x 512 frames, no learned weights."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.landmark.interpolation import interpolation_matrix
from models.landmark.mesh import Mesh, build_mesh, move_mesh, painting_order
from models.landmark.points import (
    KEYPOINTS,
    LIPS_INNER_CONTOUR_LOWER,
    LIPS_INNER_CONTOUR_UPPER,
    RIGID_KEYPOINTS,
    positions,
)
from models.landmark.pose import fit_similarity
from models.landmark.raster import backward_affines, draw_triangle_ids
from models.landmark.template import Template

SIZE = 512


@dataclass(frozen=True)
class Portrait:
    """What is computed once for a portrait."""

    image: np.ndarray  # [512, 512, 3] uint8
    mesh: Mesh
    spread: np.ndarray  # L [468, K]: key point displacement -> face vertex displacement
    grid: tuple[np.ndarray, np.ndarray]  # x and y of every pixel, float32


def prepare(image: np.ndarray, points: np.ndarray, x_source: np.ndarray, template: Template) -> Portrait:
    """image [S, S, 3] uint8, its landmarks [478, 3] and key points x [K, 3] (eq. 1, depth as in x)."""
    method = cv2.INTER_AREA if image.shape[0] > SIZE else cv2.INTER_CUBIC
    image = cv2.resize(image, (SIZE, SIZE), interpolation=method)
    face = points[:468].astype(np.float64)
    face[:, 2] += (x_source[:, 2] - points[list(KEYPOINTS), 2]).mean()
    mesh = build_mesh(face, template.triangles)
    x, y = np.meshgrid(np.arange(SIZE, dtype=np.float32), np.arange(SIZE, dtype=np.float32))
    return Portrait(image, mesh, interpolation_matrix(template.vertices, face), (x, y))


def render(portrait: Portrait, x_source: np.ndarray, x_driving: np.ndarray) -> np.ndarray:
    """x_source [K, 3], x_driving [T, K, 3] -> [T, 512, 512, 3] uint8."""
    frames = np.empty((len(x_driving), SIZE, SIZE, 3), np.uint8)
    rigid = positions(RIGID_KEYPOINTS)
    source = x_source.astype(np.float64)
    for index, target in enumerate(x_driving.astype(np.float64)):
        frames[index] = _frame(portrait, source, target, rigid)
    return frames


def _frame(portrait: Portrait, source: np.ndarray, target: np.ndarray, rigid: np.ndarray) -> np.ndarray:
    mesh = portrait.mesh
    scale, rotation, translation = fit_similarity(source[rigid], target[rigid])
    face = mesh.vertices[:468] + portrait.spread @ (target - source)
    vertices = move_mesh(mesh, face, scale * (mesh.vertices @ rotation) + translation)
    return _warp(portrait, vertices)


def _warp(portrait: Portrait, vertices: np.ndarray) -> np.ndarray:
    mesh = portrait.mesh
    source, target = to_pixels(mesh.vertices), to_pixels(vertices)
    affines = backward_affines(source, target, mesh.triangles)
    order = painting_order(mesh, vertices)
    order = order[np.isfinite(affines[order, 0, 0])]
    ids = draw_triangle_ids(target, mesh.triangles, order, SIZE)
    rows = np.nan_to_num(affines).reshape(-1, 6).T.astype(np.float32)
    a, b, c, d, e, f = (np.take(row, ids, mode="clip") for row in rows)
    x, y = portrait.grid
    frame = cv2.remap(portrait.image, a * x + b * y + c, d * x + e * y + f, cv2.INTER_LINEAR,
                      borderMode=cv2.BORDER_REPLICATE)
    inner = [*LIPS_INNER_CONTOUR_UPPER, *LIPS_INNER_CONTOUR_LOWER[-2:0:-1]]
    mouth = np.round(target[inner] * 16).astype(np.int32)
    return cv2.fillPoly(frame, [mouth], (60, 25, 25), cv2.LINE_AA, 4)


def to_pixels(points: np.ndarray) -> np.ndarray:
    """Crop coordinates [..., >= 2] -> pixel coordinates [..., 2] of the 512 x 512 frame (pixel centres at .0)."""
    return (points[..., :2] + 1) * (SIZE / 2) - 0.5

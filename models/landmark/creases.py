"""Folds of the skin that an expression makes: between drawn brows, over raised ones, beside a smile or a raised lip.

A warped picture moves skin and folds none, so that anger was brows that lie lower and a smile a wider mouth. Here a
fold is a soft valley of light on the portrait, at its known place on the face's mesh, and it deepens as the key points
beside it move away from where the picture has them (ratio images: Liu, Shan, Zhang, "Expressive expression mapping
with ratio images", 2001; these are drawn, not taken from a second picture). What the picture shows already stays in it.
Hair, glasses and beards, which are darker or rougher than the skin of the cheeks, get none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from models.face.points import BROW_LEFT, BROW_RIGHT, CHEEKS, LIPS_OUTER_UPPER, NOSE, positions
from models.landmark.patch import Window, smooth_edge, window_of
from models.landmark.template import Template

Movement = Literal["frown", "worry", "raise", "smile", "sneer"]
Place = tuple[int, int, float]  # so far on the way from the first vertex to the second


@dataclass(frozen=True)
class Fold:
    """A line on the person's right half of the face; it has its mirror image, or goes on in it."""

    movement: Movement
    light: float  # that is lost in the middle of the line where it is deepest
    width: float  # face widths
    line: tuple[Place, ...]
    through_middle: bool = False  # both halves are one line


# face widths from which a movement folds the skin, and at which no deeper: speech without an emotion keeps below the
# first (eleven people, five seconds each, 95 to 99 %; not "worry", which three of them begin to show, since the model
# holds their inner brows up), the emotions that it belongs to reach or near the second (docs/LOG.md#brows)
BETWEEN: dict[Movement, tuple[float, float]] = {
    "frown": (0.024, 0.04), "worry": (0.016, 0.032), "raise": (0.024, 0.056), "smile": (0.027, 0.055),
    "sneer": (0.019, 0.034)}
FOLDS = (
    Fold("frown", 0.34, 0.011, ((193, 8, 0.45), (55, 8, 0.5), (107, 9, 0.45), (107, 108, 0.35))),
    Fold("worry", 0.20, 0.011, ((107, 108, 0.45), (9, 151, 0.45)), through_middle=True),
    Fold("worry", 0.16, 0.012, ((107, 108, 0.85), (9, 151, 0.85)), through_middle=True),
    Fold("raise", 0.18, 0.012, ((105, 104, 0.6), (66, 69, 0.65), (107, 108, 0.65), (9, 151, 0.65)),
         through_middle=True),
    Fold("raise", 0.18, 0.012, ((104, 103, 0.2), (69, 67, 0.2), (108, 109, 0.2), (151, 10, 0.2)),
         through_middle=True),
    Fold("smile", 0.10, 0.016, ((129, 203, 0.5), (206, 92, 0.4), (216, 186, 0.5), (212, 57, 0.5))),
    Fold("sneer", 0.34, 0.016, ((129, 203, 0.5), (206, 92, 0.4), (216, 186, 0.5))),
    Fold("sneer", 0.16, 0.011, ((6, 122, 0.3), (122, 188, 0.5), (114, 114, 0.0))),
    Fold("sneer", 0.16, 0.011, ((197, 196, 0.4), (174, 174, 0.0), (217, 217, 0.0))),
)
CHANNELS = np.array((0.8, 1.0, 1.0), np.float32)  # light that skin scatters is red: a fold keeps more of it
FLANKS, FLANK_WIDTH = 0.3, 2.5  # a valley's sides catch some of the light, so much wider than itself
FACING = (0.15, 0.4)  # cosine of the skin to the viewer at which a fold is not seen, and is seen in full
LIGHT_AS_SKIN, ROUGH_AS_SKIN = (0.45, 0.65), (0.08, 0.16)  # of the cheeks' light; deviation over mean

_INNER, _MIDDLE, _OUTER = (positions((BROW_RIGHT[place], BROW_LEFT[place])) for place in (3, 2, 0))
_WINGS, _UPPER_LIP = positions(NOSE[-2:]), positions((LIPS_OUTER_UPPER[2], LIPS_OUTER_UPPER[-3]))
_CORNERS = positions((LIPS_OUTER_UPPER[0], LIPS_OUTER_UPPER[-1]))


@dataclass(frozen=True)
class Crease:
    """A fold on one portrait: its window in the picture and what the deepest fold takes of each pixel's light."""

    movement: Movement
    sides: tuple[int, ...]  # whose movement counts: 0 the person's right, 1 the left
    window: Window
    shade: np.ndarray  # [h, w, 3] float32; below 0 at the line's flanks


def prepare_creases(image: np.ndarray, points: np.ndarray, template: Template) -> tuple[Crease, ...]:
    """image [S, S, 3] uint8, face points [468, 3] in pixels; folds outside it or on the far side are left out."""
    pixels, unit_px = points[:, :2], float(np.linalg.norm(points[454] - points[234]))
    skin, mirror = bare_skin(image, pixels), mirror_vertices(template.vertices)
    seen = np.interp(facing(points, template.triangles), FACING, (0, 1))
    creases = []
    for fold in FOLDS:
        for sides, line in _lines(fold, mirror):
            width_px = max(fold.width * unit_px, 0.8)
            at = np.array([pixels[a] + share * (pixels[b] - pixels[a]) for a, b, share in line])
            window = window_of(at, image.shape[0], margin=round(3 * FLANK_WIDTH * width_px))
            light = fold.light * float(min(seen[a] for a, _, _ in line))
            if window is not None and light > 0:
                shade = light * skin[window.rows, window.columns] * valley(smooth_edge(at, parts=8), width_px, window)
                creases.append(Crease(fold.movement, sides, window, shade[..., None] * CHANNELS))
    return tuple(creases)


def _lines(fold: Fold, mirror: np.ndarray) -> list[tuple[tuple[int, ...], list[Place]]]:
    """The sides of the face and the places of each line of a fold."""
    right = list(fold.line)
    left = [(int(mirror[a]), int(mirror[b]), share) for a, b, share in right]
    return [((0, 1), right + left[-2::-1])] if fold.through_middle else [((0,), right), ((1,), left)]


def crease(layers: np.ndarray, creases: tuple[Crease, ...], moved: np.ndarray) -> np.ndarray:
    """The portrait's layers [S, S, 4] uint8 (RGB, matte) with the folds of key points that moved by `moved` [K, 3].

    Displacements are in face widths in the head's frame. Layers are not written to; where nothing folds they come back.
    """
    depths, folded = fold_depths(moved), layers
    for one in creases:
        depth = float(depths[one.movement][list(one.sides)].mean())
        if depth > 0:
            folded = layers.copy() if folded is layers else folded
            area = folded[one.window.rows, one.window.columns, :3]
            area[:] = np.clip(area * (1 - depth * one.shade) + 0.5, 0, 255)
    return folded


def fold_depths(moved: np.ndarray) -> dict[Movement, np.ndarray]:
    """How deep each movement folds the skin, 0 to 1, on the right and the left [2]; y points down."""
    inner, middle, outer, wings, lip, corners = (moved[rows, 1] for rows in
                                                 (_INNER, _MIDDLE, _OUTER, _WINGS, _UPPER_LIP, _CORNERS))
    movements: dict[Movement, np.ndarray] = {
        "frown": inner - outer, "worry": outer - inner, "raise": -middle,
        "smile": wings - corners, "sneer": wings - lip}
    return {name: np.clip((far - BETWEEN[name][0]) / (BETWEEN[name][1] - BETWEEN[name][0]), 0, 1)
            for name, far in movements.items()}


def mirror_vertices(vertices: np.ndarray) -> np.ndarray:
    """Each vertex' mirror image [468] on the canonical face [468, 3]."""
    return np.linalg.norm(vertices[:, None] * [-1, 1, 1] - vertices[None], axis=-1).argmin(1)


def facing(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Cosine [468] between the skin at each vertex [468, 3] and the direction to the viewer; z points away from it."""
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    normals, sums = np.cross(b - a, c - a), np.zeros_like(points)
    for corner in range(3):
        np.add.at(sums, triangles[:, corner], normals)
    return -sums[:, 2] / np.maximum(np.linalg.norm(sums, axis=-1), 1e-12)


def valley(line: np.ndarray, width_px: float, window: Window) -> np.ndarray:
    """[h, w]: 1 on the middle of the line [N, 2] px, below 0 beside it, fading out towards its ends."""
    x, y = (np.arange(n, dtype=np.float32) for n in (window.width, window.height))
    line = (line - [window.x, window.y]).astype(np.float32)
    squared = (x[None, :, None] - line[:, 0]) ** 2 + (y[:, None, None] - line[:, 1]) ** 2  # [h, w, N]
    away = squared.min(-1) / width_px ** 2
    profile = (np.exp(-away / 2) - FLANKS * np.exp(-away / (2 * FLANK_WIDTH ** 2))) / (1 - FLANKS)
    return profile * np.sin(np.pi * squared.argmin(-1) / (len(line) - 1)).astype(np.float32)


def bare_skin(image: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """How sure it is [S, S], 0 to 1, that a pixel is bare skin: as light as the cheeks, and smooth."""
    size = image.shape[0]
    light = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean: np.ndarray = cv2.GaussianBlur(light, (0, 0), size / 128)
    rough = np.sqrt(np.maximum(cv2.GaussianBlur(light * light, (0, 0), size / 128) - mean * mean, 0)) / (mean + 1)
    at = np.clip(np.round(pixels[list(CHEEKS)]).astype(int), 0, size - 1)
    cheeks = float(np.median(mean[at[:, 1], at[:, 0]]))
    light_enough = np.interp(mean / (cheeks + 1), LIGHT_AS_SKIN, (0, 1))
    smooth_enough = np.interp(rough, ROUGH_AS_SKIN, (1, 0))
    return cv2.GaussianBlur((light_enough * smooth_enough).astype(np.float32), (0, 0), size / 256)

"""Mesh renderer of the landmark face space: portrait + key points -> 512 x 512 frames, no learned weights.

A frame is painted from back to front: the background without the person, which never moves; the person, cut out
by a soft matte and warped by the mesh; the eyeballs within the lids; the inside of the mouth within the lips.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.face.points import (
    IRISES,
    KEYPOINTS,
    LIPS_INNER_CONTOUR_LOWER,
    LIPS_INNER_CONTOUR_UPPER,
    RIGID_KEYPOINTS,
    positions,
)
from models.landmark.creases import Crease, crease, prepare_creases
from models.landmark.eyes import CONTOURS, Eye, paint_eye, prepare_eyes
from models.landmark.interpolation import interpolation_matrix
from models.landmark.matte import background_plate, person_matte
from models.landmark.mesh import Mesh, build_mesh, move_mesh, painting_order
from models.landmark.mouth import Mouth, mouth_plane, paint_mouth, prepare_mouth
from models.landmark.pose import fit_similarity
from models.landmark.raster import backward_affines, draw_triangle_ids, slivers_first
from models.landmark.shutting import uncross
from models.landmark.template import Template
from models.motion.motion import Motion

SIZE = 512
_RIGID, _IRISES, _CHIN = positions(RIGID_KEYPOINTS), positions(IRISES), positions((152,))[0]
_LIP_MIDDLES = positions((13, 14))
_LID_PAIRS = (*CONTOURS, (LIPS_INNER_CONTOUR_UPPER, LIPS_INNER_CONTOUR_LOWER))


@dataclass(frozen=True)
class Portrait:
    """What is computed once for a portrait."""

    layers: np.ndarray  # [512, 512, 4] uint8: picture and matte
    plate: np.ndarray  # [512, 512, 3] uint8: background
    mesh: Mesh
    spread: np.ndarray  # L [468, K]: key point displacement -> face vertex displacement
    eyes: tuple[Eye, ...]
    mouth: Mouth
    creases: tuple[Crease, ...]
    mouth_middle: np.ndarray  # [3], head frame
    chin: np.ndarray  # [3], head frame, mouth closed
    motion: Motion
    grid: tuple[np.ndarray, np.ndarray]  # x and y of every pixel, float32


@dataclass(frozen=True)
class HeadMove:
    """Similarity transform of the head from the portrait to a frame, and the head's pose in that frame."""

    scale: float
    rotation: np.ndarray
    translation: np.ndarray
    pose: tuple[float, np.ndarray, np.ndarray]

    def apply(self, points: np.ndarray) -> np.ndarray:
        return self.scale * (points @ self.rotation) + self.translation

    def place(self, points: np.ndarray) -> np.ndarray:
        """Head frame -> frame."""
        scale, rotation, translation = self.pose
        return scale * (points @ rotation) + translation

    def unpose(self, moved: np.ndarray) -> np.ndarray:
        """Displacements [K, 3] in the frame -> in the head frame, face widths."""
        scale, rotation, _ = self.pose
        return moved @ rotation.T / scale


def prepare(image: np.ndarray, points: np.ndarray, motion: Motion, template: Template) -> Portrait:
    """image [S, S, 3] uint8, its landmarks [478, 3] with the depth of eq. 1, its motion (T = 1)."""
    method = cv2.INTER_AREA if image.shape[0] > SIZE else cv2.INTER_CUBIC
    image = cv2.resize(image, (SIZE, SIZE), interpolation=method)
    face = points[:468].astype(np.float64)
    pixels = to_pixels(face)
    mesh = build_mesh(face, template)
    matte = person_matte(image, face[:, :2])
    middle, chin = motion.x_c[_LIP_MIDDLES].mean(0).astype(np.float64), motion.x_c[_CHIN].astype(np.float64)
    pose = float(motion.s[0, 0]), motion.rotation[0], motion.t[0]
    x, y = np.meshgrid(np.arange(SIZE, dtype=np.float32), np.arange(SIZE, dtype=np.float32))
    return Portrait(
        layers=np.dstack([image, np.round(matte * 255).astype(np.uint8)]), plate=background_plate(image, matte),
        mesh=mesh, spread=interpolation_matrix(template.vertices, points[list(KEYPOINTS)], mesh.vertices[:468]),
        eyes=prepare_eyes(image, pixels, face[:, 2]), mouth_middle=middle, chin=chin, motion=motion, grid=(x, y),
        mouth=prepare_mouth(image, pixels, affine_to_pixels(mouth_plane(middle, *pose))),
        creases=prepare_creases(image, np.column_stack([pixels, face[:, 2] * (SIZE / 2)]), template))


def render(portrait: Portrait, x_source: np.ndarray, x_driving: np.ndarray) -> np.ndarray:
    """x_source [K, 3], x_driving [T, K, 3] -> [T, 512, 512, 3] uint8."""
    frames = np.empty((len(x_driving), SIZE, SIZE, 3), np.uint8)
    source = x_source.astype(np.float64)
    for index, target in enumerate(x_driving.astype(np.float64)):
        frames[index] = _frame(portrait, source, target)
    return frames


def _frame(portrait: Portrait, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    mesh, head = portrait.mesh, _head_move(portrait, source, target)
    face = mesh.vertices[:468] + portrait.spread @ (target - source)
    face = uncross(face, _LID_PAIRS, down=head.pose[1][1, :2])
    vertices = move_mesh(mesh, face, head.apply(mesh.vertices))
    layers = crease(portrait.layers, portrait.creases, head.unpose(target - head.apply(source)))
    frame = _warp_person(portrait, layers, vertices)
    pixels = to_pixels(face)
    for eye, iris in zip(portrait.eyes, _IRISES, strict=True):
        gaze = (target[iris] - head.apply(source[iris]))[:2] * (SIZE / 2)
        paint_eye(eye, frame, pixels, _move_at_depth(head, eye.depth), gaze)
    plane = affine_to_pixels(mouth_plane(portrait.mouth_middle, *head.pose))
    jaw = (target[_CHIN] - head.place(portrait.chin))[:2] * (SIZE / 2)
    paint_mouth(portrait.mouth, frame, pixels, plane, jaw)
    return frame


def _head_move(portrait: Portrait, source: np.ndarray, target: np.ndarray) -> HeadMove:
    scale, rotation, translation = fit_similarity(source[_RIGID], target[_RIGID])
    motion, factor = portrait.motion, float(scale[0])
    pose = (factor * float(motion.s[0, 0]), motion.rotation[0] @ rotation,
            factor * (motion.t[0] @ rotation) + translation)
    return HeadMove(factor, rotation, translation, pose)


def _warp_person(portrait: Portrait, layers: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """The person of the layers moved by the mesh, over the background."""
    mesh = portrait.mesh
    source, target = to_pixels(mesh.vertices), to_pixels(vertices)
    affines = backward_affines(source, target, mesh.triangles)
    order = painting_order(mesh, vertices)
    order = slivers_first(order[np.isfinite(affines[order, 0, 0])], affines)
    ids = draw_triangle_ids(target, mesh.triangles, order, SIZE)
    rows = np.nan_to_num(affines).reshape(-1, 6).T.astype(np.float32)
    a, b, c, d, e, f = (np.take(row, ids, mode="clip") for row in rows)
    x, y = portrait.grid
    moved = cv2.remap(layers, a * x + b * y + c, d * x + e * y + f, cv2.INTER_LINEAR,
                      borderMode=cv2.BORDER_REPLICATE)
    opacity = moved[..., 3].astype(np.float32) / 255
    return cv2.blendLinear(np.ascontiguousarray(moved[..., :3]), portrait.plate, opacity, 1 - opacity)


def _move_at_depth(head: HeadMove, depth: float) -> np.ndarray:
    """Affine [2, 3] from portrait pixels to frame pixels for points of one depth."""
    linear = head.scale * head.rotation[:2, :2].T
    offset = head.scale * depth * head.rotation[2, :2] + head.translation[:2]
    to_crop = np.array([-1, -1]) + 1 / SIZE  # crop coordinates of pixel (0, 0)
    shift = linear @ to_crop + offset - to_crop
    return np.concatenate([linear, shift[:, None] * (SIZE / 2)], -1)


def to_pixels(points: np.ndarray) -> np.ndarray:
    """Crop coordinates [..., >= 2] -> pixel coordinates [..., 2] of the 512 x 512 frame (pixel centres at .0)."""
    return (points[..., :2] + 1) * (SIZE / 2) - 0.5


def affine_to_pixels(affine: np.ndarray) -> np.ndarray:
    """An affine [2, 3] into crop coordinates -> into pixels."""
    return affine * (SIZE / 2) + np.array([[0, 0, SIZE / 2 - 0.5]] * 2)

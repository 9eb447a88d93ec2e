"""The inside of the mouth: dark cavity, teeth that stay with the skull, lower teeth and tongue that go with the jaw.

It is painted into the polygon of the inner lips. A portrait whose own mouth is open brings its own teeth: they
are carried along with the skull in place of the drawn ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.face.points import CHEEKS, LIPS_INNER_CONTOUR_LOWER, LIPS_INNER_CONTOUR_UPPER
from models.landmark import teeth
from models.landmark.matte import pull_push
from models.landmark.patch import Window, composite, polygon_mask, smooth_outline, warp_patch, window_of

_OWN_OPENING = 0.035  # in face widths: a mouth open wider than this shows an inside of its own
_PLANE_DEPTH = 0.03  # the teeth stand this far behind the lips, in face widths


@dataclass(frozen=True)
class Mouth:
    """`upper`, `lower` drawings and `own` patch are RGBA float32 with affines to face widths from the middle."""

    upper: np.ndarray
    lower: np.ndarray
    drawing_affine: np.ndarray  # [2, 3], of `upper` and `lower`
    own: tuple[np.ndarray, np.ndarray] | None  # patch, its affine [2, 3]
    cavity: np.ndarray  # colour [3]
    closed_gap_px: float  # lips this close are closed


def prepare_mouth(image: np.ndarray, pixels: np.ndarray, plane: np.ndarray) -> Mouth:
    """image [S, S, 3] uint8, face points [468, 2] in pixels, plane [2, 3]: mouth plane (face widths) -> pixels."""
    unit_px = float(np.sqrt(abs(np.linalg.det(plane[:, :2]))))
    colours = _colours(image, pixels)
    own_opening = np.linalg.norm(pixels[14] - pixels[13]) / unit_px
    own = _own_patch(image, pixels, plane) if own_opening > _OWN_OPENING else None
    upper, lower = teeth.draw_upper(unit_px, colours), teeth.draw_lower(unit_px, colours)
    if own is not None:  # two rows of upper teeth would show through
        upper[..., 3] = 0
    return Mouth(upper, lower, teeth.to_drawing(unit_px), own, colours.apply(teeth.CAVITY), 0.004 * unit_px)


def paint_mouth(mouth: Mouth, frame: np.ndarray, pixels: np.ndarray, plane: np.ndarray, jaw: np.ndarray,
                opacity: float = 1.0) -> None:
    """Paint into frame [S, S, 3] uint8; face points [468, 2] px, plane [2, 3] -> px, jaw drop [2] in px."""
    outline = _outline(pixels)
    opening = np.linalg.norm(pixels[14] - pixels[13])
    window = window_of(outline, frame.shape[0], margin=8)
    strength = float(np.clip((opening - mouth.closed_gap_px) / (2 * mouth.closed_gap_px), 0, 1))
    if window is None or strength == 0:
        return
    unit_px = float(np.sqrt(abs(np.linalg.det(plane[:, :2]))))
    mask = polygon_mask(outline, window)
    inside = np.broadcast_to(mouth.cavity.astype(np.float32), (*mask.shape, 3))
    with_jaw = plane + np.array([[0, 0, jaw[0]], [0, 0, jaw[1]]])
    inside = _over(inside, mouth.lower, mouth.drawing_affine, with_jaw, window)
    inside = _over(inside, mouth.upper, mouth.drawing_affine, plane, window)
    inside = inside * _shade(mask, unit_px)[..., None]
    if mouth.own is not None:
        inside = _over(inside, *mouth.own, plane, window)
    composite(frame, window, inside, mask * (strength * opacity))


def mouth_plane(middle: np.ndarray, scale: float, rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """Affine [2, 3] of the plane of the teeth, in face widths, to crop coordinates; middle [3] in the head frame."""
    origin = scale * (np.add(middle, (0, 0, _PLANE_DEPTH)) @ rotation) + translation
    return np.stack([scale * rotation[0, :2], scale * rotation[1, :2], origin[:2]], axis=-1)


def _over(below: np.ndarray, patch: np.ndarray, affine: np.ndarray, plane: np.ndarray, window: Window) -> np.ndarray:
    warped = warp_patch(patch, compose(plane, affine), window)
    opacity = warped[..., 3:]
    return below + opacity * (warped[..., :3] - below)


def _shade(mask: np.ndarray, unit_px: float) -> np.ndarray:
    """Light in the mouth [h, w]: dark under the upper lip and in the corners."""
    blurred = cv2.GaussianBlur(mask, (0, 0), max(0.014 * unit_px, 1.0))
    drop = np.array([[1, 0, 0], [0, 1, 0.012 * unit_px]], np.float32)
    lowered = cv2.warpAffine(blurred, drop, (mask.shape[1], mask.shape[0]), borderMode=cv2.BORDER_REPLICATE)
    return 0.5 + 0.5 * np.clip(1.7 * lowered - 0.35, 0, 1)


def _outline(pixels: np.ndarray) -> np.ndarray:
    upper, lower = pixels[list(LIPS_INNER_CONTOUR_UPPER)], pixels[list(LIPS_INNER_CONTOUR_LOWER)]
    return smooth_outline(upper, lower)


def _colours(image: np.ndarray, pixels: np.ndarray) -> teeth.MouthColours:
    """Colours for the inside of the mouth, from the skin of the cheeks."""
    size = image.shape[0]
    blurred = cv2.blur(image, (size // 40, size // 40))
    at = np.clip(np.round(pixels[list(CHEEKS)]).astype(int), 0, size - 1)
    skin = np.median(blurred[at[:, 1], at[:, 0]].astype(np.float64), axis=0)
    return teeth.MouthColours.from_skin(skin)


def _own_patch(image: np.ndarray, pixels: np.ndarray, plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The portrait's own mouth inside, its colours drawn on past the lips, fading out below the lower lip."""
    outline = _outline(pixels)
    reach = round(0.9 * np.linalg.norm(pixels[308] - pixels[78]))
    window = window_of(outline, image.shape[0], margin=reach)
    if window is None:
        raise ValueError("the portrait's mouth lies outside its crop")
    mask = polygon_mask(outline, window)
    core = cv2.erode(mask, np.ones((3, 3), np.uint8)) * (mask > 0.99)
    area = image[window.rows, window.columns].astype(np.float32)
    filled = pull_push(area, cv2.GaussianBlur(core, (0, 0), 0.7) * core)
    inside = mask[..., None]
    colour = inside * area + (1 - inside) * filled
    above = np.maximum.accumulate(mask[::-1], axis=0)[::-1]  # everything over the inside of the mouth
    teeth_alone = np.minimum(mask, np.roll(mask, -max(reach // 30, 1), axis=0))  # not the lower lip's edge
    opacity = np.maximum(cv2.GaussianBlur(above, (0, 0), max(reach / 40, 1.0)), teeth_alone)
    to_window = np.array([[1.0, 0, window.x], [0, 1.0, window.y]])
    return np.concatenate([colour, opacity[..., None]], -1), compose(invert(plane), to_window)


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Affine [2, 3] of `inner` first, `outer` then."""
    return np.concatenate([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2:] + outer[:, 2:]], -1)


def invert(affine: np.ndarray) -> np.ndarray:
    """Inverse of an affine [2, 3]."""
    inverse = np.linalg.inv(affine[:, :2])
    return np.concatenate([inverse, -inverse @ affine[:, 2:]], -1)

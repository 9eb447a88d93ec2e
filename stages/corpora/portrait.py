"""From an identity to the picture and resting face that its clips are rendered from."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.face.points import GROUPS, KEYPOINTS, NUM_KEYPOINTS, positions
from models.landmark.space import LandmarkFaceSpace
from models.motion.face_space import Appearance
from pipeline.weights.table import weight_path
from stages.corpora.identities import PORTRAITS, Identity

# how far each group is drawn to the canonical face; the eye's own opening and the lips' own fullness stay in part
_DRAWN = {"lips_outer_upper": 0.85, "lips_outer_lower": 0.85, "lips_inner_upper": 0.9, "lips_inner_lower": 0.9,
          "brow_right": 0.85, "brow_left": 0.85, "cheeks": 0.6, "jaw": 0.5, "eyelid_upper_right": 0.2,
          "eyelid_upper_left": 0.2, "eyelid_lower_right": 0.2, "eyelid_lower_left": 0.2}
_PARTED_PAIRS = ((80, 88), (82, 87), (13, 14), (312, 317), (310, 318))  # inner upper lip above inner lower lip


def neutral_face(x_c: np.ndarray, canonical: np.ndarray) -> np.ndarray:
    """x_c [70, 3] of a portrait with some expression, canonical face's key points [70, 3] -> resting face [70, 3]."""
    share = np.zeros((NUM_KEYPOINTS, 1))
    for group, drawn in _DRAWN.items():
        share[positions(GROUPS[group])] = drawn
    return closed_lips(x_c + share * (canonical - x_c))


def closed_lips(x_c: np.ndarray) -> np.ndarray:
    """The same face with its inner lips meeting half way; the outer lips follow, so that fullness stays."""
    closed = x_c.copy()
    half_gap = np.zeros(3)
    for upper, lower in _PARTED_PAIRS:
        rows = positions((upper, lower))
        half_gap = half_gap + (x_c[rows[1]] - x_c[rows[0]]) / 2 / len(_PARTED_PAIRS)
        closed[rows] = x_c[rows].mean(0)
    closed[positions(GROUPS["lips_outer_upper"][1:-1])] += 0.7 * half_gap
    closed[positions(GROUPS["lips_outer_lower"])] -= 0.7 * half_gap
    return closed


SIDE_PX = 512


@dataclass(frozen=True)
class Sitter:
    """An identity ready to be rendered: picture [512, 512, 3], its key points x [70, 3], resting face [70, 3]."""

    picture: np.ndarray
    appearance: Appearance
    x_source: np.ndarray
    rest: np.ndarray


def prepare_sitter(identity: Identity, space: LandmarkFaceSpace) -> Sitter:
    """Read, vary and measure a portrait; raises FaceNotFound, or WeightsError for a picture that is not there."""
    picture = vary_picture(read_portrait(identity.portrait), identity)
    picture = soften_creases(picture, space.landmarks(picture[None]).points[0])
    appearance = space.appearance(picture)
    rest = neutral_face(appearance.motion.x_c.astype(np.float64), canonical_keypoints(space))
    return Sitter(picture, appearance, space.keypoints(appearance.motion)[0], vary_shape(rest, identity.shape))


def read_portrait(name: str) -> np.ndarray:
    """The square of a portrait as RGB [512, 512, 3] uint8."""
    portrait = PORTRAITS[name]
    if portrait.weight is None:
        from skimage import data

        picture = data.astronaut()
    else:
        path = weight_path(portrait.weight)
        stored = cv2.imread(str(path))
        if stored is None:
            raise ValueError(f"{path} is no picture: run `playmate weights verify`")
        picture = cv2.cvtColor(stored, cv2.COLOR_BGR2RGB)
    x, y, side = portrait.x_px, portrait.y_px, portrait.side_px
    return cv2.resize(picture[y:y + side, x:x + side], (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)


def vary_picture(picture: np.ndarray, identity: Identity) -> np.ndarray:
    """Mirror, stretch (height over width, cut back to a square) and tint."""
    if identity.mirrored:
        picture = picture[:, ::-1]
    lab = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2LAB).astype(np.float32)
    gain, a, b = identity.tint
    lab = np.clip(lab * [gain, 1, 1] + [0, a, b], 0, 255).astype(np.uint8)
    return _stretch(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), identity.stretch)


def _stretch(picture: np.ndarray, stretch: float) -> np.ndarray:
    if stretch == 1.0:
        return picture
    width, height = (SIDE_PX, round(SIDE_PX * stretch)) if stretch > 1 else (round(SIDE_PX / stretch), SIDE_PX)
    wide = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)
    left, top = (width - SIDE_PX) // 2, height - SIDE_PX  # the body stays at the picture's lower edge
    return np.ascontiguousarray(wide[top:, left:left + SIDE_PX])


def soften_creases(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Fill the dark folds that a smile or frown leaves beside the mouth and between the brows.

    points [478, 3] in crop coordinates. Morphological closing of the lightness with a kernel wider than a fold,
    inside soft masks there alone.
    """
    pixels = (points[:, :2] + 1) / 2 * len(picture)
    face_px = float(np.linalg.norm(pixels[454] - pixels[234]))
    mask = np.zeros(picture.shape[:2], np.float32)
    for region in ((129, 203, 206, 216, 212, 202, 204, 194, 32, 140, 170, 136, 172, 58, 187, 50, 101, 36),
                   (358, 423, 426, 436, 432, 422, 424, 418, 262, 369, 395, 365, 397, 288, 411, 280, 330, 266),
                   (107, 9, 336, 285, 168, 55), (67, 109, 10, 338, 297, 334, 296, 336, 9, 107, 66, 105)):
        cv2.fillPoly(mask, [np.round(cv2.convexHull(pixels[list(region)].astype(np.float32))).astype(np.int32)], 1.0)
    lips = pixels[[61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91]].astype(np.float32)
    cv2.fillPoly(mask, [np.round(cv2.convexHull(lips)).astype(np.int32)], 0.0)
    for brow in ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)):
        hull = cv2.convexHull(pixels[list(brow)].astype(np.float32))
        cv2.fillPoly(mask, [np.round(hull).astype(np.int32)], 0.0)
    eroded = cv2.erode(mask, np.ones((3, 3)), iterations=max(1, round(0.008 * face_px)))
    soft = cv2.GaussianBlur(eroded, (0, 0), 0.015 * face_px)[..., None]
    width = 2 * round(0.05 * face_px) + 1
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)
    smooth = lab.copy()
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    smooth[..., 0] = cv2.morphologyEx(lab[..., 0], cv2.MORPH_CLOSE, kernel)
    smooth = cv2.GaussianBlur(smooth, (0, 0), 0.012 * face_px)
    mixed = lab * (1 - soft) + smooth * soft
    return cv2.cvtColor(np.clip(mixed, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)


def canonical_keypoints(space: LandmarkFaceSpace) -> np.ndarray:
    """Key points [70, 3] of the landmarker's neutral face; its irises are taken to be in the middle of the eyes."""
    face = space.template.vertices
    irises = [face[[33, 133]].mean(0), face[[362, 263]].mean(0)]
    return np.array([face[index] if index < len(face) else irises[index == 473] for index in KEYPOINTS])


def vary_shape(rest: np.ndarray, shape: tuple[float, float, float]) -> np.ndarray:
    """Scale the jaw's width, the length of the lower face and the mouth's width about their middles."""
    jaw_width, lower_length, mouth_width = shape
    varied = rest.copy()
    lips = np.concatenate([positions(GROUPS[name]) for name in GROUPS if name.startswith("lips")])
    varied[lips, 0] = rest[lips, 0].mean() + mouth_width * (rest[lips, 0] - rest[lips, 0].mean())
    jaw = positions(GROUPS["jaw"])
    varied[jaw, 0] *= jaw_width
    low = np.concatenate([lips, jaw])
    base_y = rest[positions((2,))[0], 1]
    varied[low, 1] = base_y + lower_length * (rest[low, 1] - base_y)
    return varied

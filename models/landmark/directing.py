"""What dials do to this space's key points: mouth, lids, gaze. An iris is a point on a ball that turns in the head."""

from __future__ import annotations

import numpy as np

from models.face.points import EYE_CORNERS, IRISES, MOUTH, positions
from models.landmark.retarget import LOWER, LOWER_LIP, LOWER_RIM, UPPER, UPPER_LID_SHARE, UPPER_LIP, UPPER_RIM
from models.motion.camera import rotation_from_angles

# from an eye's centre of rotation to its iris about 10 mm, from corner to corner about 30 mm
EYEBALL = 1 / 3
FREE_LIDS, LOWEST_LIDS = 0.8, 0.5  # of the lids' opening at rest: further down they give way, and never get as low
_MOUTH, _IRISES = positions(MOUTH), positions(IRISES)
_CORNERS = positions(EYE_CORNERS).reshape(2, 2)  # right eye, left eye
_TO_CAMERA = np.array([0.0, 0.0, -1.0])


def scale_mouth(delta: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Delta [T, K, 3] of which the mouth's points are scaled by [T].

    x_c has its lips shut, so delta is the mouth's displacement from rest: an opening grows or shrinks, and lips that
    meet still do. Lips that are pressed into each other are pressed no deeper.
    """
    scaled = delta.astype(np.float64)
    scaled[:, _MOUTH] *= np.asarray(scale)[:, None, None]
    overlap, allowed = (np.minimum(d[:, LOWER_LIP, 1] - d[:, UPPER_LIP, 1], 0) for d in (scaled, delta))
    deeper = np.minimum(overlap - allowed, 0) / 2  # [T, 5]
    for upper, lower in ((UPPER_LIP, LOWER_LIP), (UPPER_RIM, LOWER_RIM)):
        scaled[:, upper, 1] += deeper
        scaled[:, lower, 1] -= deeper
    return scaled


def hold_lids(x_c: np.ndarray, delta: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Delta [T, K, 3] whose lids fall freely to `FREE_LIDS` of their opening with the mean delta [K, 3], and from there
    less and less, towards `LOWEST_LIDS`: f + (h - f) exp((g - h) / (h - f)) of an opening g, slope 1 at h.

    What an emotion holds half shut (sadness, disgust: 0.3 to 0.4 of the opening at rest, the same for everybody) is
    asleep on small eyes. Blinks are not the model's: they are drawn later and shut whatever is open.
    """
    at_rest = np.maximum(((x_c + rest)[LOWER] - (x_c + rest)[UPPER])[:, 1], 1e-6)  # [6]
    points = x_c + delta
    opening = (points[:, LOWER] - points[:, UPPER])[..., 1] / at_rest  # [T, 6]
    below, room = np.minimum(opening - FREE_LIDS, 0), FREE_LIDS - LOWEST_LIDS
    lift = at_rest * (room * np.expm1(below / room) - below)  # [T, 6]
    held = delta.astype(np.float64)
    held[:, UPPER, 1] -= UPPER_LID_SHARE * lift
    held[:, LOWER, 1] += (1 - UPPER_LID_SHARE) * lift
    return held


def hold_gaze(x_c: np.ndarray, delta: np.ndarray, angles_deg: np.ndarray, own_delta: np.ndarray,
              own_angles_deg: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Delta [T, K, 3] (head frame, face widths) whose irises turn against the head by `share` [T]: 0 as in delta, 1
    eyes that look where those of the portrait do, which is taken for the camera.

    x_c [K, 3]; angles_deg [T, 3] of the head; own_delta [K, 3] and own_angles_deg [3] of the portrait. In the head's
    frame the camera lies at (0, 0, -1) R^T, and an iris moves by the eyeball's radius times the change of that.
    """
    turned = _TO_CAMERA @ np.swapaxes(rotation_from_angles(np.asarray(angles_deg, np.float64)), -1, -2)  # [T, 3]
    own = _TO_CAMERA @ rotation_from_angles(np.asarray(own_angles_deg, np.float64)).T
    radius = EYEBALL * np.linalg.norm(x_c[_CORNERS[:, 1]] - x_c[_CORNERS[:, 0]], axis=-1)  # [2]
    held = own_delta[_IRISES] + radius[:, None] * (turned - own)[:, None]  # [T, 2, 3]
    along = np.asarray(share, np.float64)[:, None, None]
    found = delta.astype(np.float64)
    found[:, _IRISES] = (1 - along) * delta[:, _IRISES] + along * held
    return found

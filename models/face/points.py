"""The K = 70 semantic key points of the landmark face space, as indices into MediaPipe's 478 points.

"Right" and "left" are the person's own. A motion lists the points in the order of `GROUPS`; `positions` turns
478-indices into rows of that list.
"""

from __future__ import annotations

import numpy as np

LIPS_OUTER_UPPER = (61, 40, 37, 0, 267, 270, 291)  # from the person's right mouth corner to the left one
LIPS_OUTER_LOWER = (91, 84, 17, 314, 321)
LIPS_INNER_UPPER = (78, 80, 82, 13, 312, 310, 308)  # with the inner corners 78 and 308
LIPS_INNER_LOWER = (88, 87, 14, 317, 318)
EYE_CORNERS = (33, 133, 362, 263)  # right outer, right inner, left inner, left outer
EYELID_UPPER_RIGHT = (160, 159, 158)
EYELID_LOWER_RIGHT = (144, 145, 153)
EYELID_UPPER_LEFT = (387, 386, 385)
EYELID_LOWER_LEFT = (373, 374, 380)
BROW_RIGHT = (70, 105, 66, 107)  # from the temple to the nose
BROW_LEFT = (300, 334, 296, 336)
NOSE = (168, 4, 2, 129, 358)  # bridge, tip, base, wings
JAW = (152, 200, 172, 397)  # chin, chin below the lip, jaw angles
FACE_SIDES = (127, 356, 234, 454)  # temples, jaw hinges
CHEEKS = (50, 280, 205, 425)
FOREHEAD = (10, 67, 297)
IRISES = (468, 473)  # right, left

MOUTH = (*LIPS_OUTER_UPPER, *LIPS_OUTER_LOWER, *LIPS_INNER_UPPER, *LIPS_INNER_LOWER, *JAW, 205, 425)  # follow speech

GROUPS: dict[str, tuple[int, ...]] = {
    "lips_outer_upper": LIPS_OUTER_UPPER, "lips_outer_lower": LIPS_OUTER_LOWER,
    "lips_inner_upper": LIPS_INNER_UPPER, "lips_inner_lower": LIPS_INNER_LOWER, "eye_corners": EYE_CORNERS,
    "eyelid_upper_right": EYELID_UPPER_RIGHT, "eyelid_lower_right": EYELID_LOWER_RIGHT,
    "eyelid_upper_left": EYELID_UPPER_LEFT, "eyelid_lower_left": EYELID_LOWER_LEFT,
    "brow_right": BROW_RIGHT, "brow_left": BROW_LEFT, "nose": NOSE, "jaw": JAW, "face_sides": FACE_SIDES,
    "cheeks": CHEEKS, "forehead": FOREHEAD, "irises": IRISES,
}
KEYPOINTS: tuple[int, ...] = tuple(index for group in GROUPS.values() for index in group)
NUM_KEYPOINTS = len(KEYPOINTS)

# rows of KEYPOINTS that no expression moves much
RIGID_KEYPOINTS = (*EYE_CORNERS, 168, *FACE_SIDES, *FOREHEAD)

# full contours among the 478, for the renderer; they run from the right corner to the left
LIPS_INNER_CONTOUR_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LIPS_INNER_CONTOUR_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
EYE_CONTOUR_UPPER_RIGHT = (33, 246, 161, 160, 159, 158, 157, 173, 133)
EYE_CONTOUR_LOWER_RIGHT = (33, 7, 163, 144, 145, 153, 154, 155, 133)
EYE_CONTOUR_UPPER_LEFT = (362, 398, 384, 385, 386, 387, 388, 466, 263)
EYE_CONTOUR_LOWER_LEFT = (362, 382, 381, 380, 374, 373, 390, 249, 263)
FACE_OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
             148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)


def positions(indices: tuple[int, ...]) -> np.ndarray:
    """Rows of the key point list that hold the given 478-indices; raises ValueError for one not in it."""
    return np.array([KEYPOINTS.index(index) for index in indices])

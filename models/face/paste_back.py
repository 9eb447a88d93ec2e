"""Put animated crops back into the whole picture, with a feathered edge (LivePortrait's last step).

The crop is a square of the picture, perhaps turned; frames are carried back by the inverse of the crop's affine map and
laid over the untouched picture. The mask is one in the middle of the crop and falls to zero towards its border along a
raised cosine, so that picture and frame, which agree there but for resampling, meet without an edge.
"""

from __future__ import annotations

import cv2
import numpy as np

FEATHER = 0.12  # of the crop's side


class PasteBack:
    """A picture [H, W, 3] and the map [2, 3] from its pixels to those of a square crop; sides are cut to even ones,
    because video needs them."""

    def __init__(self, picture: np.ndarray, matrix: np.ndarray, crop_px: int = 512):
        height, width = (side // 2 * 2 for side in picture.shape[:2])
        self.picture = np.ascontiguousarray(picture[:height, :width])
        rows, columns = _region(matrix, crop_px, height, width)
        self._region = rows, columns
        self._matrix = matrix.copy()  # from pixels of the region to pixels of the crop
        self._matrix[:, 2] += matrix[:, :2] @ [columns.start, rows.start]
        self._size = columns.stop - columns.start, rows.stop - rows.start
        self._shrink = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))  # over 1: the crop is larger than its place
        self._opacity = self._warp(feathered_mask(crop_px))
        self._behind = np.ascontiguousarray(self.picture[rows, columns])

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """frame [S, S, 3] uint8 in the crop -> the whole picture [H, W, 3] uint8."""
        whole = self.picture.copy()
        whole[self._region] = cv2.blendLinear(self._warp(frame), self._behind, self._opacity, 1 - self._opacity)
        return whole

    def _warp(self, image: np.ndarray) -> np.ndarray:
        if self._shrink > 1:  # average before sampling, or fine texture flickers
            image = cv2.GaussianBlur(image, (0, 0), 0.4 * self._shrink)
        border = cv2.BORDER_REPLICATE if image.ndim == 3 else cv2.BORDER_CONSTANT
        return cv2.warpAffine(image, self._matrix, self._size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                              borderMode=border)


def feathered_mask(side: int) -> np.ndarray:
    """[side, side] float32: one inside, zero at the border, a raised cosine over `FEATHER` of the side between."""
    depth = np.minimum(np.arange(side), np.arange(side)[::-1]) / (FEATHER * side)
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.clip(depth, 0, 1))
    return np.outer(ramp, ramp).astype(np.float32)


def _region(matrix: np.ndarray, crop_px: int, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of the picture that the crop touches."""
    back = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0], [crop_px, 0], [0, crop_px], [crop_px, crop_px]], float) @ back[:, :2].T + back[:, 2]
    low, high = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int)
    left, top = np.clip(low, 0, [width - 2, height - 2]).tolist()
    right, bottom = np.maximum(np.clip(high, 0, [width, height]), [left + 2, top + 2]).tolist()
    return slice(top, bottom), slice(left, right)

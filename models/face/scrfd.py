"""SCRFD (Guo et al. 2021) at one input size, as `insightface.model_zoo.SCRFD` computes it, number for number.

For portraits alone, where InsightFace's package (onnx, requests and its other networks with it) would take longer to
import than the picture to look at. A network has three levels of two anchors a cell: scores, boxes as distances to the
four sides, and five points as offsets, all in units of the level's stride.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from models.face.detectors import MIN_SCORE, InsightFaceDetector
from models.formats.onnx import one_thread

STRIDES, ANCHORS = (8, 16, 32), 2
SAME_FACE = 0.4     # of two boxes' union: the less certain one goes
MEAN, SCALE = 127.5, 128.0


class Scrfd:
    """A network whose input is [1, 3, size_px, size_px]; raises ValueError for any other."""

    def __init__(self, model: Path, size_px: int):
        options = one_thread()
        from onnxruntime import InferenceSession

        self.session = InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        [given] = self.session.get_inputs()
        if given.shape != [1, 3, size_px, size_px] or len(self.session.get_outputs()) != 3 * len(STRIDES):
            raise ValueError(f"{model}: wanted is an SCRFD of {size_px} px with five points, its input: {given.shape}")
        self._input = given.name

    def detect(self, image: np.ndarray, input_size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """image [H, W, 3] BGR uint8 -> boxes and scores [n, 5], points [n, 5, 2], the most certain first, in its
        pixels; `input_size` is the network's."""
        side, _ = input_size
        tall = image.shape[0] / image.shape[1]
        width, height = (int(side / tall), side) if tall > 1 else (side, int(side * tall))
        picture = np.zeros((side, side, 3), np.uint8)
        picture[:height, :width] = cv2.resize(image, (width, height))
        scores, boxes, points = self._candidates(picture)
        scale = height / image.shape[0]
        order = np.argsort(-scores[:, 0], kind="stable")
        found = np.hstack([boxes / scale, scores]).astype(np.float32)[order]
        kept = distinct(found)
        return found[kept], (points / scale)[order][kept]

    def _candidates(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scores [n, 1], boxes [n, 4] and points [n, 5, 2] in pixels of the network's picture."""
        side = len(picture)
        blob = cv2.dnn.blobFromImage(picture, 1.0 / SCALE, (side, side), (MEAN, MEAN, MEAN), swapRB=True)
        outputs = self.session.run(None, {self._input: blob})
        levels = []
        for index, stride in enumerate(STRIDES):
            score, sides, offsets = (outputs[index + kind * len(STRIDES)][0] for kind in range(3))
            rows = np.flatnonzero(score[:, 0] >= MIN_SCORE)
            cell = np.stack(np.divmod(rows // ANCHORS, side // stride)[::-1], -1)
            centre = (cell * stride).astype(np.float32)                       # [n, 2]
            sides, offsets = sides[rows] * stride, offsets[rows].reshape(-1, 5, 2) * stride
            levels.append((score[rows], np.hstack([centre - sides[:, :2], centre + sides[:, 2:]]),
                           centre[:, None] + offsets))
        scores, boxes, points = (np.concatenate(parts) for parts in zip(*levels, strict=True))
        return scores, boxes, points


def distinct(boxes: np.ndarray) -> list[int]:
    """Rows of boxes [n, >= 4], the most certain first, that lie on no box before them (in whole pixels, ends
    included)."""
    left, top, right, bottom = boxes[:, :4].T
    area = (right - left + 1) * (bottom - top + 1)
    kept, rest = [], np.arange(len(boxes))
    while rest.size:
        one, rest = int(rest[0]), rest[1:]
        kept.append(one)
        wide = np.minimum(right[one], right[rest]) - np.maximum(left[one], left[rest]) + 1
        high = np.minimum(bottom[one], bottom[rest]) - np.maximum(top[one], top[rest]) + 1
        shared = np.maximum(wide, 0) * np.maximum(high, 0)
        rest = rest[shared / (area[one] + area[rest] - shared) <= SAME_FACE]
    return kept


class ScrfdDetector(InsightFaceDetector):
    """`InsightFaceDetector` without InsightFace's package, of one picture size."""

    def __init__(self, model: Path, size_px: int):
        self._network, self._size, self._landmarks = Scrfd(model, size_px), (size_px, size_px), None

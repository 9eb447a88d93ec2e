"""Portrait and background apart: a soft matte of the person, and the background behind the person.

GrabCut (Rother et al. 2004) from the landmarks, its edge fitted to the picture by a guided filter (He et al. 2013).
The hidden background is filled from what surrounds the person, by pull-push (Gortler et al. 1996).
"""

from __future__ import annotations

import cv2
import numpy as np

from models.face.points import FACE_OVAL

_WORK_PX = 192  # GrabCut runs on a picture of this size
_ROUNDS = 4


def person_matte(image: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Soft matte [S, S] float32 in [0, 1] of image [S, S, 3] uint8; face [468, 2] in crop coordinates."""
    small = cv2.resize(image, (_WORK_PX, _WORK_PX), interpolation=cv2.INTER_AREA)
    labels = _seeds((face + 1) * (_WORK_PX / 2) - 0.5)
    person = (cv2.GC_FGD, cv2.GC_PR_FGD)
    if 0 < np.isin(labels, person).sum() < labels.size:  # a face that fills the picture leaves no background
        cv2.setRNGSeed(0)  # GrabCut's colour clusters start at random
        background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(small, labels, (0, 0, 0, 0), background, foreground, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    mask = _largest_part(np.isin(labels, person).astype(np.uint8))
    size = image.shape[0]
    coarse = cv2.resize(mask.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    coarse = cv2.GaussianBlur(np.clip(coarse, 0, 1), (0, 0), size / _WORK_PX)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    soft = guided_filter(grey, coarse, radius=size // 64, epsilon=1e-4)
    return np.clip((soft - 0.15) / 0.7, 0, 1)


def background_plate(image: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """The picture [S, S, 3] uint8 without the person."""
    reach = image.shape[0] // 28
    person = cv2.dilate((matte > 0.02).astype(np.uint8), np.ones((reach, reach), np.uint8))
    known = cv2.GaussianBlur(1 - person.astype(np.float32), (0, 0), 2) * (1 - person)
    return np.clip(pull_push(image.astype(np.float32), known), 0, 255).astype(np.uint8)


def pull_push(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill values [H, W, C] float32 where known [H, W] in [0, 1] is below 1, smoothly from where it is not."""
    height, width = known.shape
    if min(height, width) <= 2:
        total = known.sum()
        mean = (values * known[..., None]).sum((0, 1)) / total if total > 0 else values.mean((0, 1))
        return known[..., None] * values + (1 - known[..., None]) * mean
    half = (width + 1) // 2, (height + 1) // 2
    weight = cv2.resize(known, half, interpolation=cv2.INTER_AREA)
    summed = cv2.resize(values * known[..., None], half, interpolation=cv2.INTER_AREA)
    coarse = pull_push(summed / np.maximum(weight, 1e-6)[..., None], np.minimum(weight * 4, 1))
    coarse = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return known[..., None] * values + (1 - known[..., None]) * coarse


def guided_filter(guide: np.ndarray, values: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """Smooth values [H, W] along the edges of guide [H, W], both float32 in [0, 1]."""
    window = (2 * radius + 1, 2 * radius + 1)
    mean_guide, mean_values = cv2.blur(guide, window), cv2.blur(values, window)
    covariance = cv2.blur(guide * values, window) - mean_guide * mean_values
    slope = covariance / (cv2.blur(guide * guide, window) - mean_guide**2 + epsilon)
    offset = mean_values - slope * mean_guide
    return cv2.blur(slope, window) * guide + cv2.blur(offset, window)


def _seeds(face: np.ndarray) -> np.ndarray:
    """GrabCut labels from face points in pixels: the face is sure, hair and body likely, the rest unlikely."""
    labels = np.full((_WORK_PX, _WORK_PX), cv2.GC_PR_BGD, np.uint8)
    oval = face[list(FACE_OVAL)]
    centre, chin = oval.mean(0), face[152]
    width, height = np.ptp(oval[:, 0]), np.ptp(oval[:, 1])
    head = centre - [0, 0.22 * height]
    cv2.ellipse(labels, _ellipse(head, 0.78 * width, 0.88 * height), cv2.GC_PR_FGD, -1)
    bottom = _WORK_PX + 10
    body = [[chin[0] - 0.35 * width, chin[1]], [chin[0] + 0.35 * width, chin[1]],
            [chin[0] + 1.3 * width, chin[1] + 0.75 * height], [chin[0] + 1.5 * width, bottom],
            [chin[0] - 1.5 * width, bottom], [chin[0] - 1.3 * width, chin[1] + 0.75 * height]]
    cv2.fillPoly(labels, [np.round(body).astype(np.int32)], cv2.GC_PR_FGD)
    neck = [[chin[0] - 0.2 * width, centre[1]], [chin[0] + 0.2 * width, centre[1]],
            [chin[0] + 0.2 * width, chin[1] + 0.35 * height], [chin[0] - 0.2 * width, chin[1] + 0.35 * height]]
    cv2.fillPoly(labels, [np.round(neck).astype(np.int32)], cv2.GC_FGD)
    cv2.ellipse(labels, _ellipse(centre - [0, 0.12 * height], 0.57 * width, 0.6 * height), cv2.GC_FGD, -1)
    cv2.fillPoly(labels, [np.round(centre + (oval - centre) * 0.95).astype(np.int32)], cv2.GC_FGD)
    return labels


def _ellipse(centre: np.ndarray, half_width: float, half_height: float) -> tuple:
    return (float(centre[0]), float(centre[1])), (float(2 * half_width), float(2 * half_height)), 0.0


def _largest_part(mask: np.ndarray) -> np.ndarray:
    """The largest connected part of mask [H, W] uint8, its holes filled."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if count < 2:
        return mask
    mask = (parts == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(mask, contours, -1, 1, cv2.FILLED)

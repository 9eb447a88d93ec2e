"""Drawings of what an open mouth shows: two rows of teeth with their gums, and a tongue.

Lengths are in face widths (about 140 mm), from the mean sizes of human teeth seen from the front. Every drawing
is an RGBA picture whose origin is the middle of the closed mouth's line, x right, y down.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

HALF_WIDTH, TOP, BOTTOM = 0.26, -0.16, 0.16  # what a drawing covers
_OVERSAMPLING = 4

# width seen from the front and length, from the middle outwards: incisors, canine, premolars
_UPPER = ((0.060, 0.072), (0.046, 0.064), (0.044, 0.068), (0.032, 0.056), (0.024, 0.050))
_LOWER = ((0.038, 0.056), (0.041, 0.056), (0.042, 0.060), (0.034, 0.052), (0.026, 0.046))
_UPPER_EDGE = 0.013  # the upper incisors end 2 mm below the closed lips' line
_LOWER_EDGE = -0.004

_SKIN, _LUMINANCE = (205, 162, 142), (0.299, 0.587, 0.114)
ENAMEL, GUM, TONGUE, CAVITY = (232, 215, 184), (170, 88, 84), (158, 76, 76), (44, 15, 15)


@dataclass(frozen=True)
class MouthColours:
    """How the light of the portrait differs from that of the drawings, judged by its skin."""

    brightness: float
    saturation: float  # 0 in a black-and-white picture
    tint: np.ndarray  # [3] gain of red, green, blue

    @classmethod
    def from_skin(cls, skin: np.ndarray) -> MouthColours:
        """skin [3] RGB; the drawings are coloured for `_SKIN`."""
        luminance, reference = np.dot(skin, _LUMINANCE), np.dot(_SKIN, _LUMINANCE)
        saturation = (skin.max() - skin.min()) / max(skin.max(), 1.0)
        gain = (np.maximum(skin, 1.0) / max(luminance, 1.0)) / (np.array(_SKIN) / reference)
        return cls(float(np.clip(luminance / reference, 0.35, 1.08)), float(np.clip(saturation / 0.3, 0, 1)),
                   np.clip(gain, 0.6, 1.5) ** (0.5 * min(saturation / 0.3, 1)))

    def apply(self, colour: tuple[int, int, int]) -> np.ndarray:
        """A colour of the drawings in the light of the portrait."""
        grey = np.full(3, np.dot(colour, _LUMINANCE))
        coloured = grey + (np.array(colour) - grey) * self.saturation
        return np.clip(coloured * self.brightness * self.tint, 0, 255)


def draw_upper(pixels_per_unit: float, colours: MouthColours) -> np.ndarray:
    """Upper teeth and gum, RGBA float32 [h, w, 4], colour in [0, 255], opacity in [0, 1]."""
    canvas = _Canvas(pixels_per_unit, colours)
    canvas.polygon(_band(_UPPER, TOP, _UPPER_EDGE - 0.045), GUM)
    canvas.row(_UPPER, _UPPER_EDGE, upwards=True)
    return canvas.finish(darkest=0.42)


def draw_lower(pixels_per_unit: float, colours: MouthColours) -> np.ndarray:
    """Tongue, lower teeth and gum, RGBA float32 [h, w, 4]; they belong to the jaw."""
    canvas = _Canvas(pixels_per_unit, colours)
    canvas.tongue()
    canvas.polygon(_band(_LOWER, _LOWER_EDGE + 0.035, BOTTOM), GUM)
    canvas.row(_LOWER, _LOWER_EDGE, upwards=False)
    return canvas.finish(darkest=0.35) * np.array([0.8, 0.8, 0.8, 1], np.float32)


def to_drawing(pixels_per_unit: float) -> np.ndarray:
    """Affine [2, 3] from drawing pixels to face widths from the mouth's middle."""
    step = 1 / pixels_per_unit
    return np.array([[step, 0, -HALF_WIDTH + step / 2], [0, step, TOP + step / 2]])


class _Canvas:
    def __init__(self, pixels_per_unit: float, colours: MouthColours):
        self.scale = pixels_per_unit * _OVERSAMPLING
        self.width = round(2 * HALF_WIDTH * pixels_per_unit)
        self.height = round((BOTTOM - TOP) * pixels_per_unit)
        self.colours = colours
        self.picture = np.zeros((self.height * _OVERSAMPLING, self.width * _OVERSAMPLING, 4), np.float32)

    def polygon(self, points: np.ndarray, colour: tuple[int, int, int], light: float = 1.0) -> None:
        pixels = (points - [-HALF_WIDTH, TOP]) * self.scale - 0.5
        rgba = (*(self.colours.apply(colour) * light), 1.0)
        cv2.fillPoly(self.picture, [np.round(pixels).astype(np.int32)], rgba)

    def row(self, teeth: tuple[tuple[float, float], ...], edge: float, upwards: bool) -> None:
        root = edge - 0.04 if upwards else edge + 0.03
        self.polygon(_band(teeth, *sorted((edge - (0.012 if upwards else -0.012), root))), ENAMEL, light=0.68)
        for side in (-1, 1):
            at = 0.0
            for number, (width, length) in enumerate(teeth):
                rise = 0.004 * (number == 1) + 0.0015 * number**1.5  # the row curves away from the viewer
                tip = edge - rise if upwards else edge + rise
                end = tip - length if upwards else tip + length
                for inset, light in ((0.0, 0.86), (0.0035, 0.95), (0.008, 1.0)):
                    self.polygon(_tooth(side * (at + width / 2), width - 0.003 - inset, tip, end), ENAMEL, light)
                at += width

    def tongue(self) -> None:
        for shrink, light in ((1.0, 0.6), (0.85, 0.75), (0.65, 0.88), (0.4, 0.95)):
            angle = np.linspace(0, 2 * np.pi, 48)
            ellipse = np.stack([0.13 * shrink * np.cos(angle), 0.03 + 0.062 * shrink * np.sin(angle)], -1)
            self.polygon(ellipse, TONGUE, light)

    def finish(self, darkest: float) -> np.ndarray:
        """Softened, darker towards the sides, in final size."""
        soft = cv2.GaussianBlur(self.picture, (0, 0), 0.006 * self.scale)
        picture = cv2.resize(soft, (self.width, self.height), interpolation=cv2.INTER_AREA)
        across = (np.arange(self.width) + 0.5) / self.width * 2 - 1
        light = darkest + (1 - darkest) * np.cos(np.clip(across * 1.25, -1, 1) * np.pi / 2) ** 0.8
        colour = picture[..., :3] / np.maximum(picture[..., 3:], 1e-3)
        return np.concatenate([colour * light[None, :, None], picture[..., 3:]], -1).astype(np.float32)


def _tooth(middle: float, width: float, tip: float, end: float) -> np.ndarray:
    """Outline of one tooth: a superellipse at the tip, straight towards the gum."""
    angle = np.linspace(0, np.pi, 24)
    x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.55
    y = np.abs(np.sin(angle)) ** 0.55
    direction = np.sign(tip - end)
    shoulder = tip - direction * min(0.016, abs(tip - end) / 2)
    outline = np.stack([middle + x * width / 2, shoulder + y * (tip - shoulder)], -1)
    return np.concatenate([outline, [[middle - 0.42 * width, end], [middle + 0.42 * width, end]]])


def _band(teeth: tuple[tuple[float, float], ...], top: float, bottom: float) -> np.ndarray:
    half = sum(width for width, _ in teeth)
    return np.array([[-half, top], [half, top], [half, bottom], [-half, bottom]])

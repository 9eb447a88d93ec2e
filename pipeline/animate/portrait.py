"""Portraits as people have them: any picture format and size, one face to animate among those found.

Pictures come from outside: only formats that Pillow reads itself are tried (none that starts another program), and
the size in the header is checked before anything is decoded. HEIC, what phones write, is read by libheif.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
from PIL import Image, ImageOps, UnidentifiedImageError

from models.face.face import Face
from pipeline.media.lettering import draw_outlined

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "AVIF", "JPEG2000", "TGA", "HEIF")
MAX_PIXELS = 100_000_000
MAX_SIDE_PX = 1920          # larger pictures are scaled down: the crop has 512 px
MIN_SIDE_PX = 32
BACKGROUND = (255, 255, 255)  # behind transparent parts
YELLOW = (255, 210, 0)
RIVAL_AREA = 0.25           # a second face of this share of the first one's area could be meant as well

pillow_heif.register_heif_opener(thumbnails=False)


class PortraitError(ValueError):
    """A portrait cannot be animated; the message says why and what to do."""


class SeveralFacesError(PortraitError):
    """More than one face could be meant, and none was chosen."""


def read_portrait(source: Path | str | bytes | np.ndarray) -> np.ndarray:
    """Decode a picture, upright, opaque, at most `MAX_SIDE_PX` wide or high -> RGB uint8 [H, W, 3].

    `source`: a path, the bytes of a picture file, or an array [H, W], [H, W, 1|3|4] of uint8. Raises PortraitError,
    whose messages leave it to the caller to name the file.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    file = io.BytesIO(source) if isinstance(source, bytes) else Path(source)
    if isinstance(file, Path) and not file.is_file():
        raise PortraitError("the portrait does not exist or is not a file")
    try:
        with Image.open(file, formats=FORMATS) as image:
            _check_size(image.size)
            image.draft("RGB", (MAX_SIDE_PX, MAX_SIDE_PX))  # JPEG decodes straight to a smaller picture
            return _finish(image)
    except UnidentifiedImageError as error:
        raise PortraitError(f"the portrait is no picture that can be read; accepted: {', '.join(FORMATS)}") from error
    except PortraitError:
        raise
    except Image.DecompressionBombError as error:
        raise PortraitError(f"the portrait is too large, scale it down: {error}") from error
    except PermissionError as error:
        raise PortraitError(f"the portrait cannot be read: {error.strerror}") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise PortraitError(f"the portrait is damaged: {error}") from error


def _from_array(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise PortraitError(f"a portrait array is uint8 [H, W] or [H, W, 1|3|4], got {array.dtype} {array.shape}")
    _check_size(array.shape[1::-1])
    return _finish(Image.fromarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array))


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise PortraitError(f"the portrait has {width}x{height} pixels, more than {MAX_PIXELS // 10**6} million: "
                            "scale it down")
    if min(width, height) < MIN_SIDE_PX:
        raise PortraitError(f"the portrait has {width}x{height} pixels; at least {MIN_SIDE_PX} on each side are needed")


def _finish(image: Image.Image) -> np.ndarray:
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    if "A" in image.getbands() or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, (*BACKGROUND, 255)), layer)
    image = image.convert("RGB")
    image.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX), Image.Resampling.LANCZOS)
    return np.array(image)


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit and float grey pictures: the brightest value becomes white when it is over 255."""
    values = np.nan_to_num(np.asarray(image, np.float32))
    top = 65535.0 if image.mode.startswith("I;16") or values.max() > 255 else 255.0
    return Image.fromarray(np.clip(values * (255.0 / top), 0, 255).astype(np.uint8))


def by_size(faces: Sequence[Face]) -> list[Face]:
    """Faces in the order of their numbers, which begin at 1: largest first."""
    return sorted(faces, key=lambda face: (-_area(face), *face.box))


def choose_face(faces: Sequence[Face], number: int | None = None) -> Face:
    """The face to animate of those sorted by size: the largest, or the one of `number`. Raises PortraitError."""
    if not faces:
        raise PortraitError("no face found in the portrait: use a picture with one clear, roughly frontal face, at "
                            "least a tenth of the picture's height")
    if number is not None and not 1 <= number <= len(faces):
        raise PortraitError(f"face {number} was asked for, but the portrait has {len(faces)}")
    return faces[0 if number is None else number - 1]


def rivals(faces: Sequence[Face]) -> bool:
    """Whether another face is nearly as large as the largest, so that nobody knows which one is meant."""
    return len(faces) > 1 and _area(faces[1]) >= RIVAL_AREA * _area(faces[0])


def draw_numbers(image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
    """A copy of the picture [H, W, 3] with the box and number of every face (sorted by size)."""
    drawn = np.ascontiguousarray(image).copy()
    thick = max(2, max(image.shape[:2]) // 300)
    for number, face in enumerate(faces, 1):
        left, top, right, bottom = face.box.round().astype(int).tolist()
        cv2.rectangle(drawn, (left, top), (right, bottom), YELLOW, thick)
        draw_outlined(drawn, str(number), left + thick, top - 14 * thick, 10 * thick, YELLOW)
    return drawn


def _area(face: Face) -> float:
    return float(np.prod(face.box[2:] - face.box[:2]))

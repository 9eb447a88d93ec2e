"""Pictures as people have them: any format, size, colour space and orientation -> upright opaque sRGB.

Pictures come from outside: only formats that Pillow reads itself are tried (none that starts another program), and
the size in the header is checked before anything is decoded. HEIC, what phones write, is read by libheif.
"""

from __future__ import annotations

import io
import struct
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from pipeline.animate.decoded import PortraitError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "AVIF", "JPEG2000", "TGA", "HEIF")
MAX_PIXELS = 100_000_000
MAX_SIDE_PX = 1920          # larger pictures are scaled down: the crop has 512 px
MIN_SIDE_PX = 32
BACKGROUND = (255, 255, 255)  # behind transparent parts
ORIENTATION = 0x0112          # the tag of EXIF
UPRIGHT = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
           5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
           8: Image.Transpose.ROTATE_90}
DAMAGED = (OSError, ValueError, SyntaxError, struct.error, AttributeError, OverflowError, TypeError, KeyError,
           IndexError, ZeroDivisionError)   # that Pillow and its parsers of metadata raise
PROFILE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def read_picture(source: Path | str | bytes | np.ndarray) -> np.ndarray:
    """Decode a picture, upright, opaque, at most `MAX_SIDE_PX` wide or high -> RGB uint8 [H, W, 3].

    `source`: a path, the bytes of a picture file, or an array [H, W], [H, W, 1|3|4] of uint8. Raises PortraitError,
    whose messages leave it to the caller to name the file.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    _know_heif()
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
    except DAMAGED as error:
        raise PortraitError(f"the portrait is damaged: {error}") from error


@cache
def _know_heif() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)


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
    image = _srgb(_upright(image))
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    if "A" in image.getbands() or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, (*BACKGROUND, 255)), layer)
    image = image.convert("RGB")
    image.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX), Image.Resampling.LANCZOS)
    return np.array(image)


def _upright(image: Image.Image) -> Image.Image:
    """Turned by its orientation; a picture whose metadata cannot be read is taken as it lies."""
    image.load()
    try:
        orientation = image.getexif().get(ORIENTATION)
    except DAMAGED:
        return image
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def _srgb(image: Image.Image) -> Image.Image:
    """Colours by the picture's own profile (phones have Display P3); without one, or with a broken one, as sRGB."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        mode = PROFILE_MODES[profile.profile.xcolor_space.strip()]
        alpha = image.getchannel("A") if mode + "A" == image.mode else None
        if alpha is None and mode != image.mode:
            return image
        plain = image if alpha is None else image.convert(mode)
        turned = ImageCms.profileToProfile(plain, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (*DAMAGED, ImageCms.PyCMSError):
        return image
    if turned is not None and alpha is not None:
        turned.putalpha(alpha)
    return turned or image


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit and float grey pictures: white is 65535 where a value is over 255, 1 of a float picture without a larger
    one, else 255."""
    values = np.nan_to_num(np.asarray(image, np.float32))
    top = 65535.0 if image.mode.startswith("I;16") or values.max() > 255 else 255.0
    top = 1.0 if image.mode == "F" and values.max() <= 1 else top
    return Image.fromarray(np.clip(values * (255.0 / top), 0, 255).astype(np.uint8))



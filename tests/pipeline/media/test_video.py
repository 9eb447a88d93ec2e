"""Pictures as players show them: the whole display matrix, the pixel aspect; what is refused."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.media.container import MediaError, open_media
from pipeline.media.video import Limits, Upright, blend_lines, probe, timed_frames, video_stream

LIMITS = Limits(4320, 14400.0)
IDENTITY = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
STORED = np.zeros((48, 96, 3), np.uint8)   # red above left, green above right, blue below left, black below right
STORED[:24, :48, 0], STORED[:24, 48:, 1], STORED[24:, :48, 2] = 220, 200, 220


def film(path: Path, aspect: Fraction | None = None, transfer: str | None = None) -> Path:
    with av.open(str(path), "w") as out:
        options = {"crf": "1", "threads": "1"} | ({"color_trc": transfer} if transfer else {})
        stream = out.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 48, "yuv420p"
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for _ in range(5):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(STORED, format="rgb24")))
        out.mux(stream.encode(None))
    return path


def shown(path: Path) -> np.ndarray:
    with open_media(path) as container:
        stream = video_stream(container)
        _, frame = next(timed_frames(container, stream))
        upright = Upright(stream)
        image = upright(frame)
        assert image.shape[1::-1] == upright.size(frame)
        return image


def corners(image: np.ndarray) -> str:
    """What stands above left, above right, below left, below right."""
    height, width = image.shape[:2]
    at = [image[y, x].astype(int) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    return "".join("rgb"[int(colour.argmax())] if colour.max() > 120 else "k" for colour in at)


@pytest.mark.parametrize(("matrix", "expected"), [
    ((1, 0, 0, 1), "rgbk"), ((-1, 0, 0, 1), "grkb"), ((1, 0, 0, -1), "bkrg"), ((-1, 0, 0, -1), "kbgr"),
    ((0, 1, -1, 0), "brkg"),    # a quarter to the right: what was below left is above left
    ((0, -1, 1, 0), "gkrb"), ((0, 1, 1, 0), "rbgk"), ((0, -1, -1, 0), "kgbr")])
def test_the_whole_display_matrix(tmp_path, matrix, expected):
    """The eight turns and mirrors: a point (x, y) is shown at (a x + c y, b x + d y)."""
    path = film(tmp_path / "a.mp4")
    a, b, c, d = (value << 16 for value in matrix)
    data = path.read_bytes()
    place = data.rfind(IDENTITY)   # that of the track comes after the film's
    assert place > data.find(IDENTITY)
    changed = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data[:place] + changed + data[place + 36:])
    assert corners(shown(path)) == expected
    with av.open(str(path)) as media:   # PyAV's own word for the turns
        turn = next(media.decode(video=0)).rotation
    if matrix in ((1, 0, 0, 1), (-1, 0, 0, -1), (0, 1, -1, 0), (0, -1, 1, 0)):
        np.testing.assert_array_equal(corners(np.rot90(STORED, turn / 90)), expected)


def test_pixels_that_are_not_square_are_squared(tmp_path):
    image = shown(film(tmp_path / "a.mp4", Fraction(2)))
    assert image.shape == (48, 192, 3) and corners(image) == "rgbk"
    assert probe(tmp_path / "a.mp4", LIMITS).width_px == 192


@pytest.mark.parametrize(("transfer", "word"), [("smpte2084", "PQ"), ("arib-std-b67", "HLG")])
def test_wide_range_light_is_refused(tmp_path, transfer, word):
    with pytest.raises(MediaError, match=f"wide_range: its light is stored as {word}"):
        probe(film(tmp_path / "a.mp4", transfer=transfer), LIMITS)


def test_combs_of_an_interlaced_picture_are_blended(tmp_path):
    """A white bar that moved by 32 px between the moments of the even and the odd lines."""
    combed = np.zeros((48, 96, 3), np.uint8)
    combed[::2, 8:24], combed[1::2, 40:56] = 255, 255
    with av.open(str(tmp_path / "a.ts"), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "1", "x264-params": "tff=1", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 96, 48, "yuv420p"
        for _ in range(5):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(combed, format="rgb24")))
        out.mux(stream.encode(None))
    image = shown(tmp_path / "a.ts")[2:-2].astype(int)
    for bar in (slice(10, 22), slice(42, 54)):
        np.testing.assert_allclose(image[:, bar], 128, atol=6)
    assert image[:, 60:].max() < 12
    np.testing.assert_array_equal(blend_lines(combed)[:2, 8, 0], [191, 128])   # (3 x 255 + 0) / 4, (255 + 255) / 4


def test_a_codec_that_nobody_knows(tmp_path):
    path = film(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(MediaError, match="no_decoder"):
        probe(path, LIMITS)

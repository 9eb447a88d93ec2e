"""Raw video as frames with presentation times (PyAV, streaming); its header is checked before decoding."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar, cast

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from pipeline.media.container import MediaError, open_media, start_s

MAX_GAP_S = 2          # a longer hole in the presentation times is not a talking clip
MAX_BACKWARDS = 250    # frames in a row whose time does not advance
TAGGED = (1, 4, 5, 6, 7, 9, 10)  # colour spaces that libswscale knows by the frame's own tag
WIDE_RANGE = {16: "PQ (HDR)", 18: "HLG (HDR)"}  # transfer functions, ISO/IEC 23091-2
FIRST_PX = 128         # longer side of the picture that a rejected clip is shown by
# for pictures that are written again: without its last two flags every pixel becomes 1.2 of 255 darker on the way
EXACT = int(Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND)
HD_HEIGHT_PX = 720     # untagged pictures of this height and more are BT.709, smaller ones BT.601
AS_BT601 = (5, 6)      # tags of its matrix
RESERVED = (0, 3)      # tags that no encoder takes


@dataclass(frozen=True)
class Colours:
    """What stored pictures mean (ISO/IEC 23091-2): `matrix` 1 (BT.709) or 6 (BT.601), `primaries` and `transfer`, 2
    where the film says nothing."""

    matrix: int = 1
    primaries: int = 1
    transfer: int = 1


BT709 = Colours()


def colours_of(frame: av.VideoFrame) -> Colours:
    """What a film in the colours of `frame` is to be written with: other matrices become BT.709."""
    small = _is_untagged(frame) and frame.height < HD_HEIGHT_PX
    primaries, transfer = (2 if int(tag) in RESERVED else int(tag) for tag in (frame.color_primaries, frame.color_trc))
    return Colours(6 if small or int(frame.colorspace) in AS_BT601 else 1, primaries, transfer)


def _is_untagged(frame: av.VideoFrame) -> bool:
    return int(frame.colorspace) not in TAGGED


@dataclass(frozen=True)
class Limits:
    """Bounds on what a header may claim."""

    max_side_px: int
    max_source_s: float


@dataclass(frozen=True)
class Probe:
    """What is known of a video after its first frame."""

    width_px: int            # of the upright picture with square pixels
    height_px: int
    fps: float               # average, by the header
    declared_s: float | None
    start_s: Fraction        # presentation time of the first frame at or after zero
    container_s: Fraction    # where the file's own timeline begins
    has_sound: bool
    first: np.ndarray        # [h, w, 3] the first picture, small


def video_stream(container: av.container.InputContainer):
    """The video stream with the largest picture; attached cover art does not count."""
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not streams:
        raise MediaError("probe", "no_video", "the file has no video stream")
    streams = [s for s in streams if s.codec_context is not None]
    if not streams:
        raise MediaError("probe", "no_decoder", "its video is of a kind that cannot be decoded here")
    stream = max(streams, key=lambda s: (s.codec_context.width or 0) * (s.codec_context.height or 0))
    stream.codec_context.thread_count = 1
    return stream


def probe(path: Path, limits: Limits, whole: bool = True) -> Probe:
    """Check the header against `limits`, decode one frame; raises MediaError. `whole`: the duration counts too."""
    with open_media(path) as container:
        stream = video_stream(container)
        check_size(stream, limits)
        declared = _declared_s(container, stream)
        if whole and declared is not None and declared > limits.max_source_s:
            raise MediaError("probe", "too_long", f"the header claims {declared:.0f} s", declared)
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        first = next(timed_frames(container, stream), None)
        if first is None:
            raise MediaError("decode", "no_frames", "not one frame could be decoded", 0.0)
        time, frame = first
        check_range(frame)
        upright = Upright(stream)
        return Probe(*upright.size(frame), fps, declared, max(time, Fraction(0)), start_s(container),
                     bool(container.streams.audio), upright.small(frame, FIRST_PX))


def check_size(stream, limits: Limits) -> None:
    """Hold the picture size of the header against the limits; raises MediaError."""
    width, height = stream.codec_context.width or 0, stream.codec_context.height or 0
    if min(width, height) <= 0:
        raise MediaError("probe", "no_video", "the header gives no picture size that a decoder takes", 0.0)
    if max(width, height) > limits.max_side_px:
        raise MediaError("probe", "too_large", f"{width}x{height}, at most {limits.max_side_px} px a side is read",
                         float(max(width, height)))


def check_range(frame: av.VideoFrame) -> None:
    transfer = WIDE_RANGE.get(int(frame.color_trc))
    if transfer is not None:
        raise MediaError("probe", "wide_range", f"its light is stored as {transfer}, which would look washed out: "
                         "convert it to standard dynamic range (BT.709)")


def _declared_s(container, stream) -> float | None:
    if stream.duration is not None and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def timed_frames(container, stream, from_s: Fraction | None = None) -> Iterator[tuple[Fraction, av.VideoFrame]]:
    """(presentation time in s, frame), in order of time; from the key frame before `from_s` where given.

    Frames that do not advance in time are left out. Raises MediaError for holes, damage and a change of size.
    """
    if from_s is not None:
        container.seek(max(0, int(from_s / stream.time_base)), stream=stream)
    previous, size, stuck = None, None, 0
    for frame in container.decode(stream):
        time = _time(frame, stream, previous)
        if previous is not None and time <= previous:
            stuck += 1
            if stuck > MAX_BACKWARDS:
                raise MediaError("decode", "timestamps", "the presentation times do not advance", float(time))
            continue
        if previous is not None and time - previous > MAX_GAP_S:
            raise MediaError("decode", "timestamps", f"no frame for {float(time - previous):.1f} s",
                             float(time - previous))
        size = size or (frame.width, frame.height)
        if (frame.width, frame.height) != size:
            raise MediaError("decode", "size_change", f"{size} becomes {(frame.width, frame.height)}", float(time))
        if frame.is_corrupt and from_s is None:
            raise MediaError("decode", "broken_media", f"a damaged frame at {float(time):.2f} s", float(time))
        previous, stuck = time, 0
        yield time, frame


def _time(frame: av.VideoFrame, stream, previous: Fraction | None) -> Fraction:
    if frame.pts is not None and frame.time_base is not None:
        return frame.pts * frame.time_base
    rate = stream.average_rate or stream.guessed_rate or 25
    return Fraction(0) if previous is None else previous + 1 / Fraction(rate)


def frame_duration(frame: av.VideoFrame, stream) -> Fraction:
    """How long a frame is shown, in s: by its own word unless that is far below the usual (last frames often lie)."""
    usual = min(1 / Fraction(stream.average_rate or 25), Fraction(1))
    own = frame.duration * frame.time_base if frame.duration and frame.time_base is not None else usual
    return min(own, Fraction(1)) if 2 * own >= usual else usual


@dataclass(frozen=True)
class Orientation:
    """How a stored picture is shown: axes swapped first, then mirrored."""

    swapped: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """image [H, W, 3] -> as it is shown, a view."""
        image = image.transpose(1, 0, 2) if self.swapped else image
        return image[::-1 if self.mirrored_y else 1, ::-1 if self.mirrored_x else 1]


def orientation(frame: av.VideoFrame) -> Orientation:
    """The frame's display matrix (ISO/IEC 14496-12, 6.2.2), to the nearest of the eight turns and mirrors.

    A stored point (x, y) is shown at (a x + c y, b x + d y).
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return Orientation()
    a, b, _, c, d = struct.unpack("=5i", bytes(cast(bytes, data))[:20])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


class Upright:
    """Frames of one stream -> upright RGB with square pixels; of use after the file is closed, too.

    Scalers are kept: making one costs more than using it.
    """

    def __init__(self, stream):
        aspect = stream.sample_aspect_ratio or Fraction(1)
        self._aspect = aspect if Fraction(1, 4) <= aspect <= 4 else Fraction(1)
        self._scalers: dict[tuple, VideoReformatter] = {}

    def size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """(width, height) of the picture as it is meant to be seen: square pixels, turned and mirrored."""
        width, height = self._square_pixels(frame)
        return (height, width) if orientation(frame).swapped else (width, height)

    def _square_pixels(self, frame: av.VideoFrame) -> tuple[int, int]:
        return max(1, round(frame.width * self._aspect)), frame.height

    def __call__(self, frame: av.VideoFrame, scale: float = 1.0, interpolation: str | int = "AREA") -> np.ndarray:
        """RGB uint8 [H, W, 3], `scale` times the size, by the frame's own colour space.

        `interpolation`: a name of libswscale's, or EXACT.
        """
        width, height = self._square_pixels(frame)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        hd = frame.height >= HD_HEIGHT_PX
        source = (Colorspace.ITU709 if hd else Colorspace.ITU601) if _is_untagged(frame) else None
        scaler = self._scalers.setdefault((size, interpolation), VideoReformatter())
        image = scaler.reformat(frame, *size, format="rgb24", src_colorspace=source, interpolation=interpolation,
                                threads=1).to_ndarray()
        return orientation(frame)(blend_lines(image) if frame.interlaced_frame else image)

    def small(self, frame: av.VideoFrame, longest_px: int, interpolation: str = "AREA") -> np.ndarray:
        """The picture with its longer side at most `longest_px`."""
        return self(frame, min(1.0, longest_px / max(self.size(frame))), interpolation)


def blend_lines(image: np.ndarray) -> np.ndarray:
    """An interlaced picture [H, W, 3], every other line of which is another moment's, without its combs: each line is
    half itself and half its neighbours."""
    lines = np.pad(image, ((1, 1), (0, 0), (0, 0)), mode="edge").astype(np.uint16)
    return ((lines[:-2] + 2 * lines[1:-1] + lines[2:] + 2) // 4).astype(np.uint8)


Picture = TypeVar("Picture")
HALF = Fraction(1, 2)


def steady(pictures: Iterable[tuple[Fraction, Picture]], fps: int, first: int = 0) -> Iterator[tuple[int, Picture]]:
    """(presentation time in s, picture), in order -> (i, picture) for i = first, first + 1, ...

    Output i shows the last picture that appears before (i + 1/2) / fps: each picture appears within half an output
    frame of its time, whatever the source rate. What is shown before the first picture is the first picture. The
    last picture is given once: the caller knows how long it lasts.
    """
    index, shown = first, None
    for time, picture in pictures:
        while shown is not None and (index + HALF) / fps <= time:
            yield index, shown
            index += 1
        shown = picture
    if shown is not None:
        yield index, shown

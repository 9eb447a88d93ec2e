"""Films that we write (PyAV): H.264 + AAC, plays in browsers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Colorspace, VideoReformatter

from models.motion.clock import SAMPLE_RATE_HZ
from pipeline.core.atomic import atomic_path
from pipeline.media.video import BT709, Colours

# the tag of every film of a face that a model moved
SYNTHETIC = {"description": "Synthetic video: the face was animated by a model and did not say this."}
AAC_FRAME = 1024
CLOCK = Fraction(1, 90000)   # of frames that have times of their own
AAC_RATES_HZ = (16000, 22050, 24000, 32000, 44100, 48000)  # others are resampled to the next one, at most 48 kHz


@dataclass(frozen=True)
class Soundtrack:
    """Sound that is decoded while it is written: float32 `pieces` [C, n] of any n, C = `channels`, 1 or 2."""

    rate_hz: int
    channels: int
    pieces: Iterator[np.ndarray]


def film_rate_hz(rate_hz: int) -> int:
    """The rate that sound of `rate_hz` has in a film."""
    return min((rate for rate in AAC_RATES_HZ if rate >= rate_hz), default=AAC_RATES_HZ[-1])


def write_video(path: Path, frames: Iterable[np.ndarray], fps: Fraction | int,
                waveform: np.ndarray | Soundtrack | None = None, rate_hz: int = SAMPLE_RATE_HZ, crf: int = 18,
                tags: dict[str, str] | None = None, finish: Callable[[Path], None] | None = None,
                times: Iterator[Fraction] | None = None, colours: Colours = BT709) -> int:
    """Encode RGB uint8 `frames` [H, W, 3] (even sides) and sound, mono float32 `waveform` [N] at `rate_hz` or a
    `Soundtrack`, which has a rate of its own; return the frame count.

    H.264 yuv420p in limited range, in BT.709 or other `colours`, with faststart and a key frame each second.
    `frames` may be a generator: memory does not grow with length. `times`: when each frame appears, in s from the
    start; None: every 1 / `fps`. `finish` may change the file before it gets its name. Raises ValueError when there
    is no frame.
    """
    with atomic_path(path) as temporary:
        count = _encode(temporary, frames, fps, waveform, rate_hz, crf, tags or {}, times, colours)
        if count == 0:
            raise ValueError(f"{path}: there is no frame to write")
        if finish is not None:
            finish(temporary)
    return count


def _encode(path: Path, frames: Iterable[np.ndarray], fps: Fraction | int, waveform: np.ndarray | Soundtrack | None,
            rate_hz: int, crf: int, tags: dict[str, str], times: Iterator[Fraction] | None,
            colours: Colours) -> int:
    count, scaler = 0, VideoReformatter()  # one for all frames: making a scaler costs more than using it
    with av.open(str(path), "w", options={"movflags": "faststart"}) as out:
        out.metadata.update(tags)
        video = out.add_stream("libx264", rate=Fraction(fps), options={
            "crf": str(crf), "preset": "veryfast", "g": str(max(1, round(fps))), "threads": "1",
            "colorspace": str(colours.matrix), "color_primaries": str(colours.primaries),
            "color_trc": str(colours.transfer), "color_range": "tv"})
        video.pix_fmt = "yuv420p"
        sound = None if waveform is None else _Sound(out, _track(waveform, rate_hz))
        if times is not None:
            video.codec_context.time_base = CLOCK
        for image in frames:
            if count == 0:
                video.height, video.width = image.shape[:2]
            frame = _video_frame(image, scaler, colours)
            time = Fraction(count) / Fraction(fps)
            if times is not None:
                time = next(times)
                frame.pts, frame.time_base = round(time / CLOCK), CLOCK
            out.mux(video.encode(frame))
            count += 1
            if sound is not None:
                sound.mux_until(time + 1 / Fraction(fps))
        if count == 0:
            return 0
        out.mux(video.encode(None))
        if sound is not None:
            sound.finish()
    return count


def _video_frame(image: np.ndarray, scaler: VideoReformatter, colours: Colours) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    matrix = Colorspace.ITU709 if colours.matrix == BT709.matrix else Colorspace.ITU601
    return scaler.reformat(frame, format="yuv420p", dst_colorspace=matrix, threads=1)


def _track(sound: np.ndarray | Soundtrack, rate_hz: int) -> Soundtrack:
    if isinstance(sound, Soundtrack):
        return sound
    return Soundtrack(rate_hz, 1, (sound[None, i:i + AAC_FRAME] for i in range(0, len(sound), AAC_FRAME)))


class _Sound:
    """Sound of a file, encoded step by step beside the picture, so that players find both in one place."""

    def __init__(self, out: av.container.OutputContainer, track: Soundtrack):
        self._out, self._track, self._start = out, track, 0
        self._layout = "mono" if track.channels == 1 else "stereo"
        self._held = np.zeros((track.channels, 0), np.float32)
        self._stream = out.add_stream("aac", rate=track.rate_hz, layout=self._layout)

    def mux_until(self, time_s: float | Fraction) -> None:
        """Encode whole AAC frames that begin before `time_s`."""
        rate_hz = self._track.rate_hz
        while self._start < time_s * rate_hz and (piece := self._next()).size:
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=self._layout)
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, self._start, Fraction(1, rate_hz)
            self._out.mux(self._stream.encode(frame))
            self._start += AAC_FRAME

    def finish(self) -> None:
        self.mux_until(float("inf"))
        self._out.mux(self._stream.encode(None))

    def _next(self) -> np.ndarray:
        """The next AAC frame's samples [C, <= 1024], none of them at the end."""
        while self._held.shape[1] < AAC_FRAME and (more := next(self._track.pieces, None)) is not None:
            self._held = np.concatenate([self._held, more], axis=1)
        piece, self._held = self._held[:, :AAC_FRAME], self._held[:, AAC_FRAME:]
        return np.array(piece, dtype=np.float32)


def write_sound(path: Path, waveform: np.ndarray, rate_hz: int) -> None:
    """Write mono float32 [N] as AAC in an .m4a (MP4) container."""
    with atomic_path(path) as temporary, av.open(str(temporary), "w", format="mp4") as out:
        _Sound(out, _track(waveform, rate_hz)).finish()

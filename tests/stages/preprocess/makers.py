"""Small media files with flashes and clicks at known times."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

TICKS = 90000
FLASH_S = 0.2


def regular(fps: Fraction | float, seconds: float) -> list[Fraction]:
    """Presentation times of a constant rate."""
    fps = Fraction(fps).limit_denominator(3000)
    return [Fraction(i) / fps for i in range(int(seconds * fps))]


def irregular(seconds: float, seed: int = 0) -> list[Fraction]:
    """Presentation times 15 to 90 ms apart."""
    steps = np.random.default_rng(seed).integers(15, 90, size=int(seconds / 0.0525) + 100) / 1000
    return [Fraction(round(t * TICKS), TICKS) for t in np.cumsum(steps) - steps[0] if t < seconds]


def flash_times(times: Sequence[Fraction], count: int = 5) -> list[Fraction]:
    """Frame times at which flashes begin: the first and last within 0.4 s of the ends."""
    wanted = np.linspace(0.3, float(times[-1]) - 0.3, count)
    return [min(times, key=lambda t: abs(float(t) - w)) for w in wanted]


def flashes(times: Sequence[Fraction], at: Sequence[Fraction], size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """Dark pictures, white for 0.2 s from each time of `at`."""
    bright = [any(a <= t < a + Fraction(1, 5) for a in at) for t in times]
    return [np.full((size[1], size[0], 3), 235 if on else 16, np.uint8) for on in bright]


def clicks(at: Sequence[Fraction], seconds: float, rate: int) -> np.ndarray:
    """Silence with a 4 ms burst from each time of `at`; float32 [N]."""
    waveform = np.zeros(int(seconds * rate), np.float32)
    for time in at:
        start = round(time * rate)
        length = len(waveform[start:start + rate // 250])
        waveform[start:start + length] = 0.8 * np.sin(2 * np.pi * 2000 * np.arange(length) / rate)
    return waveform


def write(path: Path, pictures: Sequence[np.ndarray], times: Sequence[Fraction], sound: np.ndarray | None = None,
          rate: int = 48000, sound_start: Fraction = Fraction(0), codec: str = "libx264", sound_codec: str = "aac",
          aspect: Fraction | None = None, rotation: int = 0, keys: int = 12, pix_fmt: str = "yuv420p",
          options: dict | None = None, ticks: int = TICKS, encoder: dict | None = None) -> Path:
    """Encode pictures at their presentation times with mono sound that begins at `sound_start`."""
    with av.open(str(path), "w", options=options or {}) as out:
        video = out.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = pictures[0].shape[1], pictures[0].shape[0], pix_fmt
        video.codec_context.time_base = Fraction(1, ticks)
        video.codec_context.gop_size = keys
        if codec == "libx264":
            video.options = {"crf": "18", "preset": "ultrafast", "threads": "1"} | (encoder or {})
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        if rotation:
            video.set_display_rotation(rotation)
        audio = out.add_stream(sound_codec, rate=rate, layout="mono") if sound is not None else None
        packets = _audio(audio, sound, rate, sound_start) if audio is not None else []
        for picture, time in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = round(time * ticks), Fraction(1, ticks)
            packets += video.encode(frame)
        packets += video.encode(None)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            out.mux(packet)
    return path


def write_sound(path: Path, sound: np.ndarray, rate: int = 48000, codec: str = "aac",
                format: str | None = None) -> Path:
    """A sound file alone."""
    with av.open(str(path), "w", format=format) as out:
        for packet in _audio(out.add_stream(codec, rate=rate, layout="mono"), sound, rate, Fraction(0)):
            out.mux(packet)
    return path


def _audio(stream, sound: np.ndarray, rate: int, start: Fraction) -> list:
    packets, form = [], "s16" if stream.codec_context.codec.name.startswith("pcm_s16") else "fltp"
    for at in range(0, len(sound), 1024):
        piece = np.ascontiguousarray(sound[None, at:at + 1024])
        piece = (piece * 32767).astype(np.int16) if form == "s16" else piece
        frame = av.AudioFrame.from_ndarray(piece, format=form, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, at + round(start * rate), Fraction(1, rate)
        packets += stream.encode(frame)
    return packets + stream.encode(None)

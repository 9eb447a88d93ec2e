"""Raw sound -> mono at one rate, each sample at its presentation time; holes are silence."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pipeline.media.container import MediaError
from pipeline.media.video import container_start, opened

MAX_HOLE_S = 30
JITTER_S = 0.02  # containers round sound times to milliseconds: smaller steps than this are not holes


def read_sound(path: Path, zero_s: Fraction, length_s: float, rate_hz: int, own_clock: bool) -> np.ndarray:
    """Mono float32 [N] with sample 0 at `zero_s`, at most `length_s` long; shorter where the sound ends earlier.

    `own_clock`: a separate sound file, whose own start stands for the video file's start (zero_s is then counted from
    that). Sound that begins later is preceded by silence, what lies before zero is left out. Raises MediaError.
    """
    with opened(path) as container:
        if not container.streams.audio:
            raise MediaError("probe", "no_sound", "the file has no audio stream")
        stream = container.streams.audio[0]
        if stream.codec_context is None:
            raise MediaError("probe", "no_decoder", "its sound is of a kind that cannot be decoded here")
        stream.codec_context.thread_count = 1
        zero_s = zero_s + container_start(container) if own_clock else zero_s
        if zero_s > 10:
            container.seek(int((zero_s - 5) * av.time_base))
        pieces = list(_resampled(_placed(container, stream, zero_s, length_s), rate_hz))
    waveform = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    if not np.isfinite(waveform).all():
        share = 1.0 - float(np.isfinite(waveform).mean())
        raise MediaError("decode", "broken_sound", "samples that are not numbers", share)
    return waveform[:round(length_s * rate_hz)]


def _placed(container, stream, zero_s: Fraction, length_s: float) -> Iterator[tuple[int, np.ndarray]]:
    """(source rate, mono samples [n]) without holes, beginning at zero_s."""
    mono = av.AudioResampler(format="flt", layout="mono")
    written, rate = 0, 0  # samples given so far
    for frame in container.decode(stream):
        rate = rate or frame.sample_rate
        if frame.sample_rate != rate:
            raise MediaError("decode", "broken_sound", f"the rate changes from {rate} to {frame.sample_rate} Hz")
        time = frame.pts * frame.time_base if frame.pts is not None else None
        frame.pts = None
        samples = np.concatenate([np.zeros(0, np.float32), *(p.to_ndarray().reshape(-1) for p in mono.resample(frame))])
        place = written if time is None else round((time - zero_s) * rate)
        if abs(place - written) <= JITTER_S * rate and written:
            place = written
        if place - written > MAX_HOLE_S * rate:
            raise MediaError("decode", "timestamps", f"no sound for {(place - written) / rate:.1f} s",
                             (place - written) / rate)
        if place > written:
            yield rate, np.zeros(place - written, np.float32)
            written = place
        samples = samples[written - place:]
        if len(samples):
            yield rate, samples
            written += len(samples)
        if written > (length_s + 1) * rate:
            return


def _resampled(pieces: Iterator[tuple[int, np.ndarray]], rate_hz: int) -> Iterator[np.ndarray]:
    resampler = None
    for rate, samples in pieces:
        resampler = resampler or av.AudioResampler(format="flt", layout="mono", rate=rate_hz)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="flt", layout="mono")
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        yield from (out.to_ndarray().reshape(-1) for out in resampler.resample(frame))
    if resampler is not None:
        yield from (out.to_ndarray().reshape(-1) for out in resampler.resample(None))

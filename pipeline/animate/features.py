"""Speech features for the motion generator, piece by piece: of a whole waveform, or of chunks as they arrive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from models.speech.encoder import SAMPLES_PER_FRAME, SpeechEncoder

PIECE_FRAMES = 1500         # a whole waveform is encoded in pieces of a minute ...
CONTEXT_FRAMES = 50         # ... with two seconds on either side that are thrown away


def whole_features(encoder: SpeechEncoder, waveform: np.ndarray, frames: int) -> Iterator[np.ndarray]:
    """Features of a waveform [N] in pieces [<= 1500, D] that add up to `frames`; memory does not grow with N."""
    for start in range(0, frames, PIECE_FRAMES):
        stop = min(start + PIECE_FRAMES, frames)
        first, last = max(0, start - CONTEXT_FRAMES), min(frames, stop + CONTEXT_FRAMES)
        piece = waveform[first * SAMPLES_PER_FRAME:last * SAMPLES_PER_FRAME]
        yield encoder.encode(piece, last - first)[start - first:stop - first]


def chunk_features(encoder: SpeechEncoder, chunks: Iterable[np.ndarray], first_frames: int, step_frames: int,
                   left_frames: int, right_frames: int) -> Iterator[np.ndarray]:
    """Features of speech that arrives in chunks [n] of any size: [first_frames, D], then [step_frames, D] each.

    Frames are given out as soon as `right_frames` of speech after them are there; the encoder sees `left_frames` before
    them. So the delay is bounded by step and right context, memory by all three. The number of frames is
    round(25 x duration), at least one, as for a whole waveform.
    """
    held, first, done, step = np.zeros(0, np.float32), 0, 0, first_frames  # samples from frame `first` on; given out
    for chunk in chunks:
        held = np.concatenate([held, np.asarray(chunk, np.float32)])
        while len(held) >= (done + step + right_frames - first) * SAMPLES_PER_FRAME:
            frames = done + step + right_frames - first
            features = encoder.encode(held[:frames * SAMPLES_PER_FRAME], frames)
            yield features[done - first:done - first + step]
            done, step = done + step, step_frames
            dropped = max(0, done - left_frames - first)
            held, first = held[dropped * SAMPLES_PER_FRAME:], first + dropped
    total = max(1, round(first + len(held) / SAMPLES_PER_FRAME))
    if total > done:
        features = encoder.encode(held, total - first)[done - first:]
        yield from (features[start:start + step_frames] for start in range(0, len(features), step_frames))

"""Speech features for the motion generator, piece by piece: of a whole waveform, or of chunks as they arrive.

Speech is brought to one level first, and neighbouring pieces fade into each other: nothing twitches where they meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from models.speech.encoder import SAMPLES_PER_FRAME, SpeechEncoder
from models.speech.level import LevelMeter

PIECE_FRAMES = 1500         # a whole waveform is encoded in pieces of a minute ...
CONTEXT_FRAMES = 50         # ... with two seconds on either side ...
FADE_FRAMES = 25            # ... of which the first behind a piece fades into the next one


def whole_features(encoder: SpeechEncoder, waveform: np.ndarray, frames: int) -> Iterator[np.ndarray]:
    """Features of a waveform [N] in pieces [<= 1500, D] that add up to `frames`; memory does not grow with N."""
    gain, behind = _gain(waveform), None
    for start in range(0, frames, PIECE_FRAMES):
        stop = min(start + PIECE_FRAMES, frames)
        first, last = max(0, start - CONTEXT_FRAMES), min(frames, stop + CONTEXT_FRAMES)
        piece = waveform[first * SAMPLES_PER_FRAME:last * SAMPLES_PER_FRAME] * gain
        encoded = encoder.encode(piece, last - first)[start - first:]
        yield _fade_in(behind, encoded[:stop - start])
        behind = encoded[stop - start:][:FADE_FRAMES]


def _gain(waveform: np.ndarray) -> np.float32:
    meter, step = LevelMeter(), PIECE_FRAMES * SAMPLES_PER_FRAME
    for start in range(0, len(waveform), step):
        meter.hear(waveform[start:start + step])
    return np.float32(meter.gain())


def _fade_in(behind: np.ndarray | None, piece: np.ndarray) -> np.ndarray:
    """A piece [n, D] whose first frames grow out of what the piece before it has for them, [<= FADE_FRAMES, D]."""
    if behind is None or not len(behind):
        return piece
    shared = min(len(behind), len(piece))
    weight = ((np.arange(shared) + 0.5) / shared)[:, None].astype(piece.dtype)
    return np.concatenate([behind[:shared] + weight * (piece[:shared] - behind[:shared]), piece[shared:]])


def chunk_features(encoder: SpeechEncoder, chunks: Iterable[np.ndarray], first_frames: int, step_frames: int,
                   left_frames: int, right_frames: int) -> Iterator[np.ndarray]:
    """Features of speech that arrives in chunks [n] of any size: [first_frames, D], then [step_frames, D] each.

    Frames are given out as soon as `right_frames` of speech after them are there; the encoder sees `left_frames` before
    them, at the level of all that was heard so far. So the delay is bounded by step and right context, memory by all
    three. The number of frames is round(25 x duration), at least one, as for a whole waveform.
    """
    meter, behind = LevelMeter(), None
    held, first, done, step = np.zeros(0, np.float32), 0, 0, first_frames  # samples from frame `first` on; given out
    for chunk in chunks:
        held = np.concatenate([held, np.asarray(chunk, np.float32)])
        meter.hear(np.asarray(chunk, np.float32))
        while len(held) >= (done + step + right_frames - first) * SAMPLES_PER_FRAME:
            frames = done + step + right_frames - first
            piece = held[:frames * SAMPLES_PER_FRAME] * np.float32(meter.gain())
            features = encoder.encode(piece, frames)[done - first:]
            yield _fade_in(behind, features[:step])
            behind = features[step:][:FADE_FRAMES]
            done, step = done + step, step_frames
            dropped = max(0, done - left_frames - first)
            held, first = held[dropped * SAMPLES_PER_FRAME:], first + dropped
    total = max(1, round(first + len(held) / SAMPLES_PER_FRAME))
    if total > done:
        features = _fade_in(behind, encoder.encode(held * np.float32(meter.gain()), total - first)[done - first:])
        yield from (features[start:start + step_frames] for start in range(0, len(features), step_frames))

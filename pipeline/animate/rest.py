"""The mouth rests where nobody speaks: in hiss, hum, music and long silence.

The model has learned to, but not for every sound that people send. So a voice-activity network listens along; where it
hears no voice for a while the lips are brought together, and open again before the next word. Pauses within a talk stay
as the model has them: people keep their mouth open there, and breathe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from models.judges.voice import WINDOW, VoiceActivity
from models.motion.face_space import FaceSpace
from models.motion.motion import RHO_DIM
from models.speech.encoder import FPS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from models.speech.level import LevelMeter

VOICE = 0.2            # probability: below the network's own 0.5, so that soft or sung words do not shut the mouth
AFTER_S = 1.1          # without a voice; together with what is known of the future a pause of a second and a half
BEFORE_S = 0.4         # known of the future: what a stream has of it
RAMP_FRAMES = 7        # to shut, or to open: 0.28 s


class Awake:
    """Hears the speech as it is turned into features, and says how far [0, 1] the mouth is free in every frame."""

    def __init__(self, voice: VoiceActivity):
        self._stream, self._meter, self._heard = voice.listen(), LevelMeter(), 0
        self._voiced = np.zeros(0, bool)  # windows of 32 ms, from `_first` on
        self._first, self._frame, self._share = 0, 0, None

    def along(self, features: Iterable[np.ndarray], waveform: np.ndarray) -> Iterator[np.ndarray]:
        """Pass on features [n, D] of a whole waveform [N], whose level is known beforehand."""
        step, done = 60 * SAMPLE_RATE_HZ, 0
        for start in range(0, len(waveform), step):
            self._meter.hear(waveform[start:start + step])
        for piece in features:
            done += len(piece)
            until = done * SAMPLES_PER_FRAME + round(BEFORE_S * SAMPLE_RATE_HZ)
            self._hear(waveform[self._heard:until])
            yield piece

    def listening(self, chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Pass on speech [n] that arrives."""
        for chunk in chunks:
            self._meter.hear(np.asarray(chunk, np.float32))
            self._hear(chunk)
            yield chunk

    def _hear(self, samples: np.ndarray) -> None:
        found = self._stream.hear(np.asarray(samples, np.float32) * np.float32(self._meter.gain()))
        self._voiced = np.concatenate([self._voiced, found >= VOICE])
        self._heard += len(samples)

    def take(self, frames: int) -> np.ndarray:
        """Of the next frames [frames]: 1 where the mouth is the model's, 0 where it rests."""
        wanted = np.array([self._voice_near((self._frame + i) / FPS) for i in range(frames)])
        self._frame += frames
        shares = np.empty(frames)
        for i, awake in enumerate(wanted):
            before = float(awake) if self._share is None else self._share
            self._share = before + np.clip(float(awake) - before, -1 / RAMP_FRAMES, 1 / RAMP_FRAMES)
            shares[i] = self._share
        self._forget()
        return shares

    def _voice_near(self, time_s: float) -> bool:
        first, last = (int(second * SAMPLE_RATE_HZ / WINDOW) - self._first
                       for second in (time_s - AFTER_S, time_s + BEFORE_S))
        return bool(self._voiced[max(first, 0):last + 1].any())

    def _forget(self) -> None:
        old = int((self._frame / FPS - AFTER_S) * SAMPLE_RATE_HZ / WINDOW) - self._first - 1
        if old > 0:
            self._voiced, self._first = self._voiced[old:], self._first + old


def with_rest(space: FaceSpace, x_c: np.ndarray, windows: Iterator[np.ndarray], awake: Awake) -> Iterator[np.ndarray]:
    """Windows [n, 3K + 7] of motion of a face x_c [K, 3], one after the other, lips together where it rests."""
    for window in windows:
        delta = window[:, :-RHO_DIM].reshape(len(window), -1, 3)
        shut = delta + space.shut_mouth(x_c + delta, 1 - awake.take(len(window)))
        yield np.concatenate([shut.reshape(len(window), -1), window[:, -RHO_DIM:]], axis=1).astype(window.dtype)

"""Live use: speech in chunks as they arrive, frames out with a bounded delay, for hours in the same memory.

    with AnimatorStream(animator, animator.portrait("face.jpg"), emotion="happy") as stream:
        for chunk in microphone:                # float32 [n] at 16 kHz, any n up to 30 s
            show(stream.push(chunk))            # the frames that this chunk made possible
        show(stream.finish())

Frame i is there as soon as the speech to the end of its window and `RIGHT_S` beyond has been pushed. There are as many
frames as for the same speech in one file. They are not bit for bit the same: the speech encoder hears `LEFT_S` of the
past where a whole file gives it more (docs/LOG.md has the measured difference).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from models.generation.request import REPEATED
from models.motion.clock import FPS, SAMPLE_RATE_HZ
from pipeline.animate.animator import Animator, Portrait
from pipeline.animate.direction import Direction, Emotion
from pipeline.animate.emotion import as_weights, timeline_frames
from pipeline.animate.features import chunk_features
from pipeline.animate.speech import SpeechError

LEFT_S, RIGHT_S = 20.0, 0.4
MAX_CHUNK_S = 30.0
_END = object()  # no more speech; no more frames
_HUNGRY = object()  # all that can be made is made


@dataclass(frozen=True)
class _Failure:
    error: BaseException


class AnimatorStream:
    """One film that is made while its speech arrives.

    `window` (frames generated at once; None: the model's) sets the delay: the first frame needs window / 25 + 0.4 s of
    speech. Pose is "generated" or "still"; other options are those of `Direction`; raises what `Animator.animate` does.
    """

    def __init__(self, animator: Animator, portrait: Portrait, emotion: Emotion = None,
                 pose: Literal["generated", "still"] = "generated",
                 window: int | None = None, paste_back: bool = False, **options: Any):
        if pose not in ("generated", "still"):
            raise ValueError(f"pose {pose!r}: a stream takes generated or still")
        self._labels, direction = animator.labels, Direction(emotion, **options)
        self._weights = as_weights(emotion, animator.labels, timeline_frames(emotion, FPS), FPS)
        self._first = window or animator.head.generator.window
        awake = animator.awake(direction)
        arriving = self._arriving() if awake is None else awake.listening(self._arriving())
        features = chunk_features(animator.encoder, arriving, self._first, self._first - REPEATED,
                                  round(LEFT_S * FPS), round(RIGHT_S * FPS))
        motions = animator.motions(portrait, features, self._weights, pose, direction, window)
        self._frames = animator.render(portrait, animator.rest_mouth(portrait, motions, awake), paste_back)
        # the pipeline pulls speech, callers push it: it runs in a thread of its own, one of the two at a time
        self._inbox: queue.SimpleQueue = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True, name="animator-stream")
        self._ended = False

    @property
    def first_delay_s(self) -> float:
        """Seconds of speech that the first frame needs."""
        return (self._first + round(RIGHT_S * FPS)) / FPS

    def push(self, samples: np.ndarray) -> list[np.ndarray]:
        """Take speech [n], float in [-1, 1] at 16 kHz -> frames [H, W, 3] that can be made now; raises SpeechError."""
        samples = np.asarray(samples)
        if samples.ndim != 1 or samples.dtype.kind != "f" or len(samples) > MAX_CHUNK_S * SAMPLE_RATE_HZ:
            raise SpeechError(f"a chunk of speech is float [n] at 16 kHz, at most {MAX_CHUNK_S:g} s, got "
                              f"{samples.dtype} {list(samples.shape)}")
        if not np.isfinite(samples).all():
            raise SpeechError("the chunk of speech holds samples that are no numbers")
        return self._exchange(np.clip(samples, -1.0, 1.0))

    def finish(self) -> list[np.ndarray]:
        """The frames that are left; nothing can be pushed after it."""
        frames = self._exchange(_END)
        self._thread.join()
        return frames

    def set_emotion(self, emotion: Emotion) -> None:
        """Another emotion from the next window on; raises ValueError where the stream began without one."""
        if self._weights is None:
            raise ValueError("begin the stream with an emotion (neutral, say) to change it later")
        weights = as_weights(emotion, self._labels, 1, FPS)
        if weights is None:
            raise ValueError("an emotion is needed")
        self._weights[:] = np.atleast_2d(weights)[-1]

    def close(self) -> None:
        """Stop without the frames that are left."""
        if self._thread.is_alive() and not self._ended:
            self.finish()

    def __enter__(self) -> AnimatorStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _exchange(self, item: Any) -> list[np.ndarray]:
        if self._ended:
            raise ValueError("this stream has ended")
        if not self._thread.is_alive():
            self._thread.start()
            self._collect()  # until it asks for speech
        self._ended = item is _END
        self._inbox.put(item)
        return self._collect()

    def _collect(self) -> list[np.ndarray]:
        frames = []
        while (got := self._outbox.get()) is not _HUNGRY and got is not _END:
            if isinstance(got, _Failure):
                self._ended = True
                raise got.error
            frames.append(got)
        return frames

    def _arriving(self) -> Iterator[np.ndarray]:
        while True:
            self._outbox.put(_HUNGRY)
            item = self._inbox.get()
            if item is _END:
                return
            yield item

    def _work(self) -> None:
        try:
            for frame in self._frames:
                self._outbox.put(frame)
            self._outbox.put(_END)
        except BaseException as error:  # whatever it is belongs to the caller
            self._outbox.put(_Failure(error))

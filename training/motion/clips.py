"""Training clips: normalised motion, speech features, identity and emotion of each, read when they are asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import overload

import numpy as np
import torch
from cachetools import LRUCache

from models.transformer.motion_transformer import MotionTransformer

INPUT_CLIPS = 2000  # that the inputs' standardisation is fitted on; more would change nothing but the time


@dataclass(frozen=True)
class TrainingClip:
    """T frames at 25 fps; `emotion` is an index into the model's labels, -1 where the clip has none."""

    clip_id: str
    x_c: np.ndarray  # [K, 3] float32
    motion: np.ndarray  # [T, D] float32, normalised
    speech: np.ndarray  # [T, A] float16 or float32
    emotion: int = -1

    def __len__(self) -> int:
        return len(self.motion)

    @property
    def nbytes(self) -> int:
        return self.x_c.nbytes + self.motion.nbytes + self.speech.nbytes


class Clips(Sequence[TrainingClip]):
    """Clips by index."""

    def __init__(self, clip_ids: Sequence[str], emotions: Sequence[int]):
        self.clip_ids, self.emotions = list(clip_ids), list(emotions)

    def __len__(self) -> int:
        return len(self.clip_ids)

    @overload
    def __getitem__(self, index: int) -> TrainingClip: ...
    @overload
    def __getitem__(self, index: slice) -> list[TrainingClip]: ...

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._at(range(len(self))[index])

    @abstractmethod
    def _at(self, index: int) -> TrainingClip: ...


class StoredClips(Clips):
    """Clips by index, loaded on first use; the last `cache_bytes` used stay in memory. For one thread at a time.

    `frames` and `emotions` are those of each clip, known without loading it; `content` is a digest of all arrays.
    """

    def __init__(self, clip_ids: Sequence[str], frames: Sequence[int], emotions: Sequence[int], content: str,
                 load: Callable[[str], TrainingClip], cache_bytes: int):
        super().__init__(clip_ids, emotions)
        self.frames, self.content, self._load = list(frames), content, load
        self._kept: LRUCache[int, TrainingClip] = LRUCache(
            cache_bytes, getsizeof=lambda clip: min(clip.nbytes, cache_bytes))  # one that is larger stays alone

    def _at(self, index: int) -> TrainingClip:
        clip = self._kept.get(index)
        if clip is None:
            clip = self._load(self.clip_ids[index])
            self._kept[index] = clip
        return clip


def fit_inputs(model: MotionTransformer, clips: Sequence[TrainingClip], motion_mask: np.ndarray) -> None:
    """Set the model's speech and identity standardisation from training clips, and its live motion dimensions.

    Moments are summed in float64 in clip order, over 2000 clips at most, evenly spaced; `motion_mask` [D] is True
    where a dimension moves.
    """
    some = range(0, len(clips), -(-len(clips) // INPUT_CLIPS))
    model.speech_norm.fit(*_moments(lambda: (clips[i].speech for i in some)))
    model.identity_norm.fit(*_moments(lambda: (clips[i].x_c.reshape(1, -1) for i in some)))
    model.motion_mask.copy_(torch.from_numpy(np.asarray(motion_mask, np.float32)))


def _moments(arrays: Callable[[], Iterator[np.ndarray]]) -> tuple[torch.Tensor, torch.Tensor]:
    count = sum(len(array) for array in arrays())
    mean = _total(array.sum(axis=0, dtype=np.float64) for array in arrays()) / count
    variance = _total(((array.astype(np.float64) - mean) ** 2).sum(axis=0) for array in arrays()) / count
    return torch.from_numpy(mean).float(), torch.from_numpy(np.sqrt(variance)).float()


def _total(values: Iterable[np.ndarray]) -> np.ndarray:
    return reduce(np.add, values)

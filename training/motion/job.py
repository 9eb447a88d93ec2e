"""All that one training run needs, the same on every worker; `training/motion/build.py` builds it from params.yaml."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.motion.normalization import MotionStatistics
from models.transformer.motion_transformer import MotionTransformer
from training.engine.checkpoint import CheckpointStore
from training.engine.loop import State
from training.engine.optimiser import OptimiserSettings
from training.motion.batches import BatchSettings
from training.motion.clips import TrainingClip
from training.motion.losses import Objective


@dataclass
class Job:
    """Parameters of `model` without requires_grad stay frozen."""

    model: MotionTransformer
    clips: Sequence[TrainingClip]
    validation_clips: Sequence[TrainingClip]
    batches: BatchSettings
    objective: Objective
    optimiser: OptimiserSettings
    seed: int
    checkpoints: CheckpointStore
    statistics: MotionStatistics | None = None  # None: validation tells nothing in the face space's units
    emotion_centres: dict[int, np.ndarray] = field(default_factory=dict)  # label -> mean normalised expression [3K]
    on_state: Callable[[State], None] = field(default=lambda state: None)  # after a checkpoint was written
    state_every: int = 0  # steps after which a checkpoint is due for `on_state`; 0: none
    loaders: int = 1  # threads that build batches; more than one wants `unpack`
    unpack: Callable[[], Sequence[TrainingClip]] | None = None  # `clips` as windows can be read of; None: as they are
    on_step: Callable[[int], None] = field(default=lambda step: None)  # for tests that interrupt a run

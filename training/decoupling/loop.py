"""The training loop over pairs of frames, which tunes LivePortrait by eq. 2-4."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from models.judges.vgg import VggFeatures
from models.liveportrait.networks import Networks
from pipeline.core.model_params import Tune
from training.decoupling.learner import Learner
from training.decoupling.pairs import PairClip
from training.engine.checkpoint import CheckpointStore
from training.engine.context import Context
from training.engine.loop import Hooks, LoopSettings, State, run_loop


@dataclass
class DecouplingJob:
    """All that one run needs; the same on every worker."""

    networks: Networks
    features: VggFeatures
    clips: list[PairClip]
    measured_clips: list[PairClip]  # held out where there are some
    settings: Tune
    seed: int
    checkpoints: CheckpointStore
    on_step: Callable[[int], None] = field(default=lambda step: None)  # for tests that interrupt a run


def tune_networks(job: DecouplingJob, context: Context) -> State:
    """Tune to `settings.steps`, from the newest checkpoint where there is one; return the last state.

    The state holds `weights` (of the networks) and `history`, whose first and last rows carry `leakage`. Raises
    TrainingStopped before a step that would spoil the weights.
    """
    section = job.settings
    learner = Learner(job.networks, job.features, job.clips, job.measured_clips, section, job.seed, context)
    settings = LoopSettings(section.steps, section.batch, section.log_every, section.trainer.checkpoint_every,
                            validate_every=section.steps, validate_first=True, prefetch=1)
    return run_loop(learner, context, settings, job.checkpoints, Hooks(job.on_step))

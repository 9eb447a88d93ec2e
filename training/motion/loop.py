"""The training loop over motion windows, of both stages."""

from __future__ import annotations

from training.engine.context import Context
from training.engine.loop import Hooks, LoopSettings, State, run_loop
from training.motion.job import Job
from training.motion.learner import Learner


def train(job: Job, context: Context) -> State:
    """Train to the end, from the newest checkpoint where there is one; return the last state.

    The state holds `model` (averaged weights), `history` (rows of the curve), `finished` and what resuming needs.
    Raises TrainingStopped before the step that would spoil the weights.
    """
    optimiser = job.optimiser
    settings = LoopSettings(optimiser.steps, job.batches.batch, optimiser.log_every, optimiser.checkpoint_every,
                            optimiser.validate_every, False, optimiser.prefetch, job.loaders,
                            job.state_every, optimiser.min_improvement, optimiser.stop_after,
                            optimiser.best_by)
    return run_loop(Learner(job, context), context, settings, job.checkpoints, Hooks(job.on_step, job.on_state))

"""Validation loss on held-out clips with fixed windows, noise and times, with their own speech and another's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from models.motion_transformer import MotionTransformer
from training.batches import Batch, _collate, draw_sample
from training.losses import loss_parts

if TYPE_CHECKING:
    from training.loop import Job

SAMPLES = 32
STREAM = 2**32 - 1  # no training step draws from this number


@torch.inference_mode()
def validate(model: MotionTransformer, job: Job, device: torch.device) -> dict[str, float]:
    """`validation_loss` and its parts; `validation_wrong_speech` is the expression part with shuffled speech.

    A model that uses the speech has a wrong-speech loss well above `validation_expression`.
    """
    batch = validation_batch(job).to(device)
    model.eval()
    expression, pose = _parts(model, job, batch)
    wrong, _ = _parts(model, job, replace(batch, speech=batch.speech.roll(1, dims=0)))
    objective = job.objective
    return {"validation_loss": objective.expression_weight * expression + objective.pose_weight * pose,
            "validation_expression": expression, "validation_pose": pose, "validation_wrong_speech": wrong}


def validation_batch(job: Job) -> Batch:
    """The same samples at every call: neighbours come from different clips, times spread over the schedule."""
    settings = replace(job.batches, batch=SAMPLES, truncate_share=0.0, drop_audio=0.0, drop_emotion=0.0,
                       drop_identity=0.0, previous_noise_t_max=0)
    clips = job.validation_clips
    return _collate([draw_sample(clips[i % len(clips)], settings, np.random.default_rng([job.seed, STREAM, i]),
                                 (i * 0.618034) % 1.0) for i in range(SAMPLES)])


def _parts(model: MotionTransformer, job: Job, batch: Batch) -> tuple[float, float]:
    prediction, target = job.objective.predict(model, batch)
    parts = loss_parts(prediction, target, batch.mask[:, job.batches.previous:], model.motion_mask)
    return parts[0].mean().item(), parts[1].mean().item()

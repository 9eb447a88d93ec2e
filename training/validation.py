"""Validation on held-out clips with fixed windows, noise and times, with their own speech and another's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from models.diffusion.denoise import Conditions, Denoiser
from models.diffusion.sampler import sampling_times
from models.motion import RHO_DIM
from models.motion_transformer import MotionTransformer
from training.batches import Batch, collate, draw_sample
from training.losses import loss_parts

if TYPE_CHECKING:
    from training.loop import Job

SAMPLES, SAMPLED = 32, 8  # windows for the loss, and of these for sampling
STEPS, LIMIT = 10, 10.0  # DDIM steps of a sampled window, and its largest deviation
STREAM = 2**32 - 1  # no training step draws from this number


@torch.inference_mode()
def validate(model: MotionTransformer, job: Job, device: torch.device) -> dict[str, float]:
    """`validation_loss` and its parts, and `validation_r`: how far sampled expression follows the true one.

    `..._wrong_speech` are the expression loss and the r with shuffled speech: a model that uses the speech has a
    higher loss and no correlation there.
    """
    batch = validation_batch(job).to(device)
    model.eval()
    expression, pose = _parts(model, job, batch)
    wrong, _ = _parts(model, job, replace(batch, speech=batch.speech.roll(1, dims=0)))
    objective = job.objective
    return {"validation_loss": objective.expression_weight * expression + objective.pose_weight * pose,
            "validation_expression": expression, "validation_pose": pose, "validation_wrong_speech": wrong,
            "validation_r": sampled_correlation(model, job, few := _first(batch, SAMPLED)),
            "validation_r_wrong_speech": sampled_correlation(
                model, job, replace(few, speech=few.speech.roll(1, dims=0)))}


def sampled_correlation(model: MotionTransformer, job: Job, batch: Batch) -> float:
    """Pearson r over all moving expression dimensions, each window's mean taken out, of samples and truth."""
    given = Conditions(batch.speech, batch.identity, batch.previous, batch.has_previous, batch.mask,
                       batch.emotion if job.objective.use_emotion else None, audio_scale=1.0, emotion_scale=1.0)
    times = sampling_times(len(job.objective.alpha_bar), min(STEPS, len(job.objective.alpha_bar)))
    denoiser = Denoiser(model, job.objective.alpha_bar, job.objective.target, "ddim", times, LIMIT)
    motion, _ = denoiser.run(given, batch.noise, None, None)
    frames = batch.mask[:, job.batches.previous:, None]
    alive = model.motion_mask[:-RHO_DIM]
    ours, truth = (_centred(x[..., :-RHO_DIM] * alive, frames) for x in (motion, batch.motion))
    scale = (ours.square().sum() * truth.square().sum()).sqrt()
    return ((ours * truth).sum() / scale.clamp(min=1e-12)).item()


def _centred(x: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    return (x - (x * frames).sum(dim=1, keepdim=True) / frames.sum(dim=1, keepdim=True)) * frames


def _first(batch: Batch, count: int) -> Batch:
    return Batch(batch.clip_ids[:count], **{name: value[:count] for name, value in vars(batch).items()
                                            if name != "clip_ids"})


def validation_batch(job: Job) -> Batch:
    """The same samples at every call: neighbours come from different clips, times spread over the schedule."""
    settings = replace(job.batches, batch=SAMPLES, truncate_share=0.0, drop_audio=0.0, drop_emotion=0.0,
                       drop_identity=0.0, identity_noise=0.0, previous_noise_t_max=0)
    clips = job.validation_clips
    return collate([draw_sample(clips[i % len(clips)], settings, np.random.default_rng([job.seed, STREAM, i]),
                                 (i * 0.618034) % 1.0) for i in range(SAMPLES)])


def _parts(model: MotionTransformer, job: Job, batch: Batch) -> tuple[float, float]:
    prediction, target = job.objective.predict(model, batch)
    parts = loss_parts(prediction, target, batch.mask[:, job.batches.previous:], model.motion_mask)
    return parts[0].mean().item(), parts[1].mean().item()

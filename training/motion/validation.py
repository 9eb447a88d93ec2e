"""Validation on held-out clips with fixed windows, noise and times, with their own speech and another's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from models.diffusion.denoise import Conditions, Denoiser
from models.diffusion.sampler import sampling_times
from models.generation.torch_network import TorchNetwork
from models.motion.motion import RHO_DIM
from models.transformer.motion_transformer import MotionTransformer
from training.motion.batches import Batch, draw_samples
from training.motion.job import Job
from training.motion.losses import loss_parts
from training.motion.measures import motion_measures, nearest_centre

SAMPLES, SAMPLED = 32, 8  # windows for the loss, and of these for sampling
STEPS, LIMIT = 10, 10.0  # DDIM steps of a sampled window, and its largest deviation
STREAM = 2**32 - 1  # no training step draws from this number


@torch.inference_mode()
def validate(model: MotionTransformer, job: Job, batch: Batch) -> dict[str, float]:
    """`validation_loss` and its parts, and `validation_r`: how far sampled expression follows the true one.

    `..._wrong_speech` are the expression loss and the r with shuffled speech: a model that uses the speech has a
    higher loss and no correlation there; `validation_wrong_emotion` is the loss with another label. The rest are
    `training/motion/measures.py` of the sampled windows. `batch` is that of `validation_batch`, on the model's device.
    """
    model.eval()
    objective, few = job.objective, batch.part(slice(SAMPLED))
    expression, pose = _parts(model, job, batch)
    wrong, _ = _parts(model, job, replace(batch, speech=batch.speech.roll(1, dims=0)))
    motion = sample(model, job, few)
    other = sample(model, job, replace(few, speech=few.speech.roll(1, dims=0)))
    of_expression, of_pose = torch.tensor([expression, pose], dtype=torch.float64)
    found = {"validation_loss": objective.weigh(of_expression, of_pose, model.motion_mask.cpu()).item(),
             "validation_expression": expression, "validation_pose": pose, "validation_wrong_speech": wrong,
             "validation_r": _correlation(model, job, few, motion),
             "validation_r_wrong_speech": _correlation(model, job, few, other)}
    return found | _measures(job, few, motion) | _emotions(model, job, batch)


def sample(model: MotionTransformer, job: Job, batch: Batch) -> Tensor:
    """Windows [B, W, D] sampled from the batch's noise under its conditions, without guidance."""
    speech, identity, previous, known, mask, emotion, noise = (x.cpu().numpy() for x in (
        batch.speech, batch.identity, batch.previous, batch.has_previous, batch.mask, batch.emotion, batch.noise))
    given = Conditions(speech, identity, previous, known, mask, emotion if job.objective.use_emotion else None,
                       audio_scale=1.0, emotion_scale=1.0)
    levels = job.objective.alpha_bar.cpu().numpy()
    times = sampling_times(len(levels), min(STEPS, len(levels)))
    denoiser = Denoiser(TorchNetwork(model), levels, job.objective.target, "ddim", times, LIMIT)
    return torch.from_numpy(denoiser.run(given, noise, None, None)[0]).to(batch.noise.device)


def validation_batch(job: Job) -> Batch:
    """The same samples at every call: neighbours come from different clips, times spread over the schedule."""
    settings = replace(job.batches, batch=SAMPLES, truncate_share=0.0, free_pose=0.0, drop_audio=0.0,
                       drop_emotion=0.0, drop_identity=0.0, identity_noise=0.0, previous_noise_t_max=0)
    clips = job.validation_clips
    return draw_samples([clips[i % len(clips)] for i in range(SAMPLES)], settings,
                        [np.random.default_rng([job.seed, STREAM, i]) for i in range(SAMPLES)],
                        [(i * 0.618034) % 1.0 for i in range(SAMPLES)])


def _correlation(model: MotionTransformer, job: Job, batch: Batch, motion: Tensor) -> float:
    """Pearson r over all moving expression dimensions, each window's mean taken out, of samples and truth."""
    frames = batch.mask[:, job.batches.previous:, None]
    alive = model.motion_mask[:-RHO_DIM]
    ours, truth = (_centre(x[..., :-RHO_DIM] * alive, frames) for x in (motion, batch.motion))
    scale = (ours.square().sum() * truth.square().sum()).sqrt()
    return ((ours * truth).sum() / scale.clamp(min=1e-12)).item()


def _centre(x: Tensor, frames: Tensor) -> Tensor:
    return (x - (x * frames).sum(dim=1, keepdim=True) / frames.sum(dim=1, keepdim=True)) * frames


def _measures(job: Job, batch: Batch, motion: Tensor) -> dict[str, float]:
    if job.statistics is None:
        return {}
    found = motion_measures(_array(motion), _array(batch.motion), _frames(job, batch), _array(batch.identity),
                            job.statistics)
    return {f"validation_{name}": value for name, value in found.items()}


def _emotions(model: MotionTransformer, job: Job, batch: Batch) -> dict[str, float]:
    """Stage 2: the loss with another label, and how often a sample asked for a label lies nearest to its clips."""
    labels = sorted(job.emotion_centres)
    if not job.objective.use_emotion or len(labels) < 2:
        return {}
    following = {label: labels[(index + 1) % len(labels)] for index, label in enumerate(labels)}
    own = batch.emotion[:, 0].argmax(dim=-1).tolist()
    wrong, _ = _parts(model, job, replace(batch, emotion=_ask([following.get(one, labels[0]) for one in own], batch)))
    asked = [labels[index % len(labels)] for index in range(2 * SAMPLED)]
    some = batch.part(slice(2 * SAMPLED))
    motion = sample(model, job, replace(some, emotion=_ask(asked, some)))
    seen = nearest_centre(_array(motion), _frames(job, some), job.emotion_centres)
    hits = [float(a == s) for a, s in zip(asked, seen, strict=True)]
    return {"validation_wrong_emotion": wrong, "validation_emotion_agreement": float(np.mean(hits)),
            "validation_emotion_chance": 1 / len(labels)}


def _ask(labels: list[int], batch: Batch) -> Tensor:
    emotion = torch.zeros_like(batch.emotion)
    emotion[torch.arange(len(labels)), 0, torch.tensor(labels)] = 1
    return emotion


def _frames(job: Job, batch: Batch) -> np.ndarray:
    return batch.mask[:, job.batches.previous:].cpu().numpy()


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy().astype(np.float64)


def _parts(model: MotionTransformer, job: Job, batch: Batch) -> tuple[float, float]:
    prediction, target = job.objective.predict(model, batch)
    parts = loss_parts(prediction, target, batch.mask[:, job.batches.previous:], model.motion_mask,
                       job.objective.pose_velocity_weight)
    return parts[0].mean().item(), parts[1].mean().item()

"""What a training step of the motion transformer takes, counted on its graph: operations, activations, weights.

Networks and batch are fake tensors (shapes without numbers), so the paper's size is counted in seconds on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from models.motion.emotions import LABEL_SETS
from models.transformer.motion_transformer import ModelShape, MotionTransformer
from pipeline.core.config import Params

KEYPOINTS = {"landmark": 70, "liveportrait": 21}
SPEECH_DIM = {"whisper": 384, "wav2vec2": 768, "hubert": 768}
TRAINED_BYTES, FROZEN_BYTES = 20, 4   # of a weight: with gradient, two moments of AdamW and the average; alone
SAMPLES = (2, 4)   # batches that are counted: what does not grow from one to the other is kept once


@dataclass(frozen=True)
class StepCost:
    """Of one window, forward and backward; and of the model, whatever the batch."""

    gflop: float
    activations_mb: float   # that the backward pass keeps
    weights_gb: float       # weights, gradients, moments, average, casts of them
    parameters: int

    def memory_gb(self, windows: int) -> float:
        """Of one worker with so many windows at once."""
        return self.weights_gb + windows * self.activations_mb / 1e3

    def fits(self, gpu_gb: float) -> int:
        """Windows at once on a GPU of that size."""
        return max(0, int((gpu_gb - self.weights_gb) * 1e3 / self.activations_mb))


def audio_step(params: Params) -> StepCost:
    """Stage 1, all weights trained."""
    with FakeTensorMode():
        model = MotionTransformer(_shape(params, 0)).train()
        gflop, activations_mb, once_mb = _forward(model, params.train_audio.precision == "bf16")
    count = _count(model)
    return StepCost(3 * gflop, activations_mb, count * TRAINED_BYTES / 1e9 + once_mb / 1e3, count)


def emotion_step(params: Params) -> StepCost:
    """Stage 2: forward through all, backward through the emotion-control module and the head behind it alone."""
    half = params.train_emotion.precision == "bf16"
    with FakeTensorMode():
        plain, _, _ = _forward(MotionTransformer(_shape(params, 0)).train(), half)
        model = MotionTransformer(_shape(params, len(LABEL_SETS[params.emotion.labels]))).train()
        for parameter in model.stage_one_parameters():
            parameter.requires_grad_(False)
        gflop, activations_mb, once_mb = _forward(model, half)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    count = _count(model)
    return StepCost(gflop + 2 * (gflop - plain), activations_mb,
                    (trained * TRAINED_BYTES + (count - trained) * FROZEN_BYTES) / 1e9 + once_mb / 1e3, count)


def _shape(params: Params, emotions: int) -> ModelShape:
    return ModelShape(**params.model.model_dump(), num_keypoints=KEYPOINTS[params.face_space.kind],
                      speech_dim=SPEECH_DIM[params.speech.kind], num_emotions=emotions)


def _count(model: MotionTransformer) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _forward(model: MotionTransformer, half: bool) -> tuple[float, float, float]:
    """GFLOP of the forward pass of a window, megabytes of it that the backward pass keeps, and what it keeps once."""
    (gflop, few_mb), (_, more_mb) = (_pass(model, half, samples) for samples in SAMPLES)
    few, more = SAMPLES
    each_mb = (more_mb - few_mb) / (more - few)
    return gflop / few, each_mb, few_mb - few * each_mb


def _pass(model: MotionTransformer, half: bool, samples: int) -> tuple[float, float]:
    """GFLOP of one forward pass, and megabytes kept for the backward pass, the weights themselves left out."""
    weights = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
    kept: dict[int, Tensor] = {}   # the tensors, so that no address is given twice

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with (FlopCounterMode(display=False) as counter, torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t),
          torch.autocast("cpu", torch.bfloat16, enabled=half)):
        model(**_batch(model.shape, samples))
    size = sum(tensor.untyped_storage().nbytes() for address, tensor in kept.items() if address not in weights)
    return counter.get_total_flops() / 1e9, size / 1e6


def _batch(shape: ModelShape, samples: int) -> dict[str, Tensor | None]:
    """Arguments of the model; shapes as in models/transformer/motion_transformer.py."""
    length, no = shape.previous + shape.window, torch.zeros(samples, dtype=torch.bool)
    return {"noisy": torch.zeros(samples, shape.window, shape.motion_dim),
            "time": torch.zeros(samples, dtype=torch.long), "speech": torch.zeros(samples, length, shape.speech_dim),
            "identity": torch.zeros(samples, shape.expression_dim),
            "previous": torch.zeros(samples, shape.previous, shape.motion_dim), "has_previous": ~no,
            "mask": torch.ones(samples, length, dtype=torch.bool), "drop_audio": no, "drop_identity": no,
            "emotion": torch.zeros(samples, 1, shape.num_emotions + 1) if shape.num_emotions else None}

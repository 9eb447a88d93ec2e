"""Sections of `params.yaml` about models: face space, network, diffusion, trainings and sampling."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.core.data_params import UNTRAINED, Count, CountOrZero, Gpus, NotNegative, Positive, Section, Share


def _check_gpus(workers: int, gpus: Gpus) -> None:
    """Of a training: one GPU for each worker, or none."""
    if gpus not in ("auto", 0, max(workers, 1)):
        raise ValueError(f"gpus {gpus} must be auto, 0, or one for each of {max(workers, 1)} workers")


class TuneTrainer(Section):
    """How a tuning is computed."""

    workers: CountOrZero
    gpus: Gpus
    checkpoint_every: Count

    @model_validator(mode="after")
    def _pairs(self) -> TuneTrainer:
        _check_gpus(self.workers, self.gpus)
        return self


class Tune(Section):
    steps: CountOrZero
    train: Annotated[list[Literal["motion", "appearance", "warping", "generator"]], Field(min_length=1)]
    features: Literal["vgg19", "vgg16"]
    distance: Literal["mean_square", "l2", "l1"]
    transfer_weight: NotNegative
    reconstruction_weight: NotNegative
    perceptual_weight: NotNegative
    prior_weight: NotNegative
    picture_px: Annotated[int, Field(ge=32)]
    min_gap: Count
    batch: Count
    lr: Positive
    warmup_steps: CountOrZero
    final_lr_share: Share
    grad_clip: Positive
    precision: Literal["fp32", "bf16"]
    log_every: Count
    trainer: TuneTrainer

    @model_validator(mode="after")
    def _pairs(self) -> Tune:
        if self.trainer.workers and self.batch % self.trainer.workers:
            raise ValueError(f"batch {self.batch} must be a multiple of workers {self.trainer.workers}")
        return self


class FaceSpace(Section):
    kind: Literal["landmark", "liveportrait"]
    init: str
    checkpoint: str | None
    precision: Literal["fp32", "bf16"]
    channels_last: bool
    compile: bool
    render_batch: Count
    stitching: bool
    max_clips: Count
    ridge: Positive
    frame_stride: Count
    refit: int
    tune: Tune

    @property
    def untrained(self) -> bool:
        """Whether its networks are seeded toys."""
        return self.checkpoint == UNTRAINED

    @model_validator(mode="after")
    def _pairs(self) -> FaceSpace:
        if self.kind == "landmark" and self.checkpoint is not None:
            raise ValueError(f"checkpoint {self.checkpoint!r} is for kind liveportrait; landmark has none: null")
        if self.kind == "landmark" and self.tune.steps:
            raise ValueError(f"tune.steps {self.tune.steps} is for kind liveportrait; landmark has nothing to tune: 0")
        if self.init != "none" and (self.checkpoint is not None or self.tune.steps):
            raise ValueError(f"init {self.init} takes the face space of a bundle as it is: checkpoint must be null and "
                             "tune.steps 0")
        return self


class Model(Section):
    dim: Count
    heads: Count
    layers: Count
    conv_kernel: Count
    conv_norm: Literal["batch", "layer", "group"]
    mlp_ratio: Count
    dropout: Share
    audio_align_layers: Count
    window: Count
    previous: Count
    emotion_blocks: Count

    @model_validator(mode="after")
    def _pairs(self) -> Model:
        if self.dim % (2 * self.heads):
            raise ValueError(f"dim {self.dim} must be a multiple of twice heads {self.heads}")
        if self.conv_kernel % 2 == 0:
            raise ValueError(f"conv_kernel {self.conv_kernel} must be odd")
        if self.conv_norm == "group" and self.dim % 8:
            raise ValueError(f"conv_norm group needs dim {self.dim} to be a multiple of 8")
        if self.previous >= self.window:
            raise ValueError(f"previous {self.previous} must be below window {self.window}")
        return self


class Diffusion(Section):
    steps: Count
    schedule: Literal["linear", "cosine"]
    target: Literal["eps", "x0", "v"]
    previous_noise_t_max: CountOrZero
    previous_noise_form: Literal["sqrt", "literal"]

    @model_validator(mode="after")
    def _pairs(self) -> Diffusion:
        if self.previous_noise_t_max > self.steps:
            raise ValueError(f"previous_noise_t_max {self.previous_noise_t_max} must not exceed steps {self.steps}")
        return self


class Trainer(Section):
    """How a training is computed and what becomes of it; nothing here changes a step."""

    workers: CountOrZero
    gpus: Gpus
    min_workers: Count
    sharded: bool
    prefetch: CountOrZero
    loaders: Count
    cache_gb: Positive
    unpacked: str | None
    checkpoints: str | None
    checkpoint_every: Count
    video_every: CountOrZero
    bundle: Literal["last", "best"]
    tuned_share: Share
    plateau_after: CountOrZero
    min_learned: Share

    @model_validator(mode="after")
    def _pairs(self) -> Trainer:
        if self.loaders > 1 and self.unpacked is None:
            raise ValueError(f"loaders {self.loaders} read clips at once, which wants them unpacked: set `unpacked`")
        _check_gpus(self.workers, self.gpus)
        return self


class Train(Section):
    init: str
    resume: Annotated[str, Field(pattern=r"^(audio|emotion)-[0-9a-f]{16}$")] | None
    steps: Count
    batch: Count
    lr: Positive
    warmup_steps: CountOrZero
    final_lr_share: Share
    weight_decay: NotNegative
    grad_clip: Positive
    ema_decay: Share
    drop_audio: Share
    drop_identity: Share
    identity_noise: float = Field(ge=0)
    start_share: Share
    truncate_share: Share
    free_pose: Share
    weight_of: Literal["part", "dimension"]
    expression_weight: NotNegative
    pose_weight: NotNegative
    pose_velocity_weight: NotNegative
    precision: Literal["fp32", "bf16"]
    accumulate: Count
    compile: bool
    validate_every: Count
    log_every: Count
    best_by: Literal["loss", "r"]
    min_improvement: Share
    stop_after: CountOrZero
    trainer: Trainer

    @model_validator(mode="after")
    def _pairs(self) -> Train:
        if self.batch < self.trainer.workers:
            raise ValueError(f"batch {self.batch} must be at least workers {self.trainer.workers}")
        if not self.expression_weight + self.pose_weight:
            raise ValueError("expression_weight and pose_weight are both 0: nothing would be learned")
        if self.trainer.tuned_share < 1 and self.init == "none":
            raise ValueError(f"trainer.tuned_share {self.trainer.tuned_share} lies between a bundle's weights and the "
                             "trained ones: name one in init")
        return self


class TrainEmotion(Train):
    steps: CountOrZero
    drop: Literal["independent", "nested"]
    drop_emotion: Share

    @model_validator(mode="after")
    def _shares(self) -> TrainEmotion:
        if not self.steps and self.init == "none":
            raise ValueError("steps 0 keeps the emotion-control module of a bundle: name one in init")
        if self.drop == "nested" and self.drop_audio + self.drop_emotion > 1:
            raise ValueError(f"drop nested: drop_audio {self.drop_audio} and drop_emotion {self.drop_emotion} are "
                             "shares of one whole, together at most 1")
        return self


class EmotionLabels(Section):
    labels: Literal["core8", "union11"]


class Sample(Section):
    solver: Literal["ddim", "ddpm", "dpmpp"]
    steps: Count
    audio_scale: NotNegative
    emotion_scale: NotNegative
    pose_share: NotNegative
    limit: Positive
    fade: CountOrZero
    identity_limit: NotNegative
    pose_gain: NotNegative
    expression_samples: Count

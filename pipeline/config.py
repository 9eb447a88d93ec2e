"""`params.yaml` as typed, frozen sections. No field has a default: what changes a result stands in the file.

An unknown key, a missing key, a wrong type or a bad pair raises `ParamsError`, which names the key, the value
and what is accepted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.paths import RAW

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]
Corpus = Literal["avspeech", "celebv_text", "acappella", "mead", "mafw", "hdtf"]
Emotion = Literal["neutral", "angry", "contempt", "disgusted", "fear", "happy", "sad", "surprised",
                  "anxiety", "helplessness", "disappointment"]


class ParamsError(ValueError):
    """`params.yaml` cannot be used; the message names every bad key."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Raw(Section):
    root: str

    @property
    def embedded(self) -> bool:
        """Whether the project makes the corpora itself."""
        return Path(self.root) == RAW


class Ray(Section):
    address: str | None
    num_cpus: Count | None
    dashboard: bool


class Embedded(Section):
    identities: Annotated[int, Field(ge=3)]
    sentences: Annotated[int, Field(ge=7)]
    render_px: Annotated[int, Field(ge=128)]


class Preprocess(Section):
    fps: Count
    crop_px: Count
    sample_rate_hz: Count
    min_duration_s: Positive
    max_duration_s: Positive
    detector: Literal["insightface", "buffalo_l", "mediapipe"]
    detector_px: Count
    detect_every: Count
    max_decode_s: Positive
    max_memory_gb: Positive
    max_side_px: Count
    max_source_s: Positive
    min_face_px: NotNegative
    max_yaw_p95_deg: Positive
    min_detection_share: Share
    min_blur: NotNegative
    min_brightness: NotNegative
    max_brightness: Positive
    min_speech_share: Share
    shot_threshold: Positive
    crop_scale: Positive
    crop_shift_y: float
    crf: Annotated[int, Field(ge=0, le=51)]
    ray_min_clips: Count

    @model_validator(mode="after")
    def _pairs(self) -> Preprocess:
        if self.min_duration_s >= self.max_duration_s:
            raise ValueError(f"min_duration_s {self.min_duration_s} must be below max_duration_s {self.max_duration_s}")
        if self.sample_rate_hz % self.fps:
            raise ValueError(f"sample_rate_hz {self.sample_rate_hz} must be a multiple of fps {self.fps}")
        if self.min_brightness >= self.max_brightness:
            raise ValueError("min_brightness must be below max_brightness")
        return self


class Split(Section):
    test_corpora: list[Corpus]
    test_identities: list[str]
    validation_share: Share


class FaceSpace(Section):
    kind: Literal["landmark", "liveportrait"]
    max_clips: Count
    ridge: Positive
    frame_stride: Count


class Speech(Section):
    kind: Literal["whisper", "wav2vec2", "hubert"]
    checkpoint: str | None
    layer: CountOrZero
    piece_s: Positive
    overlap_s: NotNegative

    @model_validator(mode="after")
    def _pairs(self) -> Speech:
        if 2 * self.overlap_s >= self.piece_s:
            raise ValueError(f"piece_s {self.piece_s} must be more than twice overlap_s {self.overlap_s}")
        return self


class Extract(Section):
    shards: Count
    actors: Count
    batch_clips: Count
    ahead: bool
    max_clip_s: Positive


class Statistics(Section):
    min_std: Positive
    pose_group: Literal["clip", "identity", "global"]


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


class Train(Section):
    corpora: list[Corpus]
    init: str
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
    expression_weight: NotNegative
    pose_weight: NotNegative
    workers: CountOrZero
    precision: Literal["fp32", "bf16"]
    checkpoint_every: Count
    validate_every: Count
    log_every: Count

    @model_validator(mode="after")
    def _pairs(self) -> Train:
        if self.workers and self.batch % self.workers:
            raise ValueError(f"batch {self.batch} must be a multiple of workers {self.workers}")
        return self


class TrainEmotion(Train):
    drop_emotion: Share


class EmotionLabels(Section):
    labels: Literal["core8", "union11"]


class Sample(Section):
    solver: Literal["ddim", "ddpm"]
    steps: Count
    audio_scale: NotNegative
    emotion_scale: NotNegative
    limit: Positive
    fade: CountOrZero


class Evaluate(Section):
    max_clips: Count
    max_duration_s: Positive
    samples: Count
    bootstrap: Count
    emotions: list[Emotion]
    emotion_clips: CountOrZero
    emotion_duration_s: Positive
    frame_stride: Count
    control_stride: Count
    max_lag_frames: CountOrZero
    sync_ridge: Positive
    training_clips: Count
    panel_px: Annotated[int, Field(ge=64, multiple_of=2)]
    crf: Annotated[int, Field(ge=0, le=51)]
    workers: Count


class Ablate(Section):
    audio_scales: list[NotNegative]
    emotion_scales: list[NotNegative]
    max_clips: Count
    max_duration_s: Positive
    frame_stride: Count


class Register(Section):
    name: str
    min_audio_validation_r: float
    min_mouth_r: float
    max_mouth_r_wrong_speech: float


class Params(Section):
    seed: int
    profile: str
    raw: Raw
    corpora: list[Corpus]
    ray: Ray
    embedded: Embedded
    preprocess: Preprocess
    split: Split
    face_space: FaceSpace
    speech: Speech
    extract: Extract
    statistics: Statistics
    model: Model
    diffusion: Diffusion
    train_audio: Train
    train_emotion: TrainEmotion
    emotion: EmotionLabels
    sample: Sample
    evaluate: Evaluate
    ablate: Ablate
    register_: Register = Field(alias="register")


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check `params.yaml`; raises ParamsError that names every bad key and what is accepted."""
    try:
        values = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise ParamsError(f"{path} is missing: run from the project folder") from error
    except yaml.YAMLError as error:
        raise ParamsError(f"{path} is not valid YAML: {error}") from error
    return parse_params(values, str(path))


def parse_params(values: object, name: str = "params") -> Params:
    """Check already loaded `values`; raises ParamsError."""
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise ParamsError(f"{name} cannot be used:\n" + "\n".join(map(_explain, error.errors()))) from error


def _explain(error: dict) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "(whole file)"
    if error["type"] == "extra_forbidden":
        return f"  {key}: unknown key; accepted here: {', '.join(_accepted(error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"  {key}: missing"
    return f"  {key}: {error['msg']} (got {error['input']!r})"


def _accepted(location: tuple) -> list[str]:
    section: type[BaseModel] = Params
    for part in location:
        field = next(f for name, f in section.model_fields.items() if part in (name, f.alias))
        section = field.annotation
    return [field.alias or name for name, field in section.model_fields.items()]

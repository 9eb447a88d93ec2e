"""`params.yaml` as typed, frozen sections. No field has a default: what changes a result stands in the file.

An unknown key, a missing key, a wrong type or a bad pair raises `ParamsError`, which names the key, the value
and what is accepted.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.core.paths import DATA, EMBEDDED, FEATURES, REPORTS, WORK

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]
Gpus = Literal["auto"] | CountOrZero  # of all workers together; auto: those of this machine
Reader = Literal["avspeech", "celebv_text", "acappella", "mead", "mafw", "hdtf", "clips"]
Use = Literal["audio", "emotion", "test"]
CorpusName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Emotion = Literal["neutral", "angry", "contempt", "disgusted", "fear", "happy", "sad", "surprised",
                  "anxiety", "helplessness", "disappointment"]

UNION11_ALONE = ("anxiety", "helplessness", "disappointment")  # labels that `emotion.labels: core8` does not have
OUTPUTS = ("code", "embedded", "sources", "crops", "split", "face_space", "features", "statistics", "models",
           "evaluation", "ablation")   # folders in data/ that stages write
UNTRAINED = "untrained"  # as a checkpoint: a seeded toy network, for tests of the whole path without weights


class ParamsError(ValueError):
    """`params.yaml` cannot be used; the message names every bad key."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Corpus(Section):
    reader: Reader
    path: Annotated[str, Field(min_length=1)]
    use: list[Use]
    singing: bool
    sync: bool

    @property
    def is_remote(self) -> bool:
        """Whether it lies in S3."""
        return self.path.startswith("s3://")

    @property
    def is_embedded(self) -> bool:
        """Whether the project makes it itself."""
        return Path(self.path).parent == EMBEDDED

    @property
    def location(self) -> str:
        """Its address from here. DVC runs experiments in copies of the project, which have no data of the user's."""
        if self.is_remote or self.is_embedded:
            return self.path.rstrip("/")
        return str(WORK.parent / Path(self.path).expanduser())

    @model_validator(mode="after")
    def _pairs(self) -> Corpus:
        if "test" in self.use and len(self.use) > 1:
            raise ValueError(f"use {self.use}: a corpus for tests is for nothing else; single people of one that is "
                             "trained on are kept for tests by split.test_identities")
        if self.is_embedded and (self.reader == "clips" or Path(self.path).name != self.reader):
            raise ValueError(f"path {self.path}: the project makes {EMBEDDED}/{self.reader} there for this reader, "
                             "your own data lie elsewhere")
        if not self.is_remote and not self.is_embedded and _holds_outputs(self.location):
            raise ValueError(f"path {self.path}: DVC deletes what lies in {DATA} and {REPORTS} before it runs, and a "
                             "folder around them holds what is made here: put the videos into a folder of their own")
        return self


def _holds_outputs(location: str) -> bool:
    """Whether a folder lies among the outputs, or around them; `data/raw` and the like are the user's own."""
    here, place = os.path.abspath(WORK.parent), os.path.abspath(location)
    if os.path.commonpath([here, place]) == place:
        return True
    inside = os.path.relpath(place, here).split(os.sep)
    return inside[0] == str(REPORTS) or inside == [str(DATA)] or (inside[0] == str(DATA) and inside[1] in OUTPUTS)


class Ray(Section):
    address: str | None
    num_cpus: Count | None
    object_store_gb: Positive
    spill_folder: str | None
    dashboard: bool
    max_wait_s: Positive


class Embedded(Section):
    identities: Annotated[int, Field(ge=3)]
    sentences: Annotated[int, Field(ge=7)]
    speaker: Literal["kokoro", "espeak"]
    render_px: Annotated[int, Field(ge=128)]


class Preprocess(Section):
    fps: Literal[25]
    crop_px: Count
    sample_rate_hz: Literal[16000]
    min_duration_s: Positive
    max_duration_s: Positive
    detector: Literal["insightface", "buffalo_l", "mediapipe"]
    detector_px: Count
    detect_every: Count
    max_decode_s: Positive
    max_memory_gb: Positive
    keep_frames_gb: NotNegative
    max_side_px: Count
    max_source_s: Positive
    min_face_px: NotNegative
    max_yaw_p95_deg: Positive
    max_roll_deg: Positive
    min_detection_share: Share
    min_inside_share: Share
    min_score_p05: Share
    min_blur: NotNegative
    min_brightness: NotNegative
    max_brightness: Positive
    min_speech_share: Share
    min_singing_share: Share
    sync_filter: bool
    min_sync_confidence: NotNegative
    max_sync_offset_frames: NotNegative
    duplicate_share: Share
    shot_threshold: Positive
    crop_scale: Positive
    crop_shift_y: float
    crf: Annotated[int, Field(ge=0, le=51)]
    ray_min_clips: CountOrZero

    @model_validator(mode="after")
    def _pairs(self) -> Preprocess:
        if self.min_duration_s >= self.max_duration_s:
            raise ValueError(f"min_duration_s {self.min_duration_s} must be below max_duration_s {self.max_duration_s}")
        if self.min_brightness >= self.max_brightness:
            raise ValueError("min_brightness must be below max_brightness")
        return self


class Split(Section):
    test_identities: list[str]
    test_share: Annotated[float, Field(gt=0.0, lt=1.0)]
    validation_share: Share


def _check_gpus(workers: int, gpus: Gpus) -> None:
    """Of a training: one GPU for each worker, or none."""
    if gpus not in ("auto", 0, max(workers, 1)):
        raise ValueError(f"gpus {gpus} must be auto, 0, or one for each of {max(workers, 1)} workers")


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
    workers: CountOrZero
    gpus: Gpus
    precision: Literal["fp32", "bf16"]
    checkpoint_every: Count
    log_every: Count

    @model_validator(mode="after")
    def _pairs(self) -> Tune:
        _check_gpus(self.workers, self.gpus)
        if self.workers and self.batch % self.workers:
            raise ValueError(f"batch {self.batch} must be a multiple of workers {self.workers}")
        return self


class FaceSpace(Section):
    kind: Literal["landmark", "liveportrait"]
    checkpoint: str | None
    precision: Literal["fp32", "bf16"]
    channels_last: bool
    compile: bool
    render_batch: Count
    stitching: bool
    max_clips: Count
    ridge: Positive
    frame_stride: Count
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
        return self


class Speech(Section):
    kind: Literal["whisper", "wav2vec2", "hubert"]
    checkpoint: str | None
    layer: CountOrZero
    piece_s: Positive
    overlap_s: NotNegative

    @property
    def untrained(self) -> bool:
        """Whether its network is a seeded toy."""
        return self.checkpoint == UNTRAINED

    @model_validator(mode="after")
    def _pairs(self) -> Speech:
        if 2 * self.overlap_s >= self.piece_s:
            raise ValueError(f"piece_s {self.piece_s} must be more than twice overlap_s {self.overlap_s}")
        if self.kind == "whisper" and self.untrained:
            raise ValueError("checkpoint untrained is for kind wav2vec2 or hubert")
        return self


class Extract(Section):
    shards: Count
    actors: Count
    gpus_per_actor: NotNegative
    decode_actors: Count
    writers: Count
    batch_clips: Count
    batch_frames: Count
    ahead: bool
    ray_min_clips: CountOrZero
    max_clip_s: Positive
    max_memory_gb: Positive


class FeatureStoreRoot(Section):
    root: str

    @field_validator("root")
    @classmethod
    def _known(cls, root: str) -> str:
        if root != str(FEATURES) and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{2,62}(/[\w-][\w.-]*)*", root):
            raise ValueError(f"must be {FEATURES}, or s3://bucket/prefix")
        return root


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
    free_pose: Share
    weight_of: Literal["part", "dimension"]
    expression_weight: NotNegative
    pose_weight: NotNegative
    pose_velocity_weight: NotNegative
    workers: CountOrZero
    gpus: Gpus
    min_workers: Count
    sharded: bool
    precision: Literal["fp32", "bf16"]
    accumulate: Count
    compile: bool
    prefetch: CountOrZero
    loaders: Count
    cache_gb: Positive
    unpacked: str | None
    checkpoints: str | None
    checkpoint_every: Count
    validate_every: Count
    log_every: Count
    video_every: CountOrZero
    bundle: Literal["last", "best"]
    min_improvement: Share
    plateau_after: CountOrZero
    stop_after: CountOrZero
    min_learned: Share

    @model_validator(mode="after")
    def _pairs(self) -> Train:
        if self.batch < self.workers:
            raise ValueError(f"batch {self.batch} must be at least workers {self.workers}")
        if self.loaders > 1 and self.unpacked is None:
            raise ValueError(f"loaders {self.loaders} read clips at once, which wants them unpacked: set `unpacked`")
        _check_gpus(self.workers, self.gpus)
        if not self.expression_weight + self.pose_weight:
            raise ValueError("expression_weight and pose_weight are both 0: nothing would be learned")
        return self


class TrainEmotion(Train):
    drop: Literal["independent", "nested"]
    drop_emotion: Share

    @model_validator(mode="after")
    def _shares(self) -> TrainEmotion:
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
    limit: Positive
    fade: CountOrZero
    identity_limit: NotNegative


class Evaluate(Section):
    metrics: list[Literal["mouth_sync", "csim_mobilefacenet", "lpips_alexnet", "fd_efficientnet_lite0", "emo_facex",
                          "fid", "fvd", "sync", "csim", "emo_a"]]
    emo_a: Literal["mean_logits", "mean_probs", "vote"]
    max_clips: Count
    max_duration_s: Positive
    samples: Count
    bootstrap: Count
    emotions: list[Emotion]
    emotion_clips: CountOrZero
    emotion_duration_s: Positive
    true_emotion_clips: CountOrZero
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
    emotions: Annotated[list[Emotion], Field(min_length=1)]
    max_clips: Count
    max_duration_s: Positive
    frame_stride: Count
    long_s: NotNegative
    variants: list[Literal["pose_clip", "pose_identity", "pose_global", "noise_off"]]
    variant_steps: Count
    variant_lr: Positive


class Register(Section):
    name: str
    max_audio_learned_nothing: Share
    max_emotion_learned_nothing: Share
    min_audio_validation_r: float
    min_mouth_r: float
    max_mouth_r_wrong_speech_lag0: float


class Params(Section):
    seed: int
    profile: str
    corpora: Annotated[dict[CorpusName, Corpus], Field(min_length=1)]
    ray: Ray
    embedded: Embedded
    preprocess: Preprocess
    split: Split
    face_space: FaceSpace
    speech: Speech
    extract: Extract
    feature_store: FeatureStoreRoot
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

    @model_validator(mode="after")
    def _velocity_of_motion_alone(self) -> Params:
        weight = max(self.train_audio.pose_velocity_weight, self.train_emotion.pose_velocity_weight)
        if weight > 0 and self.diffusion.target != "x0":
            raise ValueError(f"train_*.pose_velocity_weight {weight} needs diffusion.target x0 (it is "
                             f"{self.diffusion.target}): only there does the network predict motion")
        return self

    @model_validator(mode="after")
    def _emotions_that_are_learned(self) -> Params:
        for name in ("evaluate", "ablate"):
            strange = [emotion for emotion in getattr(self, name).emotions if emotion in UNION11_ALONE]
            if strange and self.emotion.labels == "core8":
                raise ValueError(f"{name}.emotions: {', '.join(strange)} not among emotion.labels core8")
        return self

    @model_validator(mode="after")
    def _steps_that_were_trained(self) -> Params:
        if self.sample.steps > self.diffusion.steps:
            raise ValueError(f"sample.steps {self.sample.steps} must not exceed diffusion.steps {self.diffusion.steps}")
        return self

    @model_validator(mode="after")
    def _gpus_of_a_cluster(self) -> Params:
        tune = {"face_space.tune": self.face_space.tune} if self.face_space.tune.steps else {}
        trainings = {"train_audio": self.train_audio, "train_emotion": self.train_emotion} | tune
        unsaid = [name for name, section in trainings.items() if section.workers and section.gpus == "auto"]
        if self.ray.address is not None and unsaid:
            raise ValueError(f"{unsaid[0]}.gpus auto is for one machine: on the cluster at ray.address "
                             f"{self.ray.address!r} say how many GPUs it takes (0: CPU cores)")
        return self

    @model_validator(mode="after")
    def _corpora_together(self) -> Params:
        if not self.used_for("audio"):
            raise ValueError("corpora: none has `audio` in its `use`: stage 1 has nothing to train on")
        places = {name: _place(corpus) for name, corpus in self.corpora.items()}
        for name, other in ((a, b) for a in places for b in places if a != b):
            if f"{places[name]}/".startswith(f"{places[other]}/"):
                raise ValueError(f"corpora.{name}.path {self.corpora[name].path} lies in that of corpora.{other}: its "
                                 "clips would be in both, and their people in training and tests")
        return self

    def used_for(self, use: Use) -> list[str]:
        """Names of the corpora for stage 1 (`audio`), stage 2 (`emotion`) or tests, in the file's order."""
        return [name for name, corpus in self.corpora.items() if use in corpus.use]

    @property
    def all_embedded(self) -> bool:
        """Whether the project makes all its corpora itself."""
        return all(corpus.is_embedded for corpus in self.corpora.values())

    @property
    def untrained(self) -> tuple[str, ...]:
        """Parts whose networks are seeded toys; what they make is no result and is marked so everywhere."""
        return tuple(name for name in ("face_space", "speech") if getattr(self, name).untrained)

    @property
    def stamp(self) -> str:
        """The profile as models, features and reports carry it."""
        return f"{self.profile} (untrained: {', '.join(self.untrained)})" if self.untrained else self.profile


def _place(corpus: Corpus) -> str:
    return corpus.location if corpus.is_remote else os.path.abspath(corpus.location)


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


_USE = "is now the `use` of each corpus: corpora.NAME.use, any of audio, emotion, test"
MOVED = {"raw": "is now the `path` of each corpus: corpora.NAME.path", "train_audio.corpora": _USE,
         "train_emotion.corpora": _USE, "split.test_corpora": _USE,
         "preprocess.singing_corpora": "is now corpora.NAME.singing",
         "preprocess.sync_corpora": "is now corpora.NAME.sync, and preprocess.sync_filter for all"}   # keys of before


def _explain(error: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "(whole file)"
    if key in MOVED:
        return f"  {key}: {MOVED[key]}"
    if error["type"] == "extra_forbidden":
        return f"  {key}: unknown key; accepted here: {', '.join(_accepted(error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"  {key}: missing"
    return f"  {key}: {error['msg']} (got {error['input']!r})"


def _accepted(location: tuple) -> list[str]:
    section: Any = Params
    for part in location:
        if isinstance(section, type) and issubclass(section, BaseModel):
            section = next(f.annotation for name, f in section.model_fields.items() if part in (name, f.alias))
        else:   # a name in a mapping
            section = get_args(section)[1]
    return [field.alias or name for name, field in section.model_fields.items()]

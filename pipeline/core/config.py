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
from pydantic import BaseModel, Field, ValidationError, model_validator

from pipeline.core.data_params import (
    Corpus,
    CorpusName,
    Count,
    CountOrZero,
    Embedded,
    Extract,
    FeatureStoreRoot,
    NotNegative,
    Positive,
    Preprocess,
    Ray,
    Section,
    Share,
    Speech,
    Split,
    Statistics,
    Use,
)
from pipeline.core.model_params import (
    Diffusion,
    EmotionLabels,
    FaceSpace,
    Model,
    Sample,
    Train,
    TrainEmotion,
)
from pipeline.core.paths import PACKAGED

Emotion = Literal["neutral", "angry", "contempt", "disgusted", "fear", "happy", "sad", "surprised",
                  "anxiety", "helplessness", "disappointment"]

EXPONENT = re.compile(r"[+-]?\d+e[+-]?\d+", re.IGNORECASE)
UNION11_ALONE = ("anxiety", "helplessness", "disappointment")  # labels that `emotion.labels: core8` does not have


class ParamsError(ValueError):
    """`params.yaml` cannot be used; the message names every bad key."""


class Dials(Section):
    """Values that the report shows; their ranges are those of pipeline/animate/direction.py."""

    duration_s: Positive
    pose_scale: list[Annotated[float, Field(ge=0, le=3)]]
    mouth_scale: list[Annotated[float, Field(ge=0, le=2)]]
    blink: list[Annotated[float, Field(ge=0, le=60)]]
    expression_scale: list[Annotated[float, Field(ge=0, le=10)]]
    pose_guidance: list[Annotated[float, Field(ge=0, le=10)]]
    gaze: list[Literal["free", "camera"]]

    @property
    def shown(self) -> list[tuple[str, float | str]]:
        """Every dial with each of its values."""
        return [(dial, value) for dial, values in self.model_dump(exclude={"duration_s"}).items() for value in values]


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
    seeds: CountOrZero
    dials: Dials
    true_emotion_clips: CountOrZero
    frame_stride: Count
    control_stride: Count
    max_lag_frames: CountOrZero
    sync_ridge: Positive
    training_clips: Count
    panel_px: Annotated[int, Field(ge=64, multiple_of=2)]
    crf: Annotated[int, Field(ge=0, le=51)]
    workers: Count
    gpus_per_actor: Share


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
    gpus_per_actor: Share


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
    def _together(self) -> Params:
        """What a section's values mean for another's; all that is wrong is said at once."""
        wrong = []
        for check in (self._velocity_of_motion_alone, self._emotions_that_are_learned, self._steps_that_were_trained,
                      self._gpus_of_a_cluster, self._corpora_together):
            try:
                check()
            except ValueError as error:
                wrong.append(str(error))
        if wrong:
            raise ValueError("\n  ".join(wrong))
        return self

    def _velocity_of_motion_alone(self) -> None:
        weight = max(self.train_audio.pose_velocity_weight, self.train_emotion.pose_velocity_weight)
        if weight > 0 and self.diffusion.target != "x0":
            raise ValueError(f"train_*.pose_velocity_weight {weight} needs diffusion.target x0 (it is "
                             f"{self.diffusion.target}): only there does the network predict motion")

    def _emotions_that_are_learned(self) -> None:
        for name in ("evaluate", "ablate"):
            strange = [emotion for emotion in getattr(self, name).emotions if emotion in UNION11_ALONE]
            if strange and self.emotion.labels == "core8":
                raise ValueError(f"{name}.emotions: {', '.join(strange)} not among emotion.labels core8")

    def _steps_that_were_trained(self) -> None:
        if self.sample.steps > self.diffusion.steps:
            raise ValueError(f"sample.steps {self.sample.steps} must not exceed diffusion.steps {self.diffusion.steps}")

    def _gpus_of_a_cluster(self) -> None:
        tune = {"face_space.tune": self.face_space.tune} if self.face_space.tune.steps else {}
        trainings = {"train_audio": self.train_audio, "train_emotion": self.train_emotion} | tune
        unsaid = [name for name, section in trainings.items()
                  if section.trainer.workers and section.trainer.gpus == "auto"]
        if self.ray.address is not None and unsaid:
            raise ValueError(f"{unsaid[0]}.trainer.gpus auto is for one machine: on the cluster at ray.address "
                             f"{self.ray.address!r} say how many GPUs it takes (0: CPU cores)")

    def _corpora_together(self) -> None:
        if not self.used_for("audio"):
            raise ValueError("corpora: none has `audio` in its `use`: stage 1 has nothing to train on")
        places = {name: _place(corpus) for name, corpus in self.corpora.items()}
        for name, other in ((a, b) for a in places for b in places if a != b):
            if f"{places[name]}/".startswith(f"{places[other]}/"):
                raise ValueError(f"corpora.{name}.path {self.corpora[name].path} lies in that of corpora.{other}: its "
                                 "clips would be in both, and their people in training and tests")

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
        values = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)   # noqa: S506 - a SafeLoader
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path} is not UTF-8 text: save it as UTF-8") from error
    except FileNotFoundError as error:
        raise ParamsError(f"{path} is missing: run from the project folder, or make one by `playmate init`") from error
    except yaml.YAMLError as error:
        raise ParamsError(f"{path} is not valid YAML: {error}") from error
    return parse_params(values, str(path))


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a key stands once: of two, PyYAML would take the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((place for place, key in enumerate(keys) if key in keys[:place]), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key {keys[twice]!r} stands there twice",
                                                    node.value[twice][0].start_mark)
        return super().construct_mapping(node, deep)


def own_or_packaged_params() -> Params:
    """The parameters of the project in this folder, outside of one those that come with the package."""
    own = Path("params.yaml")
    return load_params(own if own.exists() else PACKAGED / own.name)


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
        *above, last = error["loc"]
        accepted = _keys_of(above)
        for name, inner in accepted.items():
            if isinstance(inner, type) and issubclass(inner, Section) and last in inner.model_fields:
                return f"  {key}: is now {'.'.join([*above, name, last])}"
        return f"  {key}: unknown key; accepted here: {', '.join(accepted)}"
    if error["type"] == "missing":
        return f"  {key}: missing"
    given = error["input"]
    if error["type"] == "value_error":   # a check of ours, which says what was given
        said = error["msg"].removeprefix("Value error, ")
        return f"  {key}: {said}" if error["loc"] else f"  {said}"
    hint = ", which YAML takes for text: write 1.0e-4" if isinstance(given, str) and EXPONENT.fullmatch(given) else ""
    return f"  {key}: {error['msg']} (got {given!r}{hint})"


def _keys_of(location: list) -> dict[str, Any]:
    """Keys of a section, each with its type."""
    section: Any = Params
    for part in location:
        if isinstance(section, type) and issubclass(section, BaseModel):
            section = next(f.annotation for name, f in section.model_fields.items() if part in (name, f.alias))
        else:   # a name in a mapping
            section = get_args(section)[1]
    return {field.alias or name: field.annotation for name, field in section.model_fields.items()}

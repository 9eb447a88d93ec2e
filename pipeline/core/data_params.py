"""Sections of `params.yaml` about data: corpora, preprocessing, features, and where they are computed and kept; and
what all sections are made of."""

from __future__ import annotations

import os.path
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pipeline.core.paths import DATA, EMBEDDED, FEATURES, REPORTS, WORK

# kinds of numbers
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]
Gpus = Literal["auto"] | CountOrZero  # of all workers together; auto: those of this machine
UNTRAINED = "untrained"  # as a checkpoint: a seeded toy network, for tests of the whole path without weights

Reader = Literal["avspeech", "celebv_text", "acappella", "mead", "mafw", "hdtf", "clips"]
Use = Literal["audio", "emotion", "test"]
CorpusName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
OF_VIDEOS = ("avspeech", "celebv_text", "mafw")   # readers of corpora that name no people: a video is an identity
OUTPUTS = ("code", "embedded", "sources", "crops", "split", "face_space", "features", "statistics", "models",
           "evaluation", "ablation")   # folders in data/ that stages write


class Section(BaseModel):
    # `defer_build`: whoever needs one section does not wait for the validators of all
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


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
    def names_people(self) -> bool:
        """Whether its identities are people: some readers' are videos; who appears in embedded ones is known."""
        return self.is_embedded or self.reader not in OF_VIDEOS

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
    talking: Annotated[int, Field(ge=0)]
    speaker: Literal["kokoro", "espeak"]
    render_px: Annotated[int, Field(ge=128)]


class Measure(Section):
    """What the measures and the crop of a clip depend on."""

    fps: Literal[25]
    crop_px: Count
    sample_rate_hz: Literal[16000]
    min_duration_s: Positive
    max_duration_s: Positive
    detector: Literal["insightface", "buffalo_l", "mediapipe"]
    detector_px: Count
    detect_every: Count
    max_side_px: Count
    max_source_s: Positive
    shot_threshold: Positive
    crop_scale: Positive
    crop_shift_y: float
    crf: Annotated[int, Field(ge=0, le=51)]

    @model_validator(mode="after")
    def _pairs(self) -> Measure:
        if self.min_duration_s >= self.max_duration_s:
            raise ValueError(f"min_duration_s {self.min_duration_s} must be below max_duration_s {self.max_duration_s}")
        return self


class Thresholds(Section):
    """What stored measures are held against."""

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
    min_sync_confidence: NotNegative
    max_sync_offset_frames: NotNegative
    duplicate_share: Share

    @model_validator(mode="after")
    def _pairs(self) -> Thresholds:
        if self.min_brightness >= self.max_brightness:
            raise ValueError("min_brightness must be below max_brightness")
        return self


class ProcessLimits(Section):
    """What the process of one clip may take; only clips that ran into it depend on it."""

    max_decode_s: Positive
    max_memory_gb: Positive


class Preprocess(Section):
    measure: Measure
    thresholds: Thresholds
    limits: ProcessLimits
    sync_filter: bool
    identity: Literal["none", "mobilefacenet", "arcface_w600k_r50"]
    keep_frames_gb: NotNegative
    gpus_per_actor: Share
    ray_min_clips: CountOrZero


class Split(Section):
    test_identities: list[str]
    test_share: Annotated[float, Field(gt=0.0, lt=1.0)]
    validation_share: Share
    same_person: Share


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
    gpus_per_actor: Share
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
    init: str
    own_mean: bool
    min_std: Positive
    pose_group: Literal["clip", "identity", "global"]

    @model_validator(mode="after")
    def _pairs(self) -> Statistics:
        if self.own_mean and self.init == "none":
            raise ValueError("own_mean changes the statistics of a bundle: name one in init")
        return self

"""What extraction has to do: the clips and families without a finished unit of the present fingerprint."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from feature_store.manifest import Reject
from feature_store.schema import FAMILIES, MOTION, SPEECH, VERSION
from feature_store.units import KeySet, UnitKey, existing, read_quarantine
from pipeline.components.face_space import motion_identity
from pipeline.components.speech import speech_identity
from pipeline.core.clip_table import KEPT, iterate_clip_table
from pipeline.core.config import Params
from pipeline.core.fingerprint import code_of, digest
from pipeline.core.paths import CROPS, FACE_SPACE, FEATURES, WORK
from pipeline.media import crops
from pipeline.storage import Storage

# what computes a family, by kind; beside ours torch is not among the libraries: its versions move features by rounding
MOTION_CODE = {"landmark": "models.landmark.space", "liveportrait": "models.liveportrait.torch_space"}
MOTION_LIBRARIES = {"landmark": (crops.LIBRARY, "mediapipe"), "liveportrait": (crops.LIBRARY,)}
SPEECH_CODE = {"whisper": "models.speech.whisper", "wav2vec2": "models.speech.huggingface",
               "hubert": "models.speech.huggingface"}
SPEECH_LIBRARIES = {"whisper": (), "wav2vec2": ("transformers",), "hubert": ("transformers",)}
# imported there, but no value of a row comes from it: what draws a face, and what keeps a finished row
NO_VALUES = ("models.landmark.render", "models.landmark.retarget", "models.liveportrait.appearance",
             "models.liveportrait.warping", "models.liveportrait.generator", "models.liveportrait.stitching",
             "feature_store.units", "feature_store.manifest")
LABELS = ("corpus", "identity", "emotion", "level", "language")
COLUMNS = ["clip_id", *LABELS, "frames", "crop_sha256", "speech_sha256"]


def fingerprints(params: Params) -> dict[str, str]:
    """Of each family: code, weights, parameters and schema that its rows depend on; raises WeightsError."""
    return {MOTION: motion_fingerprint(params), SPEECH: speech_fingerprint(params)}


def motion_fingerprint(params: Params) -> str:
    """Raises FileNotFoundError where the face space is not made yet."""
    kind = params.face_space.kind
    return digest(MOTION, VERSION, _code(MOTION_CODE[kind]), _versions(MOTION_LIBRARIES[kind]),
                  motion_identity(FACE_SPACE), params.preprocess.measure.fps)


def speech_fingerprint(params: Params) -> str:
    """Raises WeightsError where the encoder's weights are missing."""
    kind = params.speech.kind
    return digest(SPEECH, VERSION, _code(SPEECH_CODE[kind]), _versions(SPEECH_LIBRARIES[kind]),
                  speech_identity(params.speech), params.preprocess.measure.fps)


def _code(module: str) -> str:
    return code_of(module, "stages.extract.clip", apart=NO_VALUES)


def _versions(libraries: tuple[str, ...]) -> dict[str, str]:
    return {name: version(name) for name in libraries}


def store_location(params: Params) -> str:
    """Where units and shards are kept: the bucket, or beside the project's other resumable work."""
    root = params.feature_store.root
    return str(WORK / "store") if Path(root) == FEATURES else root


def limits_of(params: Params) -> dict[str, float]:
    """What a clip may take: one that needed more is tried again only under other limits."""
    return {"max_clip_s": params.extract.max_clip_s, "max_memory_gb": params.extract.max_memory_gb}


def without_ray(params: Params, clips: int) -> bool:
    """Whether one plain process computes so few clips; a cluster and GPUs are Ray's in any case."""
    plain = params.ray.address is None and not params.extract.gpus_per_actor
    return plain and clips < params.extract.ray_min_clips


@dataclass(frozen=True, slots=True)
class Clip:
    """A kept clip and the units that belong to it."""

    row: dict  # `COLUMNS` of the clip table
    keys: dict[str, UnitKey]

    @property
    def clip_id(self) -> str:
        return self.row["clip_id"]

    @property
    def path(self) -> Path:
        return CROPS / self.row["corpus"] / f"{self.clip_id}.mp4"


def kept_clips(corpus: str, prints: dict[str, str]) -> Iterator[Clip]:
    """The kept clips of one corpus by id, one after the other; FileNotFoundError where it is not preprocessed."""
    path = CROPS / corpus / "clips.parquet"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `dvc repro preprocess@{corpus}`")
    return (Clip(row, _keys(row, prints)) for row in iterate_clip_table(path, KEPT, COLUMNS))


def _keys(row: dict, prints: dict[str, str]) -> dict[str, UnitKey]:
    content = {MOTION: row["crop_sha256"], SPEECH: digest(row["speech_sha256"], row["frames"])}
    return {family: UnitKey(family, prints[family], row["clip_id"], content[family]) for family in FAMILIES}


class Progress:
    """Which units are finished, and which clips have been given up, in `storage`; twenty bytes a clip."""

    def __init__(self, storage: Storage, prints: dict[str, str], limits: dict[str, float]):
        self.storage, self.limits = storage, limits
        self.keys: dict[str, KeySet] = {family: existing(storage, family, prints[family]) for family in FAMILIES}

    def missing(self, clip: Clip) -> list[str]:
        """Families that are still to be computed; none where the clip was given up."""
        if self.reject(clip) is not None:
            return []
        return [family for family in FAMILIES if str(clip.keys[family]) not in self.keys[family]]

    def reject(self, clip: Clip) -> Reject | None:
        """Why the clip was given up, where it was."""
        for family, key in clip.keys.items():
            found = self.keys[family]
            if key.reject in found:
                return Reject(**json.loads(self.storage.get(key.reject)))
            if key.quarantine in found and str(key) not in found:
                reject = read_quarantine(self.storage, key, self.limits)
                if reject is not None:
                    return reject
        return None


def missing_jobs(clips: Iterable[Clip], progress: Progress) -> Iterator[tuple[Clip, list[str]]]:
    """Every clip that lacks a family, with the families it lacks."""
    for clip in clips:
        families = progress.missing(clip)
        if families:
            yield clip, families

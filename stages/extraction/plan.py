"""What extraction has to do: the clips and families without a finished unit of the present fingerprint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from feature_store.manifest import Reject
from feature_store.schema import FAMILIES, MOTION, SPEECH, VERSION
from feature_store.units import UnitKey, existing
from pipeline.clip_table import KEPT, read_clip_table
from pipeline.components import face_space_identity, speech_identity
from pipeline.config import Params
from pipeline.fingerprint import code_digest, digest
from pipeline.paths import CROPS, FACE_SPACE
from pipeline.storage import Storage

MOTION_CODE = {"landmark": ("models.landmark.points", "models.landmark.pose", "models.landmark.space",
                            "models.landmark.template", "models.landmarker"),
               "liveportrait": ("models.liveportrait",)}
SHARED_CODE = ("models.camera", "models.motion", "stages.extraction.clip")
SPEECH_CODE = {"whisper": ("models.speech.whisper", "models.speech.log_mel", "models.speech.ctranslate2"),
               "wav2vec2": ("models.speech.huggingface",), "hubert": ("models.speech.huggingface",)}
SHARED_SPEECH_CODE = ("models.speech.encoder", "models.speech.pieces", "stages.extraction.clip")


def fingerprints(params: Params) -> dict[str, str]:
    """Of each family: code, weights, parameters and schema that its rows depend on; raises WeightsError."""
    kind = params.face_space.kind
    libraries = {name: version(name) for name in ("decord", "mediapipe")} if kind == "landmark" else {}
    motion = digest(MOTION, VERSION, code_digest(*MOTION_CODE[kind], *SHARED_CODE), libraries,
                    face_space_identity(FACE_SPACE), params.preprocess.fps)
    speech = digest(SPEECH, VERSION, code_digest(*SPEECH_CODE[params.speech.kind], *SHARED_SPEECH_CODE),
                    speech_identity(params.speech), params.preprocess.fps)
    return {MOTION: motion, SPEECH: speech}


@dataclass(frozen=True)
class Clip:
    """A kept clip and the units that belong to it."""

    row: dict  # of the clip table
    keys: dict[str, UnitKey]

    @property
    def clip_id(self) -> str:
        return self.row["clip_id"]

    @property
    def path(self) -> Path:
        return CROPS / self.row["corpus"] / f"{self.clip_id}.mp4"


def kept_clips(corpus: str, prints: dict[str, str]) -> list[Clip]:
    """The kept clips of one corpus; raises FileNotFoundError where it is not preprocessed."""
    path = CROPS / corpus / "clips.parquet"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `dvc repro preprocess@{corpus}`")
    return [Clip(row, _keys(row, prints)) for row in read_clip_table(path, KEPT)]


def _keys(row: dict, prints: dict[str, str]) -> dict[str, UnitKey]:
    content = {MOTION: row["crop_sha256"], SPEECH: digest(row["speech_sha256"], row["frames"])}
    return {family: UnitKey(family, prints[family], row["clip_id"], content[family]) for family in FAMILIES}


class Progress:
    """Which units are finished, and which clips have been given up for good, in `storage`."""

    def __init__(self, storage: Storage, prints: dict[str, str]):
        self.storage = storage
        self.keys = set().union(*(existing(storage, family, prints[family]) for family in FAMILIES))

    def missing(self, clip: Clip) -> list[str]:
        """Families that are still to be computed; none where the clip was given up."""
        if self.rejected(clip):
            return []
        return [family for family in FAMILIES if str(clip.keys[family]) not in self.keys]

    def rejected(self, clip: Clip) -> list[UnitKey]:
        """Keys whose work was given up for a reason that will not change."""
        return [key for key in clip.keys.values() if key.reject in self.keys]

    def reject(self, clip: Clip) -> Reject:
        """The first reason of a rejected clip."""
        return Reject(**json.loads(self.storage.get(self.rejected(clip)[0].reject)))

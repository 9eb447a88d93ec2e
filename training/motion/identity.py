"""What a training run is: the digest of all that enters it. A changed value is another run, an equal one goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.components.bundle import trained_digest
from pipeline.core.config import Params
from pipeline.core.fingerprint import code_of, digest, file_sha256
from pipeline.core.model_params import Train
from pipeline.core.paths import AUDIO_BUNDLE, FEATURES, SPLIT, STATISTICS, initial_bundle
from pipeline.storage import Storage
from training.motion.job import Job

# keys that change no step but by rounding, or only what is looked at: a run goes on with them, and says so
SAME_STEP = {"accumulate", "compile", "log_every", "validate_every"}


@dataclass(frozen=True)
class Stage:
    """What differs between the stages."""

    name: Literal["audio", "emotion"]   # the `use` of its corpora, too
    make_job: Callable[[Params, Storage, str], Job]
    folder: Path

    def section(self, params: Params) -> Train:
        return params.train_audio if self.name == "audio" else params.train_emotion


def fingerprints(stage: Stage, params: Params) -> dict[str, str]:
    """Digests of all that enters the training: parameters, data, code, and the bundles it starts from.

    How it is computed (`trainer`), how motion is sampled and what the profile is called enter no training.
    """
    section, values = stage.section(params), start_values(stage, params)
    values["train"] = section.model_dump(exclude={"trainer", *SAME_STEP})
    data = [FEATURES / corpus / "manifest.json" for corpus in params.used_for(stage.name)]
    data += [SPLIT / "split.parquet", STATISTICS / "statistics.safetensors"]
    prints = {"params": digest(values), "data": digest({str(path): file_sha256(path) for path in data}),
              "code": code_of("training.motion.learner", "training.motion.build")}
    start = initial_bundle(section.init, f"train_{stage.name}.init")
    if start is not None:
        prints["init"] = trained_digest(start)
    if stage.name == "emotion":
        prints["stage_one"] = trained_digest(AUDIO_BUNDLE)
    return prints


def start_values(stage: Stage, params: Params) -> dict[str, Any]:
    """All values that a training is started with, nested as in params.yaml."""
    values: dict[str, Any] = {
        "seed": params.seed, "model": params.model.model_dump(), "diffusion": params.diffusion.model_dump(),
        "speech": params.speech.model_dump(), "face_space": params.face_space.kind,
        "train": stage.section(params).model_dump()}
    if stage.name == "emotion":
        values["emotion"] = params.emotion.model_dump()
    return values


def run_name(stage: Stage, prints: dict[str, str]) -> str:
    """`<stage>-<16 hex digits>`: folder of its checkpoints, name of its records."""
    return f"{stage.name}-{digest(prints)[:16]}"

"""Toy models, clips and a toy project folder: motion is a linear function of random-walk speech."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import yaml

from feature_store.manifest import Manifest, write_manifest
from feature_store.schema import MOTION, SPEECH, motion_tensors, speech_tensors
from feature_store.shards import PackedClip, pack
from feature_store.units import UnitKey, write_unit
from models.diffusion.schedule import alpha_bars
from models.motion.motion import RHO_DIM
from models.motion.normalization import MotionStatistics, Normalizer
from models.transformer.motion_transformer import ModelShape, MotionTransformer
from pipeline.core.split_table import write_split
from pipeline.storage import open_storage
from pipeline.storage.local import LocalStorage
from tests.chosen import keep_corpora
from training.engine.checkpoint import CheckpointStore
from training.engine.optimiser import OptimiserSettings
from training.motion.batches import BatchSettings
from training.motion.clips import StoredClips, TrainingClip, fit_inputs
from training.motion.job import Job
from training.motion.losses import Objective

K, SPEECH_DIM = 3, 6
MOTION_DIM = 3 * K + RHO_DIM
EMOTIONS = ("neutral", "happy", "sad", "angry")


class Untracked:
    """Takes what a tracked run takes, and forgets it."""

    def metrics(self, values: dict[str, float], step: int) -> None: ...
    def tags(self, tags: dict) -> None: ...
    def artifact(self, path: Path, folder: str = "") -> None: ...


def shape(**changes) -> ModelShape:
    """A model of a few thousand parameters."""
    values = {"dim": 16, "heads": 2, "layers": 1, "conv_kernel": 5, "conv_norm": "layer", "mlp_ratio": 2,
              "dropout": 0.0, "audio_align_layers": 1, "window": 8, "previous": 3, "emotion_blocks": 2,
              "num_keypoints": K, "speech_dim": SPEECH_DIM, "num_emotions": 0}
    return ModelShape(**{**values, **changes})


def model(seed: int = 0, **changes) -> MotionTransformer:
    """A seeded toy model in evaluation mode."""
    torch.manual_seed(seed)
    return MotionTransformer(shape(**changes)).eval()


def clips(count: int = 5, frames: int = 20, emotion: bool = False, seed: int = 0) -> list[TrainingClip]:
    """Clips of slightly different lengths."""
    random = np.random.default_rng(seed)
    mix = np.random.default_rng(99).standard_normal((SPEECH_DIM, MOTION_DIM)).astype(np.float32) / 3
    made = []
    for index in range(count):
        speech = random.standard_normal((frames + index, SPEECH_DIM)).astype(np.float32)
        x_c = random.standard_normal((K, 3)).astype(np.float32)
        made.append(TrainingClip(f"clip{index}", x_c, speech @ mix, speech, index % 8 if emotion else -1))
    return made


def stored(data: list[TrainingClip], load: Callable[[str], TrainingClip], cache_bytes: int = 10**9) -> StoredClips:
    """`data` as a store's clips, each given by `load`."""
    return StoredClips([clip.clip_id for clip in data], [len(clip) for clip in data], [clip.emotion for clip in data],
                       "toy", load, cache_bytes)


def statistics() -> MotionStatistics:
    """Statistics that are not trivial; dimension 0 is dead."""
    std = np.linspace(0.5, 2, 3 * K)
    std[0] = 0
    return MotionStatistics(Normalizer.of(np.linspace(-1, 1, 3 * K), std, 1e-4), np.zeros(RHO_DIM),
                            np.full(RHO_DIM, 0.3), np.zeros(RHO_DIM), np.ones(RHO_DIM), "clip", 1e-4)


def job(folder: Path, trained: MotionTransformer, data: list[TrainingClip], **optimiser) -> Job:
    """A job of a few steps over `data`; stage 2 where the model has emotion control."""
    settings = {"steps": 6, "lr": 1e-3, "warmup_steps": 2, "final_lr_share": 0.1, "weight_decay": 0.0,
                "grad_clip": 1.0, "ema_decay": 0.9, "precision": "fp32", "accumulate": 1, "compile": False,
                "prefetch": 2, "checkpoint_every": 2, "validate_every": 3, "log_every": 1, "min_improvement": 0.0,
                "stop_after": 0}
    stage_two = trained.shape.num_emotions > 0
    batches = BatchSettings(batch=4, window=trained.shape.window, previous=trained.shape.previous, diffusion_steps=50,
                            previous_noise_t_max=5, start_share=0.3, truncate_share=0.3, free_pose=0.0,
                            drop="independent", drop_audio=0.2, drop_emotion=0.2, drop_identity=0.1, identity_noise=0.0,
                            num_emotions=trained.shape.num_emotions)
    objective = Objective(torch.from_numpy(alpha_bars("linear", 50)), "x0", "sqrt", "part", 1.0,
                          0.0 if stage_two else 1.0, 0.0, stage_two)
    if not stage_two:
        fit_inputs(trained, data, np.ones(trained.shape.motion_dim))
    return Job(trained, data, data[:2], batches, objective, OptimiserSettings(**{**settings, **optimiser}), 7,
               CheckpointStore(LocalStorage(folder), "run"))


def make_project(folder: Path, source: Path, root: str | None = None, **train) -> Path:
    """A project folder with toy features of two corpora (avspeech, mead), split, and params.yaml with toy sizes.

    `root`: where the features' shards are kept; None: in the folder.
    """
    params = yaml.safe_load((source / "params.yaml").read_text())
    toy = {name: value for name, value in vars(shape()).items() if name in params["model"]}
    params["model"] |= toy
    params["diffusion"] |= {"steps": 50, "previous_noise_t_max": 5}
    small = {"steps": 4, "batch": 4, "checkpoint_every": 2, "validate_every": 2, "log_every": 1, "init": "none",
             "warmup_steps": 1, **train}
    for section in (params["train_audio"], params["train_emotion"]):
        for key, value in small.items():
            (section["trainer"] if key in section["trainer"] else section)[key] = value
    keep_corpora(params, "avspeech", "mead")
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    rows = [row for corpus in ("avspeech", "mead") for row in _features(folder, corpus, root)]
    write_split(folder / "data/split", rows)
    return folder


def _features(folder: Path, corpus: str, root: str | None) -> list[dict]:
    storage = open_storage(root or folder / ".playmate/store")
    motion, speech = motion_tensors(K), speech_tensors(SPEECH_DIM)
    rows, keys = [], []
    for index, clip in enumerate(clips(seed=len(corpus))):
        clip_id, frames = f"{corpus}{index}", len(clip)
        labels = {"corpus": corpus, "identity": f"{corpus}/{index % 3}", "emotion": None, "level": None,
                  "language": "en"}
        if corpus == "mead":
            labels["emotion"] = EMOTIONS[index % 4]
        mean = clip.motion.mean(0, dtype=np.float64)
        values = {MOTION: {"x_c": clip.x_c, "motion": clip.motion,
                           "moments": np.stack([mean, ((clip.motion - mean) ** 2).sum(0)])},
                  SPEECH: {"features": clip.speech.astype(np.float16)}}
        for family, tensors in ((MOTION, motion), (SPEECH, speech)):
            key = UnitKey(family, "toy", clip_id, "0" * 16)
            write_unit(storage, key, frames, 25, tensors, values[family])
            keys.append(PackedClip(key, labels))
        rows.append({"clip_id": clip_id, "corpus": corpus, "identity": labels["identity"],
                     "split": "validation" if index == 4 else "train"})
    out = folder / "data/features" / corpus
    shards = [shard for family in (MOTION, SPEECH)
              for shard in pack(storage, [key for key in keys if key.key.family == family], 2, None if root else out)]
    write_manifest(out, Manifest(corpus, 25, {MOTION: "toy", SPEECH: "toy"}, shards, [], root=root))
    return rows

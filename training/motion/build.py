"""Build the job of either stage from params.yaml, the feature store, the split and the statistics.

Every worker builds the same job from the same files; nothing large travels through Ray.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from feature_store.manifest import NAME as MANIFEST
from feature_store.reader import ClipRow, FeatureStore, open_store
from feature_store.statistics import pose_normalizers
from models.diffusion.schedule import alpha_bars
from models.motion.emotions import LABEL_SETS
from models.motion.motion import RHO_DIM
from models.motion.normalization import MotionStatistics, Normalizer
from models.transformer.motion_transformer import ModelShape, MotionTransformer
from pipeline.components.bundle import load_bundle
from pipeline.core.config import Params
from pipeline.core.fingerprint import digest, file_sha256
from pipeline.core.model_params import Train
from pipeline.core.paths import AUDIO_BUNDLE, SPLIT, STATISTICS
from pipeline.core.split_table import TRAIN, VALIDATION, clips_of, read_split
from pipeline.storage import Storage
from training.engine.checkpoint import CheckpointStore
from training.engine.optimiser import OptimiserSettings
from training.motion.batches import BatchSettings
from training.motion.clips import StoredClips, TrainingClip, fit_inputs
from training.motion.initial import initial_audio, initial_emotion
from training.motion.job import Job
from training.motion.losses import Objective
from training.motion.unpacked import unpack

CENTRE_CLIPS = 50  # of one label, that its mean expression is taken from


def audio_job(params: Params, storage: Storage, name: str, statistics: MotionStatistics | None = None,
              split: Mapping[str, str] | None = None) -> Job:
    """Stage 1 on the training clips of the corpora for it; raises ValueError where there are none.

    `statistics`: None: the statistics stage's. `split`: clip id -> split, None: the split stage's.
    """
    section, statistics = params.train_audio, statistics or read_statistics()
    train, validation = stored_clips(params.used_for("audio"), section, statistics, labels=None, split=split)
    torch.manual_seed(params.seed)
    model = MotionTransformer(model_shape(params, train[0]))
    fit_inputs(model, train, np.concatenate([statistics.expression.alive, statistics.pose_std >= statistics.min_std]))
    initial_audio(model, params)
    return _job(params, section, model, train, validation, CheckpointStore(storage, name), statistics, 0.0,
                "independent")


def emotion_job(params: Params, storage: Storage, name: str) -> Job:
    """Stage 2: the emotion-control module on labelled clips, all of stage 1 frozen."""
    section, stage_one = params.train_emotion, load_bundle(AUDIO_BUNDLE)
    labels = LABEL_SETS[params.emotion.labels]
    train, validation = stored_clips(params.used_for("emotion"), section, stage_one.statistics, labels)
    torch.manual_seed(params.seed)
    model = with_emotion(stage_one.model, len(labels))
    initial_emotion(model, params)
    made = _job(params, section, model, train, validation, CheckpointStore(storage, name), stage_one.statistics,
                section.drop_emotion, section.drop)
    made.emotion_centres = emotion_centres(train, train.emotions)
    return made


def with_emotion(stage_one: MotionTransformer, num_labels: int) -> MotionTransformer:
    """The joint model: an untrained emotion-control module on a frozen copy of stage 1."""
    shape = ModelShape(**{**vars(stage_one.shape), "num_emotions": num_labels})
    model = MotionTransformer(shape)
    model.load_state_dict(stage_one.state_dict(), strict=False)
    for parameter in model.stage_one_parameters():
        parameter.requires_grad_(False)
    return model


def model_shape(params: Params, clip: TrainingClip) -> ModelShape:
    """Shape of the stage-1 model for clips such as `clip`."""
    return ModelShape(**params.model.model_dump(), num_keypoints=len(clip.x_c), speech_dim=clip.speech.shape[1],
                      num_emotions=0)


def stored_clips(corpora: list[str], section: Train, statistics: MotionStatistics, labels: tuple[str, ...] | None,
                 split: Mapping[str, str] | None = None) -> tuple[StoredClips, StoredClips]:
    """Training and validation clips, read when they are asked for; with `labels` only clips that carry one of them.

    `split`: clip id -> split, None: the split stage's.

    Raises ValueError where there is no training clip.
    """
    if not corpora:
        raise ValueError("no corpus is for this stage: add it to the `use` of one in params.yaml, corpora")
    store, split = open_store(corpora), read_split(SPLIT) if split is None else split
    parts = []
    for name in (TRAIN, VALIDATION):
        rows = [row for row in store.clips(clips_of(split, name)) if labels is None or row.emotion in labels]
        parts.append(_stored_clips(store, rows, statistics, labels, int(section.trainer.cache_gb * 2**30)))
    if not parts[0]:
        raise ValueError(f"no training clip in {', '.join(corpora)}" + (
            f" is labelled {', '.join(labels)}" if labels else "")
            + ": look at data/split/split.json and data/crops/*/clips.parquet")
    return parts[0], parts[1]


def emotion_centres(clips: Sequence[TrainingClip], emotions: Sequence[int]) -> dict[int, np.ndarray]:
    """Mean normalised expression [3K] of every label that clips carry, over its first 50 clips; no other is loaded."""
    found: dict[int, list[np.ndarray]] = defaultdict(list)
    for index, emotion in enumerate(emotions):
        if len(found[emotion]) < CENTRE_CLIPS:
            found[emotion].append(clips[index].motion[:, :-RHO_DIM].mean(axis=0, dtype=np.float64))
    return {label: np.mean(means, axis=0) for label, means in sorted(found.items())}


def _stored_clips(store: FeatureStore, rows: list[ClipRow], statistics: MotionStatistics,
                  labels: tuple[str, ...] | None, cache_bytes: int) -> StoredClips:
    by_id, pose = {row.clip_id: row for row in rows}, pose_normalizers(store, rows, statistics)
    emotions = {row.clip_id: labels.index(row.emotion) if labels and row.emotion else -1 for row in rows}
    content = digest({str(folder): file_sha256(folder / MANIFEST) for folder in store.manifests}, list(by_id),
                     {name: value.tolist() for name, value in statistics.tensors().items()})
    return StoredClips(list(by_id), [row.frames for row in rows], list(emotions.values()), content,
                       lambda clip_id: _training_clip(store, clip_id, statistics, pose[clip_id], emotions[clip_id]),
                       cache_bytes)


def _training_clip(store: FeatureStore, clip_id: str, statistics: MotionStatistics, pose: Normalizer,
                   emotion: int) -> TrainingClip:
    features = store.load(clip_id)
    motion = statistics.normalize(features.motion, pose).astype(np.float32)
    return TrainingClip(clip_id, features.x_c, motion, features.speech, emotion)


def _job(params: Params, section: Train, model: MotionTransformer, train: StoredClips,
         validation: StoredClips, checkpoints: CheckpointStore, statistics: MotionStatistics,
         drop_emotion: float, drop: Literal["independent", "nested"]) -> Job:
    diffusion, shape = params.diffusion, model.shape
    batches = BatchSettings(
        batch=section.batch, window=shape.window, previous=shape.previous, diffusion_steps=diffusion.steps,
        previous_noise_t_max=diffusion.previous_noise_t_max, start_share=section.start_share,
        truncate_share=section.truncate_share, free_pose=section.free_pose, drop=drop, drop_audio=section.drop_audio,
        drop_emotion=drop_emotion, drop_identity=section.drop_identity, identity_noise=section.identity_noise,
        num_emotions=shape.num_emotions)
    objective = Objective(
        alpha_bar=torch.from_numpy(alpha_bars(diffusion.schedule, diffusion.steps)), target=diffusion.target,
        previous_noise_form=diffusion.previous_noise_form, weight_of=section.weight_of,
        expression_weight=section.expression_weight, pose_weight=section.pose_weight,
        pose_velocity_weight=section.pose_velocity_weight, use_emotion=shape.num_emotions > 0)
    state_every = section.trainer.video_every if validation else 0
    settings, unpacked = dict(section) | dict(section.trainer), section.trainer.unpacked
    optimiser = OptimiserSettings(**{name: settings[name] for name in OptimiserSettings.__annotations__})
    return Job(model, train, validation, batches, objective, optimiser, params.seed, checkpoints, statistics,
               state_every=state_every, loaders=section.trainer.loaders,
               unpack=partial(unpack, train, Path(unpacked)) if unpacked else None)


def read_statistics() -> MotionStatistics:
    """The statistics stage's output; raises FileNotFoundError."""
    from safetensors.numpy import load_file

    path = STATISTICS / "statistics.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `dvc repro statistics`")
    return MotionStatistics.from_tensors(load_file(path))

"""Build the job of either stage from params.yaml, the feature store, the split and the statistics.

Every worker builds the same job from the same files; nothing large travels through Ray.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from feature_store.reader import ClipRow, FeatureStore
from feature_store.split import TRAIN, VALIDATION, clips_of, read_split
from feature_store.statistics import pose_normalizers
from models.diffusion.schedule import alpha_bars
from models.emotions import LABEL_SETS
from models.motion_transformer import ModelShape, MotionTransformer
from models.normalization import MotionStatistics, Normalizer
from pipeline.bundle import load_bundle
from pipeline.config import Params, Train
from pipeline.paths import AUDIO_BUNDLE, FEATURES, SPLIT, STATISTICS
from pipeline.storage import Storage
from training.batches import BatchSettings
from training.checkpoint import CheckpointStore
from training.clips import TrainingClip, fit_inputs
from training.initial import initial_audio, initial_emotion
from training.loop import Job, OptimiserSettings
from training.losses import Objective


def audio_job(params: Params, storage: Storage, name: str) -> Job:
    """Stage 1 on the training clips of `params.train_audio.corpora`; raises ValueError where there are none."""
    section, statistics = params.train_audio, read_statistics()
    train, validation = load_clips(section.corpora, statistics, labels=None)
    torch.manual_seed(params.seed)
    model = MotionTransformer(model_shape(params, train[0]))
    fit_inputs(model, train, np.concatenate([statistics.expression.alive, statistics.pose_std >= statistics.min_std]))
    initial_audio(model, params)
    return _job(params, section, model, train, validation, CheckpointStore(storage, name), drop_emotion=0.0)


def emotion_job(params: Params, storage: Storage, name: str) -> Job:
    """Stage 2: the emotion-control module on labelled clips, all of stage 1 frozen."""
    section, stage_one = params.train_emotion, load_bundle(AUDIO_BUNDLE)
    labels = LABEL_SETS[params.emotion.labels]
    train, validation = load_clips(section.corpora, stage_one.statistics, labels)
    torch.manual_seed(params.seed)
    model = with_emotion(stage_one.model, len(labels))
    initial_emotion(model, params)
    return _job(params, section, model, train, validation, CheckpointStore(storage, name), section.drop_emotion)


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


def load_clips(corpora: Iterable[str], statistics: MotionStatistics, labels: tuple[str, ...] | None,
               ) -> tuple[list[TrainingClip], list[TrainingClip]]:
    """Training and validation clips in memory; with `labels` only clips that carry one of them.

    Raises ValueError where there is no training clip.
    """
    store, split = FeatureStore(FEATURES / corpus for corpus in corpora), read_split(SPLIT)
    parts = []
    for name in (TRAIN, VALIDATION):
        rows = [row for row in store.clips(clips_of(split, name)) if labels is None or row.emotion in labels]
        pose = pose_normalizers(store, rows, statistics)
        parts.append([_training_clip(store, row, statistics, pose[row.clip_id], labels) for row in rows])
    if not parts[0]:
        raise ValueError(f"no training clip in {', '.join(corpora)}" + (f" is labelled {', '.join(labels)}" if labels
                         else "") + ": look at data/split/split.json and data/crops/*/clips.parquet")
    return parts[0], parts[1]


def _training_clip(store: FeatureStore, row: ClipRow, statistics: MotionStatistics, pose: Normalizer,
                   labels: tuple[str, ...] | None) -> TrainingClip:
    features = store.load(row.clip_id)
    motion = statistics.normalize(features.motion, pose).astype(np.float32)
    return TrainingClip(row.clip_id, features.x_c, motion, features.speech,
                        labels.index(row.emotion) if labels else -1)


def _job(params: Params, section: Train, model: MotionTransformer, train: list[TrainingClip],
         validation: list[TrainingClip], checkpoints: CheckpointStore, drop_emotion: float) -> Job:
    diffusion, shape = params.diffusion, model.shape
    batches = BatchSettings(
        batch=section.batch, window=shape.window, previous=shape.previous, diffusion_steps=diffusion.steps,
        previous_noise_t_max=diffusion.previous_noise_t_max, start_share=section.start_share,
        truncate_share=section.truncate_share, drop_audio=section.drop_audio, drop_emotion=drop_emotion,
        drop_identity=section.drop_identity,
        identity_noise=section.identity_noise, num_emotions=shape.num_emotions)
    objective = Objective(
        alpha_bar=alpha_bars(diffusion.schedule, diffusion.steps), target=diffusion.target,
        previous_noise_form=diffusion.previous_noise_form, expression_weight=section.expression_weight,
        pose_weight=section.pose_weight, use_emotion=shape.num_emotions > 0)
    optimiser = OptimiserSettings(**{name: getattr(section, name) for name in OptimiserSettings.__annotations__})
    return Job(model, train, validation, batches, objective, optimiser, params.seed, checkpoints)


def read_statistics() -> MotionStatistics:
    """The statistics stage's output; raises FileNotFoundError."""
    from safetensors.numpy import load_file

    path = STATISTICS / "statistics.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `dvc repro statistics`")
    return MotionStatistics.from_tensors(load_file(path))

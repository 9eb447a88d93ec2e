"""Stage 2 without labelled clips: the emotion-control module of another bundle, as it is, on this project's stage 1.

It reads what stage 1 reads and changes its expression; a stage 1 that was fine-tuned gently still understands it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from models.motion.emotions import LABEL_SETS
from pipeline.components.bundle import load_bundle, save_bundle
from pipeline.core.config import Params
from pipeline.core.paths import AUDIO_BUNDLE
from training.engine.history import write_untrained
from training.motion.build import with_emotion
from training.motion.fit import bundle_config
from training.motion.identity import Stage, fingerprints, run_name
from training.motion.initial import initial_emotion


def carry_emotion(stage: Stage, params: Params, say: Callable[[str], None]) -> None:
    """Write the joint bundle and its files; raises ValueError where the module of `train_emotion.init` does not fit."""
    stage_one, init = load_bundle(AUDIO_BUNDLE), params.train_emotion.init
    torch.manual_seed(params.seed)
    model = with_emotion(stage_one.model, len(LABEL_SETS[params.emotion.labels]))
    if not initial_emotion(model, params):
        raise ValueError(f"train_emotion.steps 0 keeps the module of train_emotion.init {init}, which does not fit")
    prints = fingerprints(stage, params)
    save_bundle(stage.folder / "bundle", bundle_config(stage, params, model.shape, prints), model.state_dict(),
                stage_one.statistics)
    said = f"not trained: the emotion-control module of {init}, as it is"
    write_untrained(stage.folder, {
        "stage": stage.name, "parameters": sum(p.numel() for p in model.parameters()), "clips": 0,
        "validation_clips": 0, "run": run_name(stage, prints), "bundle_step": 0, "learned_nothing": 0, "verdict": said})
    say(f"train_{stage.name}: {said}; bundle in {stage.folder / 'bundle'}")

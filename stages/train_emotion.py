"""Stage 2, the emotion-control module on a frozen stage 1: `python -m stages.train_emotion`.

Trains with Ray Train on the labelled training clips of the corpora for `emotion`. Writes data/models/emotion/{bundle/,
curve.csv, metrics.json}; the bundle holds both stages, with the statistics of stage 1. With `steps: 0`, without
labelled clips, it is the module of another bundle, as it is: it reads what stage 1 reads and changes its expression,
and a stage 1 that was fine-tuned gently is still understood.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from models.motion.emotions import LABEL_SETS
from pipeline.components.bundle import load_bundle, save_bundle
from pipeline.core.config import Params, load_params
from pipeline.core.paths import AUDIO_BUNDLE, EMOTION_MODEL
from pipeline.core.stage import run_as_stage
from training.engine.history import write_untrained
from training.motion.build import emotion_job, with_emotion
from training.motion.fit import bundle_config, run_stage
from training.motion.identity import Stage, fingerprints, run_name
from training.motion.initial import initial_emotion


def main(say: Callable[[str], None] = print) -> None:
    """Train stage 2 as params.yaml says, or with `steps: 0` keep the module that it would start from."""
    stage, params = Stage("emotion", emotion_job, EMOTION_MODEL), load_params()
    if params.train_emotion.steps == 0:
        carry_emotion(stage, params, say)
    else:
        run_stage(stage, params, load_bundle(AUDIO_BUNDLE).statistics, say)


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


if __name__ == "__main__":
    run_as_stage(main)

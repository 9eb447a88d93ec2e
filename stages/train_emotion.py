"""Stage 2, the emotion-control module on a frozen stage 1: `python -m stages.train_emotion`.

Trains with Ray Train on the labelled training clips of the corpora for `emotion`. Writes data/models/emotion/{bundle/,
curve.csv, metrics.json}; the bundle holds both stages, with the statistics of stage 1.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.components.bundle import load_bundle
from pipeline.core.config import load_params
from pipeline.core.paths import AUDIO_BUNDLE, EMOTION_MODEL
from pipeline.core.stage import run_as_stage
from training.motion.build import emotion_job
from training.motion.carry import carry_emotion
from training.motion.fit import run_stage
from training.motion.identity import Stage


def main(say: Callable[[str], None] = print) -> None:
    """Train stage 2 as params.yaml says, or with `steps: 0` keep the module that it would start from."""
    stage, params = Stage("emotion", emotion_job, EMOTION_MODEL), load_params()
    if params.train_emotion.steps == 0:
        carry_emotion(stage, params, say)
    else:
        run_stage(stage, params, load_bundle(AUDIO_BUNDLE).statistics, say)


if __name__ == "__main__":
    run_as_stage(main)

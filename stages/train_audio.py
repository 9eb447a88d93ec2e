"""Stage 1, the audio-conditioned diffusion transformer: `python -m stages.train_audio`.

Trains with Ray Train on the training clips of the corpora for `audio`, going on where an interrupted run stopped.
Writes data/models/audio/{bundle/, curve.csv, metrics.json}.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.core.config import load_params
from pipeline.core.paths import AUDIO_MODEL
from pipeline.core.stage import run_as_stage
from training.motion.build import audio_job, read_statistics
from training.motion.fit import run_stage
from training.motion.identity import Stage


def main(say: Callable[[str], None] = print) -> None:
    """Train stage 1 as params.yaml says."""
    run_stage(Stage("audio", audio_job, AUDIO_MODEL), load_params(), read_statistics(), say)


if __name__ == "__main__":
    run_as_stage(main)

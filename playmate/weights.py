"""Which rows of the weights table a set of parameters asks for, stage by stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evaluation.metrics.judges import grid_metrics, judge_rows
from pipeline.components.speech import SPEECH_WEIGHTS
from pipeline.core.config import Params
from pipeline.weights.table import Weight, weights_table
from playmate.profile import params_with
from stages.corpora.identities import PORTRAITS
from stages.corpora.kokoro import WEIGHTS as KOKORO

DETECTORS = {"insightface": "scrfd", "buffalo_l": "buffalo_l", "mediapipe": "face_landmarker"}


def needed_weights(params: Params) -> list[Weight]:
    """In the table's order; what a `checkpoint` of the user's replaces is not asked for."""
    names = {name for of_stage in weights_of_stages(params).values() for name in of_stage}
    return [weight for name, weight in weights_table().items() if name in names]


def profile_weights(profile: str) -> list[Weight]:
    """What a profile needs, in the table's order; raises ValueError where there is none of that name."""
    return needed_weights(params_with(profile))


def weights_of_stages(params: Params) -> dict[str, list[str]]:
    """Stage -> names of the rows that it opens."""
    return {"corpora": [*_corpora(params)], "preprocess": [*_preprocess(params)],
            "face_space": [*_face_space(params), *_tuning(params)],
            "extract": [*_face_space(params), *_speech(params)],
            "evaluate": [*_judges(params.evaluate.metrics)],
            "ablate": [*_judges(grid_metrics(params.evaluate.metrics, params.ablate.frame_stride))]}


def _corpora(params: Params) -> Iterator[str]:
    if any(corpus.is_embedded for corpus in params.corpora.values()):
        yield "face_landmarker"
        yield from (portrait.weight for portrait in PORTRAITS.values() if portrait.weight)
        if params.embedded.speaker == "kokoro":
            yield from KOKORO


def _preprocess(params: Params) -> Iterator[str]:
    yield "silero_vad"
    yield DETECTORS[params.preprocess.measure.detector]
    if params.preprocess.sync_filter and any(corpus.sync for corpus in params.corpora.values()):
        yield from ("syncnet", "scrfd")


def _face_space(params: Params) -> Iterator[str]:
    if params.face_space.kind == "landmark":
        yield "face_landmarker"
    elif params.face_space.checkpoint is None:
        yield "liveportrait"


def _tuning(params: Params) -> Iterator[str]:
    if params.face_space.tune.steps and not params.face_space.untrained:
        yield params.face_space.tune.features


def _speech(params: Params) -> Iterator[str]:
    if params.speech.checkpoint is None:
        yield SPEECH_WEIGHTS[params.speech.kind]


def _judges(metrics: Sequence[str]) -> Iterator[str]:
    yield from judge_rows(metrics).values()

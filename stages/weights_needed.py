"""Which rows of the weights table a set of parameters asks for, over all stages."""

from __future__ import annotations

from collections.abc import Iterator

from evaluation.ablation_clip import grid_metrics
from evaluation.judges import WEIGHTS as JUDGES
from pipeline.components import SPEECH_WEIGHTS
from pipeline.config import Params
from pipeline.weights import Weight, weights_table
from stages.embedded.identities import PORTRAITS

DETECTORS = {"insightface": "scrfd", "buffalo_l": "buffalo_l", "mediapipe": "face_landmarker"}


def needed_weights(params: Params) -> list[Weight]:
    """In the table's order; what a `checkpoint` of the user's replaces is not asked for."""
    names = {*_corpora(params), *_preprocess(params), *_networks(params), *_judges(params)}
    return [weight for name, weight in weights_table().items() if name in names]


def _corpora(params: Params) -> Iterator[str]:
    if params.raw.embedded:
        yield "face_landmarker"
        yield from (portrait.weight for portrait in PORTRAITS.values() if portrait.weight)


def _preprocess(params: Params) -> Iterator[str]:
    yield "silero_vad"
    yield DETECTORS[params.preprocess.detector]
    if params.preprocess.sync_corpora:
        yield "syncnet"


def _networks(params: Params) -> Iterator[str]:
    space = params.face_space
    if space.kind == "landmark":
        yield "face_landmarker"
    elif not space.untrained:
        if space.checkpoint is None:
            yield "liveportrait"
        if space.tune.steps:
            yield space.tune.features
    if params.speech.checkpoint is None:
        yield SPEECH_WEIGHTS[params.speech.kind]


def _judges(params: Params) -> Iterator[str]:
    yield JUDGES["landmarks"]
    asked = (*params.evaluate.metrics, *grid_metrics(params.evaluate.metrics, params.ablate.frame_stride))
    yield from (JUDGES[metric] for metric in asked if metric in JUDGES)

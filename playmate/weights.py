"""Which rows of the weights table a set of parameters asks for, over all stages."""

from __future__ import annotations

from collections.abc import Iterator

from evaluation.ablation.clip import grid_metrics
from evaluation.metrics.judges import WEIGHTS as JUDGES
from pipeline.components.speech import SPEECH_WEIGHTS
from pipeline.core.config import Params
from pipeline.weights.table import Weight, weights_table
from stages.corpora.identities import PORTRAITS
from stages.corpora.kokoro import WEIGHTS as KOKORO

DETECTORS = {"insightface": "scrfd", "buffalo_l": "buffalo_l", "mediapipe": "face_landmarker"}


def needed_weights(params: Params) -> list[Weight]:
    """In the table's order; what a `checkpoint` of the user's replaces is not asked for."""
    names = {*_corpora(params), *_preprocess(params), *_networks(params), *_judges(params)}
    return [weight for name, weight in weights_table().items() if name in names]


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

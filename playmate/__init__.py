"""Audio-driven, emotion-controlled portrait animation: `from playmate import load_animator` (docs/api.md).

Each name is loaded when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.animate.animator import Animator
    from pipeline.animate.direction import Direction
    from pipeline.animate.load import load_animator
    from pipeline.animate.portrait import PortraitError
    from pipeline.animate.speech import SpeechError
    from pipeline.animate.stream import AnimatorStream
    from pipeline.dub.dubber import dub_to_file
    from pipeline.dub.reader import DubError
    from playmate.evaluate import evaluate_folders
    from playmate.finetune import fine_tune
    from playmate.init import make_project

__all__ = ["Animator", "AnimatorStream", "Direction", "DubError", "PortraitError", "SpeechError", "dub_to_file",
           "evaluate_folders", "fine_tune", "load_animator", "make_project"]
HOMES = {"Animator": "pipeline.animate.animator", "AnimatorStream": "pipeline.animate.stream",
         "Direction": "pipeline.animate.direction", "DubError": "pipeline.dub.reader",
         "dub_to_file": "pipeline.dub.dubber",
         "PortraitError": "pipeline.animate.portrait", "SpeechError": "pipeline.animate.speech",
         "evaluate_folders": "playmate.evaluate", "fine_tune": "playmate.finetune",
         "load_animator": "pipeline.animate.load", "make_project": "playmate.init"}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)

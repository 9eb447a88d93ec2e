"""A trained model in use: a film of a portrait and speech, or a stream of frames. Loaded when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.animate.animator import Animator
    from pipeline.animate.load import load_animator
    from pipeline.animate.stream import AnimatorStream

__all__ = ["Animator", "AnimatorStream", "load_animator"]
HOMES = {"Animator": "pipeline.animate.animator", "AnimatorStream": "pipeline.animate.stream",
         "load_animator": "pipeline.animate.load"}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)

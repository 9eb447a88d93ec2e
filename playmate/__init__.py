"""Audio-driven, emotion-controlled portrait animation: `from playmate import Animator`. Loaded when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.animate import Animator, load_animator

__all__ = ["Animator", "load_animator"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import pipeline.animate

    return getattr(pipeline.animate, name)

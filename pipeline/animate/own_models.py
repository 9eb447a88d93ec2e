"""A user's fine-tuned models, by name: what `playmate finetune` left in `pipeline.core.paths.models_folder`.

Each is a project of its own; `finetune.json`, written last, says that its model is whole and how good it is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.core import paths

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
FIGURES = "finetune.json"


@dataclass(frozen=True)
class OwnModel:
    """One fine-tuned model, and in words how it compares with the model that it was started from."""

    name: str
    bundle: Path
    face_space: Path
    verdict: str


def own_model(name: str) -> OwnModel | None:
    """The finished model of that name; None where there is none."""
    if NAME.fullmatch(name) is None:
        return None
    folder = paths.models_folder() / name
    try:
        figures = json.loads((folder / FIGURES).read_text())
    except FileNotFoundError:
        return None
    return OwnModel(name, folder / paths.EMOTION_BUNDLE, folder / paths.FACE_SPACE, str(figures["verdict"]))


def own_models() -> list[OwnModel]:
    """All finished ones, by name."""
    found = (own_model(path.parent.name) for path in sorted(paths.models_folder().glob(f"*/{FIGURES}")))
    return [model for model in found if model is not None]

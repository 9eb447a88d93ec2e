"""Which model is used when none is named: the registered champion, else the newest one here, else the shipped one.

`data/registration.json`, written by the register stage, says without a look into MLflow (importing it takes seconds)
whether the bundle of this project is the champion. Only where it was refused, or was trained again since, is the
registry asked for an older champion. A registry of others is used by name alone: `--model models:/playmate@champion`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.animate.animator import Animator
from pipeline.animate.own_models import own_model
from pipeline.components.bundle import CONFIG, bundle_digest
from pipeline.core import paths

CHAMPION = "models:/playmate@champion"


@dataclass(frozen=True)
class Choice:
    """A bundle folder or the name of a registered model, and why it was taken."""

    model: str
    reason: str


def load_animator(model: str | None = None, detector: str | None = None,
                  provider: str = "cpu") -> tuple[Animator, str]:
    """The animator of `model` and which one it is: a bundle folder, a fine-tuned model's name, a registered model
    (`models:/playmate@champion`), or, where none is named, that of `default_model`.

    Raises BundleError, WeightsError, FileNotFoundError where there is no model at all, TrackingUnavailable and
    ValueError for what the registry does not have.
    """
    choice = default_model() if model is None else Choice(model, "as named")
    folder, face_space = Path(choice.model), None
    own = None if folder.is_dir() else own_model(choice.model)
    if own is not None:
        return Animator.from_bundle(own.bundle, own.face_space, detector, provider), f"{own.name}, {own.verdict}"
    if choice.model.startswith("models:"):
        from pipeline.tracking.registry import download

        artifacts = download(choice.model)
        folder, face_space = artifacts / "bundle", artifacts / "face_space"
    return Animator.from_bundle(folder, face_space, detector, provider), f"{choice.model}, {choice.reason}"


def default_model() -> Choice:
    """What to use when nothing is named; raises FileNotFoundError where there is no model."""
    here = _here()
    if (paths.EMOTION_BUNDLE / CONFIG).is_file():
        if here.get("champion") and here.get("bundle_digest") == bundle_digest(paths.EMOTION_BUNDLE):
            return Choice(str(paths.EMOTION_BUNDLE), "the registered champion")
        if here and _registry_has_champion():
            return Choice(CHAMPION, "because the newer model of this project has not passed its gates")
        return Choice(str(paths.EMOTION_BUNDLE), "trained here, not a registered champion")
    for folder in (paths.SHIPPED, paths.PACKAGED / paths.SHIPPED):
        if (folder / CONFIG).is_file():
            return Choice(str(folder), "shipped with the project")
    raise FileNotFoundError(f"no model: neither {paths.EMOTION_BUNDLE} nor {paths.SHIPPED} is there; run "
                            "`make demo`, or name one with --model")


def _here() -> dict:
    """What the register stage said about the model of this project; empty where it did not run."""
    try:
        return json.loads(paths.REGISTRATION.read_text()).get("playmate", {})
    except FileNotFoundError:
        return {}


def _registry_has_champion() -> bool:
    from pipeline.tracking.client import TrackingUnavailable
    from pipeline.tracking.registry import lineage

    try:
        return bool(lineage(CHAMPION))
    except (TrackingUnavailable, ValueError):  # no champion, or nobody who could say: the newest model will do
        return False

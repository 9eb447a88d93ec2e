"""What a training starts from: nothing, the checkpoint that ships with the project, or any bundle."""

from __future__ import annotations

import logging
from dataclasses import replace

from models.motion.emotions import LABEL_SETS
from models.transformer.motion_transformer import MotionTransformer
from pipeline.components.bundle import Bundle, BundleConfig, load_bundle
from pipeline.core.config import Params
from pipeline.core.paths import initial_bundle

log = logging.getLogger(__name__)


def initial_audio(model: MotionTransformer, params: Params) -> None:
    """Start stage 1 from the weights of another bundle, a joint one too; its own motion mask stays."""
    bundle = _fitting(model, params, params.train_audio.init, "audio")
    if bundle is not None:
        kept = {name: value for name, value in bundle.model.state_dict().items()
                if not name.startswith("emotion.") and name != "motion_mask"}
        model.load_state_dict(kept, strict=False)


def initial_emotion(model: MotionTransformer, params: Params) -> bool:
    """Start the emotion-control module from that of another joint bundle with the same labels; False: from scratch."""
    bundle = _fitting(model, params, params.train_emotion.init, "emotion")
    if bundle is not None:
        kept = {name: value for name, value in bundle.model.state_dict().items() if name.startswith("emotion.")}
        model.load_state_dict(kept, strict=False)
    return bundle is not None


def _fitting(model: MotionTransformer, params: Params, init: str, stage: str) -> Bundle | None:
    """The bundle to start from, or None with a message that says what does not fit."""
    folder = initial_bundle(init, f"train_{stage}.init")
    if folder is None:
        return None
    bundle = load_bundle(folder)
    problems = differences(bundle.config, model, params, stage)
    if not problems:
        return bundle
    log.warning("%s does not fit (%s): stage %s starts from scratch", folder, "; ".join(problems), stage)
    return None


def differences(config: BundleConfig, model: MotionTransformer, params: Params, stage: str) -> list[str]:
    """In what a bundle differs from the model to be trained so that its weights would mean nothing there."""
    shape = config.model if stage == "emotion" else replace(config.model, num_emotions=0)
    pairs = {f"model.{name}": (value, getattr(model.shape, name)) for name, value in vars(shape).items()
             if name != "dropout"}
    pairs |= {f"diffusion.{name}": (config.diffusion.get(name), getattr(params.diffusion, name))
              for name in ("steps", "schedule", "target")}
    pairs |= {f"speech.{name}": (config.speech.get(name), getattr(params.speech, name)) for name in ("kind", "layer")}
    pairs["face_space"] = (config.face_space, params.face_space.kind)
    if stage == "emotion":
        pairs["labels"] = (tuple(config.labels), LABEL_SETS[params.emotion.labels])
    return [f"{name} is {there}, here {here}" for name, (there, here) in pairs.items() if there != here]

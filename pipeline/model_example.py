"""A request that a registered model answers as it is: MLflow keeps it with the model as its input example."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import soundfile

from pipeline.bundle import BundleConfig
from pipeline.core import paths
from pipeline.core.config import Params
from pipeline.media.crops import read_crop, read_wav

RATE_HZ = 16000
BY_PATH = {"portrait_path": "portrait.jpg", "speech_path": "speech.wav"}  # below the folder that requests may read


def example_request(config: BundleConfig, params: Params) -> dict[str, Any]:
    """Face and first second of speech of the first test clip as bytes, where the project made that clip itself.

    Nobody's face goes from a real corpus into the registry: the example there names files.
    """
    crops = sorted(crop for corpus in params.split.test_corpora for crop in (paths.CROPS / corpus).glob("*.mp4"))
    given = _clip_as_bytes(crops[0]) if params.raw.embedded and crops else BY_PATH
    return {**given, **({"emotion": "happy"} if config.stage == "emotion" else {}), "seed": 0}


def _clip_as_bytes(crop: Path) -> dict[str, bytes]:
    from PIL import Image

    portrait, speech = io.BytesIO(), io.BytesIO()
    Image.fromarray(read_crop(crop, [0])[0]).save(portrait, "JPEG", quality=95)
    soundfile.write(speech, read_wav(crop.with_suffix(".wav"))[:RATE_HZ], RATE_HZ, format="WAV")
    return {"portrait": portrait.getvalue(), "speech": speech.getvalue()}

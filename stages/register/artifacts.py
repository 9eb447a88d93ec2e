"""What a registered model takes along: its bundle, where it can be exported with graphs that run without PyTorch, its
face space, the code that loads it, and the names of the packages that this code needs.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pipeline
from pipeline.components.bundle import bundle_digest, read_config
from pipeline.core import paths
from pipeline.core.data_params import Speech
from pipeline.export.bundle import export_bundle
from pipeline.export.face_space import export_face_space
from pipeline.export.graph import ExportError
from pipeline.tracking.registry import Artifacts
from pipeline.weights.table import WeightsError

PACKAGES = tuple(Path(pipeline.__path__[0]).parent / name for name in ("models", "pipeline"))
REQUIRED = ("ai-edge-litert", "av", "c2pa-python", "cryptography", "huggingface-hub", "insightface", "mediapipe",
            "mlflow", "numpy", "onnx", "onnxruntime", "opencv-python-headless", "pillow-heif", "psutil", "pydantic",
            "pypi-simple", "pyyaml", "requests", "safetensors", "scipy", "soundfile")
WITHOUT_GRAPHS = ("torch", "transformers")
# insightface and mediapipe bring builds of OpenCV that share the headless one's folder: all of one version, so that it
# does not matter which of them is unpacked last
SAME_OPENCV = ("opencv-python", "opencv-contrib-python")


def artifacts_of(bundle: Path, scratch: Path, say: Callable[[str], None]) -> Artifacts:
    """What a version of `bundle` takes along, made below `scratch`; `say` is told of a bundle that goes as it is."""
    made, space = scratch / bundle_digest(bundle) / "bundle", scratch / bundle_digest(bundle) / "face_space"
    try:
        # a file of the weights table is fetched where it is missing, a checkpoint of the user's is not
        export_bundle(bundle, made, speech_weights=Speech(**read_config(bundle).speech).checkpoint is not None)
        export_face_space(paths.FACE_SPACE, space)
    except (ExportError, WeightsError, FileNotFoundError) as error:
        say(f"{bundle} is registered without graphs, PyTorch runs it: {error}")
        return Artifacts({"bundle": bundle, "face_space": paths.FACE_SPACE}, requirements(WITHOUT_GRAPHS))
    return Artifacts({"bundle": made, "face_space": space}, requirements())


def requirements(more: tuple[str, ...] = ()) -> tuple[str, ...]:
    """What serving a model needs, in the versions that are installed here."""
    pins = []
    for name in sorted((*REQUIRED, *more)):
        try:
            pins.append(f"{name}=={version(name)}")
        except PackageNotFoundError:  # an option that this environment does without
            continue
    return (*pins, *(f"{name}=={version('opencv-python-headless')}" for name in SAME_OPENCV))

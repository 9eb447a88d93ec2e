"""A bundle as graphs that ONNX Runtime runs without PyTorch: written, then checked against PyTorch.

A graph names its weights by their place in the bundle's own file (ONNX's external data), float16 as they are stored
there: nothing is kept twice.
"""

from __future__ import annotations

import shutil
from importlib.metadata import version as installed_version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.generation.generator import MotionGenerator
from models.generation.graph_network import AUDIO, EMOTIONAL, PLAIN
from models.generation.request import Request
from models.motion.motion import RHO_DIM
from models.speech.level import TARGET_RMS
from models.speech.whisper import SPEECH_WEIGHTS
from models.transformer.branches import AudioRows, EmotionBranches, PlainBranches
from pipeline.components.bundle import CONFIG, WEIGHTS, BundleConfig, bundle_digest, load_bundle, read_config
from pipeline.components.face_space import face_space_near
from pipeline.components.graphs import GRAPHS, VERSION, graph_generator, graph_speech_encoder
from pipeline.core.atomic import write_json
from pipeline.core.data_params import Speech
from pipeline.export.face_space import export_face_space
from pipeline.export.graph import OPSET, ExportError, write_graph
from pipeline.export.speech import exact_encoder, write_speech

SOLVERS = ("ddim", "ddpm", "dpmpp")
TOLERANCE = 1e-4  # largest difference from PyTorch, in standard deviations
TRIED_SPEECH_S = 6  # seconds of noise that both encoders hear


def export_bundle(bundle: Path, out: Path, speech_weights: bool = True) -> dict[str, float]:
    """Write the exported bundle `out`, which may be `bundle` itself -> largest differences from PyTorch, by what was
    compared, in standard deviations.

    `speech_weights`: Whisper's weights, too; without them they are looked up where `playmate weights` keeps them.
    Raises BundleError, WeightsError, and ExportError where a difference is above 1e-4; then there is no `graphs.json`,
    and `out` is run by PyTorch.
    """
    config = read_config(bundle)
    section = Speech(**config.speech)
    out.mkdir(parents=True, exist_ok=True)
    (out / GRAPHS).unlink(missing_ok=True)
    if bundle.resolve() != out.resolve():
        for name in (CONFIG, WEIGHTS):
            shutil.copyfile(bundle / name, out / name)
    _write_generator(out, config)
    write_speech(out, section)
    describe = {"version": VERSION, "playmate": installed_version("playmate-pipeline"), "bundle": bundle_digest(out),
                "opset": OPSET}
    write_json(out / GRAPHS, describe)
    found = differences(out, config, section)
    if max(found.values()) > TOLERANCE:
        (out / GRAPHS).unlink()
        raise ExportError(f"{bundle}: the graphs are not what PyTorch computes: " + ", ".join(
            f"{name} differs by {value:.1e} of a deviation" for name, value in found.items() if value > TOLERANCE))
    if not speech_weights and section.kind == "whisper":
        (out / SPEECH_WEIGHTS).unlink()
    return found


def export_model(bundle: Path, out: Path) -> list[str]:
    """`export_bundle` with the bundle's face space; what there is to say. Raises BundleError, FileNotFoundError."""
    read_config(bundle)   # what is no bundle has no face space either
    space = face_space_near(bundle)
    differ = export_bundle(bundle, out)
    drawn = export_face_space(space, out / "face_space")
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 2**20
    said = [f"{out}: {size:.1f} MB", "largest differences from PyTorch, in standard deviations: "
            + ", ".join(f"{name} {value:.1e}" for name, value in differ.items())]
    return said + [f"LivePortrait's: {', '.join(f'{name} {value:.1e}' for name, value in drawn.items())}"] * bool(drawn)


def _write_generator(out: Path, config: BundleConfig) -> None:
    model, shape = load_bundle(out).model, config.model
    clips, frames = 2, shape.previous + shape.window
    generator = torch.Generator().manual_seed(0)

    def draw(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator)

    known, mask = torch.tensor([True, False]), torch.ones(clips, frames, dtype=torch.bool)
    speech = draw(clips, frames, shape.speech_dim)
    window = {"noisy": draw(clips, shape.window, shape.motion_dim), "time": torch.tensor([1]),
              "audio": draw(2 * clips, frames, shape.dim), "identity": draw(clips, shape.expression_dim),
              "previous": draw(clips, shape.previous, shape.motion_dim), "has_previous": known}
    graphs: list[tuple[str, nn.Module, dict[str, Tensor]]] = [
        (AUDIO, AudioRows(model), {"speech": speech, "has_previous": known, "mask": mask}),
        (PLAIN, PlainBranches(model), {**window, "mask": mask})]
    if shape.num_emotions:
        emotion = draw(clips, frames, shape.num_emotions + 1)
        graphs.append((EMOTIONAL, EmotionBranches(model), {**window, "emotion": emotion, "mask": mask}))
    axes = {"speech": {0: "B", 1: "L"}, "has_previous": {0: "B"}, "mask": {0: "B", 1: "L"}, "noisy": {0: "B", 1: "W"},
            "audio": {0: "2B", 1: "L"}, "identity": {0: "B"}, "previous": {0: "B"}, "emotion": {0: "B", 1: "L"}}
    for name, module, inputs in graphs:
        output = "audio_rows" if name == AUDIO else "branches"
        write_graph(out / name, module, inputs, axes, output, out / WEIGHTS)


def differences(folder: Path, config: BundleConfig, section: Speech) -> dict[str, float]:
    """Largest differences of the graphs of an exported bundle from PyTorch: of speech features, and of normalised
    motion by each solver, over three windows and their joints, with and without emotion; in standard deviations."""
    random = np.random.default_rng(0)
    frames = 25 * TRIED_SPEECH_S
    waveform = TARGET_RMS * random.standard_normal(640 * frames).astype(np.float32)
    ours, theirs = (encoder.encode(waveform, frames) for encoder in (
        graph_speech_encoder(folder, section, "cpu"), exact_encoder(section)))
    found = {"speech": float((np.abs(ours - theirs).max(0) / theirs.std(0).clip(1e-3)).max())}
    shape, pair = config.model, (graph_generator(folder, "cpu"), load_bundle(folder).generator("cpu"))
    speech = np.resize(theirs, (int(2.5 * shape.window), shape.speech_dim)).astype(np.float32)
    mean, std = pair[0].network.faces
    x_c = (mean + 0.5 * std * random.standard_normal(mean.shape)).astype(np.float32).reshape(-1, 3)
    for solver in SOLVERS:
        for name, emotion in (("", None), (" with emotion", _some_emotion(shape.num_emotions))):
            if name == "" or emotion is not None:
                request = Request(speech, x_c, np.zeros(RHO_DIM, np.float32), emotion)
                ours, theirs = (_generate_normalised(generator, request, solver) for generator in pair)
                found[solver + name] = float(np.abs(ours - theirs).max())
    return found


def _some_emotion(count: int) -> np.ndarray | None:
    return np.eye(count + 1, dtype=np.float32)[1] if count else None


def _generate_normalised(generator: MotionGenerator, request: Request, solver: str) -> np.ndarray:
    pose = generator.statistics.pose_of_portrait(request.source_rho)
    return generator.statistics.normalize(generator.generate(request, solver=solver), pose)

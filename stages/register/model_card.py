"""The description of a registered model: data, numbers, limits, intended use, consent."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import soundfile

from evaluation.metrics.table import HEADLINE, full_label
from evaluation.report.text import markdown_table
from models.motion.clock import SAMPLE_RATE_HZ
from pipeline.components.bundle import BundleConfig
from pipeline.core import paths
from pipeline.core.clip_table import KEPT, read_clip_table
from pipeline.core.config import Params
from pipeline.media.crops import read_crop, read_wav
from stages.register.gates import Gate
from stages.register.previous import Changes

SHOWN = (*HEADLINE, "audio_validation_expression", "audio_validation_wrong_speech", "emotion_validation_expression")

TOY = "**Untrained.** {parts}: seeded toy networks. This model shows that the pipeline runs and can do nothing else."
USE = """## Intended use

Research and production of talking portraits of people who have agreed to it. Animate only portraits of people who gave
their consent, and with speech that you may use. Say that the film is synthetic: files made by `playmate animate` carry
that in their metadata and in signed content credentials (C2PA). Not for deception, impersonation, harassment, or as
evidence of what somebody said."""

LIMITS = {
    "landmark": "The face is moved as a mesh by landmarks, without a learned renderer: large head turns, hair and "
                "accessories in front of the face, and the inside of the mouth look artificial.",
    "liveportrait": "Rendering is LivePortrait's: large head turns and hands in front of the face show artefacts.",
}
EMBEDDED = ("Trained on small corpora that the project makes itself from synthesised speech: it shows that the "
            "pipeline works and is no model for real speech in general.")


def model_card(name: str, config: BundleConfig, params: Params, metrics: dict[str, float], gates: list[Gate],
               changes: Changes | None = None) -> str:
    """Markdown; the same inputs give the same text."""
    untrained = [TOY.format(parts=", ".join(params.untrained))] if params.untrained else []
    parts = [f"# {name}", *untrained,
             f"Stage: {config.stage}. Profile: {config.profile}. Face space: {config.face_space}. "
             f"Speech features: {config.speech['kind']}. Emotions: {', '.join(config.labels)}.",
             "## Data", *_data(params), "## Numbers", _numbers(metrics),
             *(["## Since the model before", *changes_lines(changes)] if changes else []), "## Gates",
             *([f"* {'passed' if gate.passed else 'refused'}: {gate.reason}" for gate in gates] or ["none"]),
             "## Limits", LIMITS[config.face_space], *([EMBEDDED] if params.all_embedded else []), USE]
    return "\n\n".join(parts) + "\n"


def _data(params: Params) -> list[str]:
    lines = []
    for corpus in params.corpora:
        table = paths.CROPS / corpus / "clips.parquet"
        if table.is_file():
            kept = read_clip_table(table, KEPT)
            minutes = sum(row["frames"] or 0 for row in kept) / params.preprocess.measure.fps / 60
            lines.append(f"* {corpus}: {len(kept)} clips, {minutes:.1f} minutes, "
                         f"{len({row['identity'] for row in kept})} people")
    return ["\n".join(lines) or "unknown", f"Stage 1 trains on {', '.join(params.used_for('audio'))}; stage 2 on "
            f"{', '.join(params.used_for('emotion')) or 'nothing'}; for tests alone: "
            f"{', '.join(params.used_for('test')) or 'people set aside'}."]


def _numbers(metrics: dict[str, float]) -> str:
    rows = [f"| {name} | {metrics[name]:.4g} |" for name in SHOWN if name in metrics]
    return "\n".join(["| metric | value |", "|---|---|", *rows]) if rows else "none were measured"


def changes_lines(changes: Changes) -> list[str]:
    """The note, and a table of the differences where there are any."""
    rows = [[full_label(one.metric), f"{one.first:.4g}", f"{one.second:.4g}", f"{one.gap:+.4g}", f"{one.p:.3g}",
             one.verdict] for one in changes.found]
    columns = ["metric", "before", "now", "change", "p", "verdict"]
    return [changes.note, *([markdown_table(columns, rows).strip()] if rows else [])]


BY_PATH = {"portrait_path": "portrait.jpg", "speech_path": "speech.wav"}  # below the folder that requests may read


def example_request(config: BundleConfig, params: Params) -> dict[str, Any]:
    """Face and first second of speech of the first test clip as bytes, where the project made that clip itself.

    Nobody's face goes from a real corpus into the registry: the example there names files.
    """
    ours = [name for name in params.used_for("test") if params.corpora[name].is_embedded]
    crops = sorted(crop for corpus in ours for crop in (paths.CROPS / corpus).glob("*.mp4"))
    given = _clip_as_bytes(crops[0]) if crops else BY_PATH
    return {**given, **({"emotion": "happy"} if config.stage == "emotion" else {}), "seed": 0}


def _clip_as_bytes(crop: Path) -> dict[str, bytes]:
    from PIL import Image

    portrait, speech = io.BytesIO(), io.BytesIO()
    Image.fromarray(read_crop(crop, [0])[0]).save(portrait, "JPEG", quality=95)
    soundfile.write(speech, read_wav(crop.with_suffix(".wav"))[:SAMPLE_RATE_HZ], SAMPLE_RATE_HZ, format="WAV")
    return {"portrait": portrait.getvalue(), "speech": speech.getvalue()}

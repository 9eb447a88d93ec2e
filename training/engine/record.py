"""The tracking record of a training run: parameters, data, curves, verdict; a resumed run goes on in its record."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from pipeline.core.atomic import write_text
from pipeline.core.config import Params
from pipeline.core.fingerprint import file_sha256
from pipeline.media.plot import Cell, Series, line_plot, sheet
from pipeline.tracking.lineage import dvc_output
from training.engine.history import CURVE, write_history
from training.engine.verdict import Verdict

PANELS = {"training loss": ("loss", "loss_expression", "loss_pose"),
          "training loss by noise (3: most)": ("loss_noise_0", "loss_noise_1", "loss_noise_2", "loss_noise_3"),
          "held-out expression loss": ("validation_expression", "validation_wrong_speech", "validation_wrong_emotion"),
          "sampled r": ("validation_r", "validation_r_wrong_speech", "validation_mouth_r")}
STYLES = ("s1", "s2", "s3", "s4")


class Tracked(Protocol):
    """What a training asks of its record."""

    def metrics(self, values: dict[str, float], step: int) -> None: ...
    def tags(self, tags: dict[str, Any]) -> None: ...
    def artifact(self, path: Path, folder: str = "") -> None: ...


@contextmanager
def tracked_run(experiment: str, params: Params, run: str, data: dict[str, Path],
                prints: dict[str, str]) -> Iterator[Tracked]:
    """Track run `run` of `experiment` (face_space | train_audio | train_emotion) with every corpus as a data set.

    `data`: corpus -> the file that names what of it is trained on, in the folder that DVC knows.
    """
    from pipeline.tracking import runs as tracking

    values = params.model_dump(mode="json", by_alias=True)
    with tracking.run(experiment, run, values, {"run": run, "profile": params.stamp, **prints},
                      key=run) as tracked:
        for corpus, manifest in data.items():
            tracked.dataset(corpus, file_sha256(manifest), {"uri": str(manifest), "dvc": dvc_output(manifest.parent)})
        yield tracked


def record_end(tracked: Tracked, history: list[dict[str, float]], found: Verdict) -> None:
    """The finished run's verdict as tags, its curve as a table and a picture."""
    tracked.tags({"learned_nothing": not found.learned, "verdict": found.sentence})
    with tempfile.TemporaryDirectory() as folder:
        write_history(Path(folder), history, {})
        tracked.artifact(Path(folder) / CURVE, "plots")
        write_text(Path(folder) / "curves.svg", plot_history(history))
        tracked.artifact(Path(folder) / "curves.svg", "plots")


def plot_history(history: list[dict[str, float]]) -> str:
    """The curves as an SVG picture, a panel for each kind."""
    return sheet([_panel(title, names, history) for title, names in PANELS.items()])


def _panel(title: str, names: tuple[str, ...], history: list[dict[str, float]]) -> Cell:
    rows = {name: [row for row in history if name in row] for name in names}
    lines = [Series(name, [row["step"] for row in rows[name]], [row[name] for row in rows[name]], style)
             for name, style in zip(names, STYLES, strict=False) if rows[name]]
    if not lines:
        return Cell(title, None, "not measured")
    return Cell(title, line_plot(lines, "step", "", title), legend=tuple((line.name, line.style) for line in lines))

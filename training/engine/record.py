"""The tracking record of a training run: parameters, data, curves, verdict; a resumed run goes on in its record."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from pipeline.core.atomic import atomic_path
from pipeline.core.config import Params
from pipeline.core.fingerprint import file_sha256
from pipeline.tracking.lineage import dvc_output
from training.engine.history import CURVE, write_history
from training.engine.verdict import Verdict

PANELS = {"training loss": ("loss", "loss_expression", "loss_pose"),
          "training loss by noise (3: most)": ("loss_noise_0", "loss_noise_1", "loss_noise_2", "loss_noise_3"),
          "held-out expression loss": ("validation_expression", "validation_wrong_speech", "validation_wrong_emotion"),
          "sampled r": ("validation_r", "validation_r_wrong_speech", "validation_mouth_r")}


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
        plot_history(Path(folder) / "curves.png", history)
        tracked.artifact(Path(folder) / "curves.png", "plots")


def plot_history(path: Path, history: list[dict[str, float]]) -> None:
    """The curves as a PNG; drawing costs a second, so only a finished run is drawn."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8), layout="constrained")
    for axes, (title, names) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        for name in names:
            rows = [row for row in history if name in row]
            if rows:
                axes.plot([row["step"] for row in rows], [row[name] for row in rows], label=name)
        axes.set(title=title, xlabel="step")
        if axes.lines:
            axes.legend(fontsize="small")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=90, metadata={"Software": None})

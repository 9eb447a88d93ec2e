"""Find a weight's file in a folder, for machines without a way to the net (`playmate weights pull --from FOLDER`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.core.paths import weights_cache
from pipeline.weights.record import read_records
from pipeline.weights.table import Weight

ARCHIVES = (".zip", ".whl", ".gz", ".tgz")


@dataclass(frozen=True)
class Found:
    """A file, or an archive that holds it, what it is and where it goes; the sha256 that the other machine recorded."""

    path: Path
    label: str
    target: Path
    recorded: str


def find(folder: Path, weight: Weight, target: Path) -> Found | None:
    """`folder` is laid out as the cache, or holds downloads under their own names."""
    for name in _choices(weight, target):
        goes_to = weight.path / name if weight.files else target
        label = f"{weight.name}/{name}" if weight.files else weight.name
        inside = goes_to.relative_to(weights_cache())
        for place in (folder / inside, folder / weight.file / goes_to.name if weight.files else folder / inside.name):
            if place.is_file():
                return Found(place, label, goes_to, read_records(folder).get(label, ""))
        for archive in (weight.archive, Path(urlsplit(weight.url).path).name):
            if Path(archive).suffix in ARCHIVES and (folder / archive).is_file():
                return Found(folder / archive, label, goes_to, "")
    return None


def _choices(weight: Weight, target: Path) -> list[str]:
    """The names of which `target` is one."""
    if not weight.files:
        return [weight.file]
    name = str(target.relative_to(weight.path))
    return next(choice.split("|") for choice in weight.files if name in choice.split("|"))

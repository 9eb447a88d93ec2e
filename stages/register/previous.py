"""What changed since the model that was registered before: clip by clip, paired over the clips that both animated.

The evaluation of the last versions is kept beside MLflow, whose own copy takes half a minute to open; that one is
asked for only where another machine registered the model before.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from evaluation.results.compare import Difference, compare, differing_protocol
from evaluation.results.files import CLIPS, SUMMARY, read_clips, read_summary
from pipeline.core import paths
from pipeline.core.atomic import write_bytes
from pipeline.core.config import Params
from pipeline.tracking.registry import download_evaluation, lineage

KEPT = paths.WORK / "registered"
FEW = 2  # versions whose evaluations are kept: the last one, and the one before, in case the last is registered again


@dataclass(frozen=True)
class Kept:
    """The evaluation of a registered version; `digest` is its bundle's."""

    version: str
    digest: str
    folder: Path


@dataclass(frozen=True)
class Changes:
    """Differences from the model before; `note` says which one that was, or why there are none."""

    note: str
    found: tuple[Difference, ...] = ()


def keep_evaluation(name: str, version: str, digest: str, evaluation: Path = paths.EVALUATION,
                    root: Path = KEPT) -> None:
    """Copy rows and summary of `evaluation`, where it has them, as this version's; all but the last few are dropped."""
    for file in (CLIPS, SUMMARY):
        if (evaluation / file).is_file():
            write_bytes(root / f"{name}-{version}-{digest}" / file, (evaluation / file).read_bytes())
    for old in kept_evaluations(name, root)[FEW:]:
        shutil.rmtree(old.folder)


def kept_evaluations(name: str, root: Path = KEPT) -> list[Kept]:
    """Those of the versions of `name`, newest first."""
    parts = [(path, path.name.rsplit("-", 2)) for path in root.glob(f"{name}-*-*") if (path / SUMMARY).is_file()]
    found = [Kept(version, digest, path) for path, (named, version, digest) in parts if named == name]
    return sorted(found, key=lambda one: int(one.version), reverse=True)


def changes_since_last(name: str, digest: str, params: Params, evaluation: Path = paths.EVALUATION,
                       root: Path = KEPT) -> Changes:
    """The evaluation in hand against that of the newest version of `name` that holds another bundle than `digest`.

    Raises TrackingUnavailable where the registry must be asked and is away.
    """
    if not all((evaluation / file).is_file() for file in (CLIPS, SUMMARY)):
        return Changes("This model was not evaluated clip by clip.")
    version = next((one.version for one in kept_evaluations(name, root) if one.digest != digest), None)
    version = version or _previous_version(name, digest)
    if version is None:
        return Changes("No other model has been registered before.")
    try:
        folder = next((one.folder for one in kept_evaluations(name, root) if one.version == version), None)
        folder = folder or download_evaluation(f"models:/{name}/{version}")
        earlier, now = read_summary(folder), read_summary(evaluation)
        found = compare(read_clips(folder), read_clips(evaluation), params.evaluate.bootstrap, params.seed)
    except (OSError, ValueError) as error:
        return Changes(f"Version {version} of {name} cannot be compared with: {str(error).splitlines()[0]}")
    note = f"Against version {version} of {name}, paired over clips; p by sign flips, adjusted by Holm's method."
    differing = differing_protocol(earlier.protocol, now.protocol)
    note += "" if found else " Every value is equal."
    return Changes(note + (f" Measured differently, so with care: {', '.join(differing)}." if differing else ""),
                   tuple(found))


def _previous_version(name: str, digest: str) -> str | None:
    """The version that the registry got last, unless it holds this very bundle."""
    try:
        last = lineage(f"models:/{name}@candidate")
    except ValueError:  # nothing is registered under this name
        return None
    return None if last["made_from"].get("bundle_digest") == digest else last["version"]

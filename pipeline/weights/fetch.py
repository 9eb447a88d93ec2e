"""Download one address into a file that a later run continues: ranges, retries, and errors of one line.

A part is continued only under the ETag that it began with, so that two versions of a file never mix.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import requests

TIMEOUT_S = (10, 60)            # to connect, between two packets
TRIES = 5                       # in a row without a new byte
LONGEST_WAIT_S = 60.0           # that a server may ask for before the next try
BUSY = (408, 429, 500, 502, 503, 504)
CHUNK = 2**16                   # bytes at most that a cut loses


class FetchError(RuntimeError):
    """One address could not be fetched; the message is one line."""


class Interrupted(Exception):
    """The connection ended, or the server is busy: worth another try after `wait_s`, if it named a time."""

    def __init__(self, why: str, wait_s: float | None = None):
        super().__init__(why)
        self.wait_s = wait_s


def download(url: str, part: Path, headers: Mapping[str, str] | None = None) -> None:
    """Bring `part` to the whole of `url`, going on from what it holds; raises FetchError and keeps what came."""
    part.parent.mkdir(parents=True, exist_ok=True)
    failures, host = 0, urlsplit(url).netloc
    while True:
        before = _size(part)
        try:
            return _receive(url, part, headers or {})
        except Interrupted as error:
            failures = 0 if _size(part) > before else failures + 1
            wait_s = max(0.0, 2.0**failures - 2) if error.wait_s is None else error.wait_s
            if failures >= TRIES or wait_s > LONGEST_WAIT_S:
                raise FetchError(f"{url}: {error}, {failures} tries without a byte; what came is kept, run it again"
                                 ) from error
            time.sleep(wait_s)
        except requests.RequestException as error:
            raise FetchError(f"{url}: {reason(error, host)}") from error


def reason(error: Exception, host: str) -> str:
    """What went wrong, in a few words instead of a library's paragraph."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"{host} answers {response.status_code}"
    if isinstance(error, requests.Timeout):
        return f"{host} does not answer"
    return f"no connection to {host}"


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _receive(url: str, part: Path, headers: Mapping[str, str]) -> None:
    """One request; raises Interrupted, FetchError, requests.RequestException."""
    tag = part.with_name(part.name + ".etag")
    have = _size(part) if tag.exists() else 0
    headers = {**headers, "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": tag.read_text()}
    with requests.get(url, headers=headers, timeout=TIMEOUT_S, stream=True) as response:
        if response.status_code == 416:      # all of it is here, or more than there is
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return
            part.unlink()
            raise Interrupted(f"{urlsplit(url).netloc} has no more bytes")
        if response.status_code in BUSY:
            raise Interrupted(f"{urlsplit(url).netloc} answers {response.status_code}", asked_wait_s(response.headers))
        response.raise_for_status()
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise FetchError(f"{url}: answered by a page, not by a file (a sign-in of the network?)")
        goes_on = response.status_code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if response.status_code == 206 and not goes_on:
            raise FetchError(f"{url}: the server sends another range than it was asked for")
        _keep_tag(tag, response.headers.get("ETag", ""))
        _write(response, part, "ab" if goes_on else "wb")


def _write(response: requests.Response, part: Path, mode: str) -> None:
    promised, came = response.headers.get("Content-Length"), 0
    with part.open(mode) as file:
        try:
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                came += len(chunk)
        except requests.RequestException as error:
            raise Interrupted("the connection was cut") from error
    if promised is not None and came != int(promised):
        raise Interrupted(f"{came} bytes came of {promised}")


def _keep_tag(tag: Path, etag: str) -> None:
    """A weak tag does not promise the same bytes: such a file starts anew."""
    if etag and not etag.startswith("W/"):
        tag.write_text(etag)
    else:
        tag.unlink(missing_ok=True)


def asked_wait_s(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds; a date or nothing: None."""
    value = headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None

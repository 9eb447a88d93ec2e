"""A Hugging Face repository at one commit, as `huggingface_hub` tells it; `HF_ENDPOINT` names another hub or a mirror.

The hub publishes the sha256 of large files; small ones have none. Bytes come by `pipeline.weights.fetch`: the library's
own download begins anew after a killed run.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline.weights.fetch import BUSY, LONGEST_WAIT_S, TIMEOUT_S, TRIES, FetchError, asked_wait_s, reason

ENDPOINT = "https://huggingface.co"
NEWEST = "main"


@dataclass(frozen=True)
class Repository:
    """What the hub says of a repository at one commit."""

    name: str
    commit: str
    files: dict[str, str]   # path -> sha256 as published; empty: none

    def address(self, file: str) -> str:
        """Where the file's bytes lie."""
        from huggingface_hub import hf_hub_url

        return hf_hub_url(self.name, file, revision=self.commit, endpoint=endpoint())


def endpoint() -> str:
    """The hub that is asked."""
    return (os.environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")


def hub_headers() -> dict[str, str]:
    """What `huggingface_hub` sends: a token where the user is signed in."""
    from huggingface_hub.utils import build_hf_headers

    return build_hf_headers()


def look_up(name: str, revision: str) -> Repository:
    """The commit that `revision` names (empty: the newest) and its files; raises FetchError."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    host = urlsplit(endpoint()).netloc
    for tried in range(TRIES):
        try:
            info = HfApi(endpoint=endpoint()).model_info(name, revision=revision or NEWEST, files_metadata=True,
                                                         timeout=TIMEOUT_S[1])
            return Repository(name, info.sha or "", {file.rfilename: file.lfs.sha256 if file.lfs else ""
                                                     for file in info.siblings or ()})
        except HfHubHTTPError as error:
            asked_s = asked_wait_s(error.response.headers)
            wait_s = 2.0**tried - 1 if asked_s is None else asked_s
            if error.response.status_code not in BUSY or tried == TRIES - 1 or wait_s > LONGEST_WAIT_S:
                raise FetchError(f"{name} at {revision or NEWEST}: {reason(error, host)}") from error
            time.sleep(wait_s)
        except (HTTPError, ConnectionError) as error:
            raise FetchError(f"{name}: {reason(error, host)}") from error
    raise AssertionError("the last try returns or raises")

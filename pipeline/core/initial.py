"""Which bundle a value `init` of params.yaml means: none, the one that ships with the project, or any folder."""

from __future__ import annotations

import logging
from pathlib import Path

from pipeline.core import paths

log = logging.getLogger(__name__)


def initial_bundle(init: str, key: str) -> Path | None:
    """The bundle folder that `init` (none | shipped | folder) means for `key` of params.yaml; None: from scratch.

    Raises ValueError for a named folder that is not there; the shipped one may be absent.
    """
    if init == "none":
        return None
    folder = paths.SHIPPED if init == "shipped" else Path(init)
    if folder.is_dir():
        return folder
    if init != "shipped":
        raise ValueError(f"{key} {init}: there is no such bundle folder")
    log.warning("no shipped bundle at %s: %s starts from scratch", folder, key.partition(".")[0])
    return None

"""What a test cannot do without: it is skipped where that is missing, with the command that gets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.weights.table import WeightsError, weight_path


def weight(name: str) -> Path:
    """The file of a weight; skips the test where it is not there."""
    try:
        return weight_path(name)
    except WeightsError as error:
        pytest.skip(str(error))

"""Names and values as MLflow and JSON take them."""

from __future__ import annotations

import math
import re
from typing import Any

MAX_TEXT = 5000  # MLflow's longest parameter or tag value


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def texts(values: dict[str, Any]) -> dict[str, str]:
    """Parameters or tags; what is None is left out."""
    return {metric_name(name): str(value)[:MAX_TEXT] for name, value in values.items() if value is not None}


def metric_name(name: str) -> str:
    """MLflow takes letters, digits, and `_-. :/` in names."""
    return re.sub(r"[^A-Za-z0-9_\-. :/]", "_", name)[:250]


def safe_key(key: str) -> str:
    """What can stand in a search for the run."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", key)


def number(value: float) -> float | str:
    """JSON has no NaN: such numbers are kept as text."""
    value = float(value)
    return value if math.isfinite(value) else str(value)

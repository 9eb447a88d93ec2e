"""Whether a model may be used: limits of `params.yaml`, section register, against measured values.

A limit `min_NAME` or `max_NAME` is about the metric NAME. A metric that is absent or no number refuses the model: what
was not measured did not pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Gate:
    """One limit and what was found."""

    metric: str
    limit: float
    kind: str           # min | max
    value: float | None
    passed: bool

    @property
    def reason(self) -> str:
        if self.value is None:
            return f"{self.metric} was not measured"
        if math.isnan(self.value):
            return f"{self.metric} is no number"
        sign = {("min", True): ">=", ("min", False): "<", ("max", True): "<=", ("max", False): ">"}
        return f"{self.metric} {self.value:.4g} {sign[self.kind, self.passed]} {self.limit:g}"


def check_gates(limits: Mapping[str, Any], metrics: Mapping[str, float]) -> list[Gate]:
    """Every `min_`/`max_` entry of `limits` against `metrics`; other entries are ignored."""
    return [_check(name[:3], name[4:], limit, metrics) for name, limit in sorted(limits.items())
            if name.startswith(("min_", "max_"))]


def _check(kind: str, metric: str, limit: float, metrics: Mapping[str, float]) -> Gate:
    value = metrics.get(metric)
    if value is None or math.isnan(value):
        return Gate(metric, limit, kind, value, False)
    return Gate(metric, limit, kind, value, value >= limit if kind == "min" else value <= limit)


def numbers(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Numbers of a metrics file by name; {"name": {"value": 0.5, "low": ..}} counts as name = 0.5."""
    found: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= {f"{prefix}{name}": float(value["value"])} if _is_number(value.get("value")) else numbers(
                value, f"{prefix}{name}.")
        elif _is_number(value):
            found[f"{prefix}{name}"] = float(value)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

from __future__ import annotations

import math

import pytest

from stages.register.gates import check_gates, numbers


@pytest.mark.parametrize(("limits", "value", "passed", "reason"), [
    ({"min_r": 0.5}, 0.5, True, "r 0.5 >= 0.5"), ({"min_r": 0.5}, 0.49, False, "r 0.49 < 0.5"),
    ({"max_r": 0.5}, 0.5, True, "r 0.5 <= 0.5"), ({"max_r": 0.5}, 0.51, False, "r 0.51 > 0.5"),
    ({"min_r": -1.0}, math.nan, False, "r is no number"), ({"max_r": 9.0}, None, False, "r was not measured"),
    ({"max_r": 9.0}, -math.inf, True, "r -inf <= 9"), ({"min_r": 0.0}, -math.inf, False, "r -inf < 0")])
def test_one_limit(limits, value, passed, reason):
    [gate] = check_gates(limits, {} if value is None else {"r": value})
    assert (gate.passed, gate.reason) == (passed, reason)


def test_other_entries_are_no_gates():
    assert check_gates({"name": "playmate"}, {}) == []


def test_numbers_of_a_metrics_file():
    assert numbers({"a": 1, "b": {"value": 0.5, "low": 0.4}, "c": {"d": 2.0, "e": "text"}, "f": None, "g": True}) == {
        "a": 1.0, "b": 0.5, "c.d": 2.0}

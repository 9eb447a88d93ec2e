"""The recorded validation of the substitute metrics: whole, and counted as its films say."""

from __future__ import annotations

from benchmarks.substitutes import Pairing
from evaluation.report.substitutes import STANDS_FOR, markdown, validation


def test_films_in_the_wrong_order_and_ties_do_not_count():
    row = Pairing("mouth_r", "q", right=[0.9, 0.5, 0.4], wrong=[0.1, 0.5, 0.6]).row()
    assert (row["in_order"], row["of"]) == (1, 3)
    assert row["right"] == {"mean": 0.6, "low": 0.4, "high": 0.9}
    assert Pairing("lpips_alexnet", "q", [0.1, 0.2], [0.3, 0.1], higher=False).row()["in_order"] == 1


def test_every_substitute_has_a_record_and_orders_most_films():
    value = validation()
    assert {row["metric"] for row in value["rows"]} == set(STANDS_FOR) and value["films"] >= 9
    for row in value["rows"]:
        assert row["of"] / 2 < row["in_order"] <= row["of"], row
        assert row["right"]["low"] <= row["right"]["mean"] <= row["right"]["high"]
    assert markdown(value).count("\n") == len(value["rows"]) + 2


def test_the_documents_table_is_the_record(project):
    assert markdown(validation()) in (project / "docs/metrics.md").read_text()

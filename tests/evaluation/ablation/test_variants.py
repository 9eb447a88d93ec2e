from __future__ import annotations

import pytest

from evaluation.ablation.variants import COLUMNS, SWITCHES, UNCHANGED, switch_text, variant_params, variant_table
from evaluation.results.rows import GridRow
from pipeline.core.config import load_params


@pytest.fixture(scope="module")
def params(project):
    return load_params(project / "params.yaml")


def test_a_variant_changes_its_switch_and_nothing_else(params):
    base = variant_params(params, UNCHANGED)
    assert (base.train_audio.init, base.train_audio.steps) == ("none", params.ablate.variant_steps)
    for name, (part, key, value) in SWITCHES.items():
        changed = variant_params(params, name)
        assert getattr(getattr(changed, part), key) == value and switch_text(name) == f"{part}.{key}: {value}"
        restored = getattr(changed, part).model_copy(update={key: getattr(getattr(base, part), key)})
        assert changed.model_copy(update={part: restored}) == base


def test_every_switch_can_be_named_in_the_parameters(params):
    from pipeline.core.config import Ablate

    assert set(Ablate.model_fields["variants"].annotation.__args__[0].__args__) == set(SWITCHES)


def test_rows_are_averaged_per_model_in_order():
    rows = [GridRow(model, c, 1.0, None, dict.fromkeys(COLUMNS, value)) for model, c, value in (
        ("noise_off", "a", 0.2), ("noise_off", "b", 0.4), (UNCHANGED, "a", 1.0))]
    lines = variant_table(rows, [UNCHANGED, "pose_global", "noise_off"])
    assert [(line.model, line.clips, round(line.numbers["mouth_r"], 9)) for line in lines] == [
        (UNCHANGED, 1, 1.0), ("noise_off", 2, 0.3)]

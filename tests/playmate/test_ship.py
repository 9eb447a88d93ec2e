"""What `python -m playmate.ship --emotion-alone` takes, and what stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from pipeline.components.bundle import BundleError, load_bundle
from pipeline.core.paths import SHIPPED
from playmate.ship import EMOTION, with_emotion_of


@pytest.fixture
def bundles(project):
    return load_bundle(project / SHIPPED), load_bundle(project / SHIPPED)


def test_the_module_is_the_trained_ones_and_all_else_stays(bundles):
    shipped, trained = bundles
    before = {name: value.clone() for name, value in shipped.model.state_dict().items()}
    with torch.no_grad():
        for parameter in trained.model.parameters():
            parameter.add_(1.0)
    trained = replace(trained, config=replace(trained.config, sample=replace(trained.config.sample, emotion_scale=9.0)))
    joined = with_emotion_of(shipped, trained)
    module = {name for name in before if name.startswith(EMOTION)}
    assert module
    for name, value in joined.model.state_dict().items():
        assert torch.equal(value, trained.model.state_dict()[name] if name in module else before[name]), name
    assert joined.statistics is shipped.statistics
    assert joined.config.sample.emotion_scale == 9.0


def test_a_module_of_other_labels_is_refused(bundles):
    shipped, trained = bundles
    other = replace(trained, config=replace(trained.config, labels=("neutral",)))
    with pytest.raises(BundleError, match="different shapes or labels"):
        with_emotion_of(shipped, other)

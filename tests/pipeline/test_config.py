"""`params.yaml` is typed: unknown, missing, mistyped and contradicting keys are errors that name them."""

from __future__ import annotations

import copy

import pytest
import yaml

from pipeline.config import ParamsError, load_params, parse_params


@pytest.fixture
def values(project) -> dict:
    return copy.deepcopy(yaml.safe_load((project / "params.yaml").read_text()))


def test_the_shipped_file_loads(project):
    assert load_params(project / "params.yaml").preprocess.fps == 25


def test_no_section_has_a_default():
    from pipeline import config

    sections = [s for s in vars(config).values() if isinstance(s, type) and issubclass(s, config.Section)]
    assert len(sections) > 15
    assert not [(s.__name__, n) for s in sections for n, f in s.model_fields.items() if not f.is_required()]


@pytest.mark.parametrize(("path", "value", "message"), [
    (("model", "dimm"), 3, "model.dimm: unknown key; accepted here: dim,"),
    (("split", "validation_share"), "0.1", "split.validation_share: Input should be a valid number (got '0.1')"),
    (("split", "validation_share"), 1.5, "split.validation_share"),
    (("sample", "solver"), "euler", "'ddim', 'ddpm' or 'dpmpp'"),
    (("train_audio", "batch"), 1, "batch 1 must be at least workers 2"),
    (("train_emotion",), {"drop": "nested", "drop_audio": 0.6, "drop_emotion": 0.5}, "together at most 1"),
    (("train_audio",), {"expression_weight": 0.0, "pose_weight": 0.0}, "nothing would be learned"),
    (("register", "min_mouth_r"), float("nan"), "register.min_mouth_r: Input should be a finite number"),
    (("ablate", "emotions"), ["happy", "anxiety"], "ablate.emotions: anxiety not among emotion.labels core8"),
    (("preprocess", "fps"), 30, "preprocess.fps: Input should be 25"),
    (("preprocess", "sample_rate_hz"), 44100, "preprocess.sample_rate_hz: Input should be 16000"),
    (("ablate", "emotions"), [], "ablate.emotions"),
    (("diffusion", "target"), "eps", "needs diffusion.target x0 (it is eps)"),
    (("sample", "steps"), 1001, "sample.steps 1001 must not exceed diffusion.steps 1000"),
    (("preprocess", "min_duration_s"), 40.0, "must be below max_duration_s"),
    (("corpora",), ["avspeech", "voxceleb"], "corpora.1"),
    (("speech", "overlap_s"), 15.0, "more than twice overlap_s"),
])
def test_a_bad_value_is_named(values, path, value, message):
    target = values
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = target[path[-1]] | value if isinstance(value, dict) else value
    with pytest.raises(ParamsError) as caught:
        parse_params(values)
    assert message in str(caught.value)


def test_a_missing_key_is_named(values):
    del values["diffusion"]["steps"]
    with pytest.raises(ParamsError, match=r"diffusion\.steps: missing"):
        parse_params(values)


def test_no_file_says_where_to_run(tmp_path):
    with pytest.raises(ParamsError, match="run from the project folder"):
        load_params(tmp_path / "params.yaml")

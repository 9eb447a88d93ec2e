"""`params.yaml` is typed: unknown, missing, mistyped and contradicting keys are errors that name them."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from pipeline.core.config import ParamsError, load_params, parse_params


@pytest.fixture
def values(project) -> dict:
    return copy.deepcopy(yaml.safe_load((project / "params.yaml").read_text()))


def test_the_shipped_file_loads(project):
    assert load_params(project / "params.yaml").preprocess.measure.fps == 25


def test_no_section_has_a_default():
    from pipeline.core import config

    sections = [s for s in vars(config).values() if isinstance(s, type) and issubclass(s, config.Section)]
    assert len(sections) > 15
    assert not [(s.__name__, n) for s in sections for n, f in s.model_fields.items() if not f.is_required()]


@pytest.mark.parametrize(("path", "value", "message"), [
    (("model", "dimm"), 3, "model.dimm: unknown key; accepted here: dim,"),
    (("split", "validation_share"), "0.1", "split.validation_share: Input should be a valid number (got '0.1')"),
    (("split", "validation_share"), 1.5, "split.validation_share"),
    (("sample", "solver"), "euler", "'ddim', 'ddpm' or 'dpmpp'"),
    (("train_audio", "batch"), 1, "batch 1 must be at least workers 2"),
    (("register", "min_mouth_r"), float("nan"), "register.min_mouth_r: Input should be a finite number"),
    (("diffusion", "target"), "eps", "needs diffusion.target x0 (it is eps)"),
    (("sample", "steps"), 1001, "sample.steps 1001 must not exceed diffusion.steps 1000"),
    (("preprocess", "measure", "min_duration_s"), 40.0, "must be below max_duration_s"),
    (("corpora",), ["avspeech", "voxceleb"], "corpora: Input should be a valid dictionary"),
    (("corpora",), {}, "corpora: Dictionary should have at least 1 item"),
    (("corpora", "mead", "reader"), "voxceleb", "corpora.mead.reader: Input should be 'avspeech', 'celebv_text'"),
    (("corpora", "mead", "use"), ["train"], "corpora.mead.use.0: Input should be 'audio', 'emotion' or 'test'"),
    (("corpora", "mead", "use"), ["audio", "test"], "a corpus for tests is for nothing else"),
    (("corpora", "mead", "pth"), "x", "corpora.mead.pth: unknown key; accepted here: reader, path, use, singing, sync"),
    (("corpora", "a/b"), {}, "String should match pattern"),
    (("corpora", "mead", "path"), "data/embedded/mine", "the project makes data/embedded/mead there"),
    (("corpora", "mead", "path"), "data/crops/mead", "DVC deletes what lies in data and reports"),
    (("corpora", "mead", "path"), "data", "DVC deletes what lies in data and reports"),
    (("corpora", "mead", "path"), ".", "a folder around them holds what is made here"),
    (("corpora", "mead", "path"), "/", "a folder around them holds what is made here"),
    (("corpora", "mead", "path"), "data/embedded/hdtf/", "the project makes data/embedded/mead there"),
    (("raw",), {"root": "/data"}, "raw: is now the `path` of each corpus"),
    (("train_audio", "corpora"), ["avspeech"], "train_audio.corpora: is now the `use` of each corpus"),
    (("split", "test_corpora"), ["hdtf"], "split.test_corpora: is now the `use` of each corpus"),
    (("preprocess", "min_blur"), 20.0, "preprocess.min_blur: is now preprocess.thresholds.min_blur"),
    (("preprocess", "crf"), 14, "preprocess.crf: is now preprocess.measure.crf"),
    (("train_emotion", "workers"), 2, "train_emotion.workers: is now train_emotion.trainer.workers"),
    (("face_space", "tune", "gpus"), 1, "face_space.tune.gpus: is now face_space.tune.trainer.gpus"),
    (("train_audio", "trainer", "loaders"), 4, "wants them unpacked: set `unpacked`"),
    (("speech", "overlap_s"), 15.0, "more than twice overlap_s"),
])
def test_a_bad_value_is_named(values, path, value, message):
    target = values
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises(ParamsError) as caught:
        parse_params(values)
    assert message in str(caught.value)


def test_folders_of_ones_own_stand_beside_the_embedded_ones(values):
    own = {"reader": "clips", "use": ["audio", "emotion"], "singing": False, "sync": False}
    values["corpora"] |= {"studio": own | {"path": "/data/studio"}, "phones-2": own | {"path": "data/raw/phones"},
                          "bucket": own | {"path": "s3://bucket/sets/"}, "beside": own | {"path": "/data/studio2"}}
    params = parse_params(values)
    assert params.used_for("audio")[3:] == ["studio", "phones-2", "bucket", "beside"]
    assert params.used_for("test") == ["hdtf"] and not params.all_embedded
    assert params.corpora["bucket"].location == "s3://bucket/sets"


@pytest.mark.parametrize("inner", ["/data/studio", "/data/studio/", "/data/studio/day1", "/data/x/../studio"])
def test_a_folder_in_another_corpus_would_count_twice(values, inner):
    own = {"reader": "clips", "use": ["audio"], "singing": False, "sync": False}
    values["corpora"] |= {"a": own | {"path": "/data/studio"}, "b": own | {"path": inner}}
    with pytest.raises(ParamsError, match=r"its clips would be in both"):
        parse_params(values)


def test_nothing_to_train_on_is_said_when_loaded(values):
    for corpus in values["corpora"].values():
        corpus["use"] = ["test"]
    with pytest.raises(ParamsError, match=r"none has `audio` in its `use`"):
        parse_params(values)


def test_an_experiments_copy_finds_the_users_data_beside_the_project(values, monkeypatch):
    from pipeline.core import data_params

    monkeypatch.setattr(data_params, "WORK", Path("/home/me/project/.playmate"))
    values["corpora"]["own"] = values["corpora"]["mead"] | {"path": "recordings", "use": []}
    params = parse_params(values)
    assert params.corpora["own"].location == "/home/me/project/recordings"
    assert params.corpora["mead"].location == "data/embedded/mead"


def test_a_missing_key_is_named(values):
    del values["diffusion"]["steps"]
    with pytest.raises(ParamsError, match=r"diffusion\.steps: missing"):
        parse_params(values)


def test_no_file_says_where_to_run(tmp_path):
    with pytest.raises(ParamsError, match="run from the project folder"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(("change", "message"), [
    (lambda text: text.replace("\n  batch: 32", "\n  batch: 32\n  batch: 64", 1).encode(), "'batch' stands there"),
    (lambda text: text.encode("utf-16"), "not UTF-8 text"), (lambda text: text.encode() + b"# \xe4", "not UTF-8 text"),
    (lambda text: text.replace("\n  batch: 32", "\n\tbatch: 32", 1).encode(), "not valid YAML"),
    (lambda text: text.replace("lr: 1.0e-4", "lr: 1e-4", 1).encode(), "takes for text: write 1.0e-4"),
    (lambda text: b"", "params.yaml cannot be used")])
def test_a_file_that_is_none_is_named(project, tmp_path, change, message):
    (tmp_path / "params.yaml").write_bytes(change((project / "params.yaml").read_text()))
    with pytest.raises(ParamsError, match=message) as refused:
        load_params(tmp_path / "params.yaml")
    assert "params.yaml" in str(refused.value) and len(str(refused.value)) < 500


def test_all_pairs_that_do_not_fit_are_said_at_once(values):
    values["sample"]["steps"] = 10 * values["diffusion"]["steps"]
    values["diffusion"]["target"] = "eps"
    with pytest.raises(ParamsError) as refused:
        parse_params(values)
    said = str(refused.value)
    assert "sample.steps" in said and "pose_velocity_weight" in said and len(said) < 500 and "Value error" not in said

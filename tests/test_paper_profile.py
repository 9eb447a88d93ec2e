"""The paper's path without its weights: every stage with LivePortrait and Wav2Vec2 as seeded, untrained toys.

It starts from a copy of the toy run's folder, whose crops it takes as they are: `dvc repro` goes on at the face space.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.toy_project import FEW_DIALS, TOY, change_params, run

pytestmark = pytest.mark.e2e
STAMP = "paper_toy (untrained: face_space, speech)"
SHORT = {"embedded": TOY["embedded"],      # the profile has its own, which would be other crops
         "face_space": TOY["face_space"],
         "model": {"previous": 5},
         "train_audio": {"trainer": {"workers": 0}},
         "train_emotion": {"trainer": {"workers": 0}},
         "evaluate": {"max_duration_s": 1.0, "emotion_duration_s": 1.0, "training_clips": 1, "true_emotion_clips": 0,
                      "workers": 1, "dials": FEW_DIALS},
         "ablate": {"audio_scales": [1.5], "max_duration_s": 1.0}}


@pytest.fixture(scope="module")
def paper(toy_run, tmp_path_factory) -> Path:
    """The toy run's folder with the toy paper profile, run on from its crops."""
    folder = tmp_path_factory.mktemp("paper") / "project"
    shutil.copytree(toy_run, folder, ignore=shutil.ignore_patterns("mlflow.db", "mlartifacts"), symlinks=True)
    run(folder, "playmate", "profile", "paper_toy")
    change_params(folder, SHORT)
    (folder / "output.txt").write_text(run(folder, "dvc", "repro"))
    return folder


def test_crops_were_taken_as_they_are(paper):
    output = (paper / "output.txt").read_text()
    assert "Running stage 'face_space'" in output and "Running stage 'register'" in output
    assert "Running stage 'preprocess" not in output and "Running stage 'split'" not in output


def test_features_are_the_papers_and_marked(paper):
    space = json.loads((paper / "data/face_space/face_space.json").read_text())
    assert (space["kind"], space["untrained"]) == ("liveportrait", True)
    assert (space["tune"]["steps"], space["tune"]["features"]) == (4, "vgg19 (untrained)")
    manifest = json.loads((paper / "data/features/avspeech/manifest.json").read_text())
    assert manifest["untrained"] == ["face_space", "speech"] and manifest["clips"] > 0 and not manifest["rejects"]


def test_the_model_says_that_it_is_untrained(paper):
    bundle = json.loads((paper / "data/models/emotion/bundle/bundle.json").read_text())
    assert (bundle["profile"], bundle["face_space"], bundle["speech"]["kind"]) == (STAMP, "liveportrait", "wav2vec2")


def test_the_report_and_the_registry_say_it(paper):
    assert "<strong>Untrained.</strong>" in (paper / "reports/index.html").read_text()
    assert "**Untrained.**" in (paper / "reports/report.md").read_text()
    with sqlite3.connect(paper / ".playmate/mlflow.db") as registry:
        tags = dict(registry.execute("select distinct key, value from model_version_tags where name = 'playmate'"))
    assert tags["untrained"] == "face_space, speech" and tags["profile"] == STAMP


def test_clips_without_a_face_are_rows_with_a_reason(paper):
    """Untrained networks draw no faces; the evaluation says so and goes on."""
    from evaluation.results.files import CLIPS, read_rows

    rows = read_rows(paper / "data/evaluation" / CLIPS)
    assert rows and all(row["status"] == "measured" or row["code"] == "face_not_found" for row in rows)


def test_the_model_renders_a_portrait(paper, tmp_path):
    import av
    from PIL import Image
    from skimage.data import astronaut

    Image.fromarray(astronaut()).save(tmp_path / "face.jpg")
    speech, out = next(paper.glob("data/crops/hdtf/*.wav")), tmp_path / "out.mp4"
    run(paper, "playmate", "animate", "--portrait", str(tmp_path / "face.jpg"), "--speech", str(speech),
        "--model", "data/models/emotion/bundle", "--detector", "insightface", "-o", str(out))
    with av.open(str(out)) as media:
        assert (media.streams.video[0].width, media.streams.video[0].height) == (512, 512)

"""Real people in the six corpora's own on-disk forms: who is kept, and why the others are not."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import yaml

from models.face.detectors import InsightFaceDetector
from pipeline.core.config import parse_params
from pipeline.media.crops import read_crop
from stages import split
from stages.preprocess import stage
from tests.chosen import raw_in
from tests.needs import weight

pytestmark = [pytest.mark.media, pytest.mark.slow, pytest.mark.processes]
CORPORA = ("avspeech", "celebv_text", "acappella", "mead", "mafw", "hdtf")


@pytest.fixture(scope="module")
def done(project, media, tmp_path_factory):
    """(folder, rows of all corpora)."""
    weight("scrfd"), weight("silero_vad")
    folder = tmp_path_factory.mktemp("real")
    subprocess.run([sys.executable, media.parent / "tools" / "lay_out_corpora.py", folder / "raw"], check=True)
    values = yaml.safe_load((project / "params.yaml").read_text())
    raw_in(values, folder / "raw")
    params = parse_params(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        rows = [row for corpus in CORPORA for row in stage.preprocess(corpus, params)]
        kept = [row for row in rows if row["status"] == "kept"]
        assigned, _ = split.assign(kept, params.split, params.used_for("test"), params.seed)
    return folder, rows, assigned


def test_who_is_kept_and_why_others_are_not(done):
    rows = done[1]
    kept = Counter(row["corpus"] for row in rows if row["status"] == "kept")
    assert kept == {"avspeech": 4, "celebv_text": 4, "acappella": 1, "mead": 8, "mafw": 7, "hdtf": 1}
    reasons = {(row["corpus"], row["source"].split("/")[-1].split("_0")[0]): row["code"]
               for row in rows if row["status"] == "rejected"}
    assert reasons == {
        ("avspeech", "avspeech_train.csv"): "missing_media", ("acappella", "full_dataset.csv"): "missing_media",
        ("hdtf", "WDA_annotion_time.txt"): "missing_media", ("celebv_text", "NoAudioHere"): "no_sound",
        ("mafw", "00158.mp4"): "too_short",       # 1.4 s
        ("avspeech", "d10AAAAAAAA"): "no_speech",  # music
        ("avspeech", "s13AAAAAAAA"): "small_face"}


def test_faces_stand_in_the_middle_of_their_crops(done):
    folder, rows, _ = done
    detector = InsightFaceDetector(weight("scrfd"), 320)
    for row in (row for row in rows if row["status"] == "kept"):
        crop = read_crop(folder / "data/crops" / row["corpus"] / f"{row['clip_id']}.mp4")
        boxes = np.array([detector.detect(frame)[0].box for frame in crop[::25]])
        centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
        # brows to chin: 1 / 2.2 of the square, a tenth of it below the middle
        assert np.abs(centres.mean(0) - [128, 128 + 25.6]).max() < 13, row["source"]
        assert abs(sides.mean() - 256 / 2.2) < 14, row["source"]
        assert (boxes[:, :2].min() > 0) and (boxes[:, 2:].max() < 256), row["source"]


def test_splits_of_real_people(done):
    by_split = Counter(row["split"] for row in done[2])
    assert by_split["test"] == 1 and by_split["validation"] >= 1 and by_split["train"] >= 14

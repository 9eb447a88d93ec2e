"""One clip's story, from tables made here."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from evaluation.results.files import write_clips
from pipeline.core import paths
from pipeline.core.atomic import write_json
from pipeline.core.clip_table import write_clip_table
from pipeline.core.config import load_params
from pipeline.core.split_table import write_split
from playmate.inspect import find_clip, print_clip, story
from tests.evaluation.fakes import measured_clip

KEPT = {"clip_id": "aaaabbbb0001", "corpus": "mead", "source": "M003/001.mp4", "identity": "mead/M003", "frames": 100,
        "status": "kept", "emotion": "angry", "detection_share": 1.0, "face_px": 200.0, "yaw_p95_deg": 10.0,
        "blur": 50.0, "brightness": 100.0, "speech_share": 0.7, "inside_share": 1.0, "score_p05": 0.8}
DARK = {**KEPT, "clip_id": "aaaabbbb0002", "brightness": 3.0, "status": "rejected", "stage": "quality",
        "code": "too_dark", "detail": "brightness 3, wanted at least 20", "value": 3.0}


@pytest.fixture
def root(tmp_path):
    write_clip_table(tmp_path / paths.CROPS / "mead" / "clips.parquet", [KEPT, DARK])
    return tmp_path


def printed(name, project, root):
    console = Console(file=io.StringIO(), width=200)
    print_clip(name, load_params(project / "params.yaml"), root, console)
    return console.file.getvalue()


def test_a_rejected_clip_shows_the_value_beside_the_threshold(project, root):
    text = printed("aaaabbbb0002", project, root)
    assert "rejected by quality/too_dark" in text and "rejected clips go no further" in text
    [line] = [line for line in text.splitlines() if "too_dark" in line and "missed" in line]
    assert "brightness" in line and "at least 20" in line
    assert sum("met" in line.split() for line in text.splitlines()) == 9


def test_a_kept_clip_is_followed_to_its_use(project, root):
    assert "not split yet" in printed("aaaabbbb0001", project, root)
    write_split(root / paths.SPLIT, [{"clip_id": KEPT["clip_id"], "corpus": "mead", "identity": "x", "split": "train"}])
    features = root / paths.FEATURES / "mead"
    features.mkdir(parents=True)
    pq.write_table(pa.table({"clip_id": [KEPT["clip_id"]]}), features / "motion-0.parquet")
    write_json(features / "manifest.json", {"shards": [{"name": "motion-0.parquet"}], "rejects": []})
    told = story(KEPT, load_params(project / "params.yaml"), root)
    write_clips(root / paths.EVALUATION, [measured_clip(KEPT["clip_id"], mouth_r=0.5, csim=None), measured_clip("b")])
    assert story(KEPT, load_params(project / "params.yaml"), root)["evaluated"] == "mouth_r 0.5"
    assert told == {"split": "train", "features": "motion-0.parquet", "used for": "statistics, train_emotion",
                    "evaluated": "no evaluation yet"}
    write_json(features / "manifest.json", {"shards": [], "rejects": [
        {"clip_id": KEPT["clip_id"], "stage": "extract", "code": "face_lost", "detail": "in frame 3", "value": None}]})
    assert "extract/face_lost: in frame 3" in printed("aaaabbbb0001", project, root)


def test_names_that_fit_no_clip_or_several(root):
    for name, words in (("aaaabbbb", "2 clips begin with"), ("cccccccc", "no clip begins"), ("a", "too short")):
        with pytest.raises(ValueError, match=words):
            find_clip(name, root)

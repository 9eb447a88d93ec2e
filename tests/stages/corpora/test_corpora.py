import numpy as np
import pytest

from pipeline.core.atomic import write_bytes
from stages.corpora.clip import media_path
from stages.corpora.identities import make_identities
from stages.corpora.layouts import read_clip, truth_path
from stages.corpora.plan import make_plans
from stages.corpora.stage import make_clips


def test_finished_clips_are_not_made_again(tmp_path, capsys):
    plans = make_plans(make_identities(3, 1), 7, 0, 320, 1, "espeak")
    for plan in plans:
        write_bytes(media_path(tmp_path, plan), b"made before")
    make_clips(plans, tmp_path)
    assert f"{len(plans)} clips, {len(plans)} there already" in capsys.readouterr().err
    assert {path.read_bytes() for path in (tmp_path / "clips").iterdir()} == {b"made before"}


def test_length_and_box_come_from_the_truth(tmp_path):
    plan = make_plans(make_identities(3, 1), 7, 0, 320, 1, "espeak")[0]
    truth_path(tmp_path, plan).parent.mkdir()
    np.savez(truth_path(tmp_path, plan), times_s=np.arange(100) / 25, face_box=(0.1, 0.2, 0.3, 0.4))
    clip = read_clip(tmp_path, plan)
    assert clip.duration_s == pytest.approx(100 / float(plan.rate))
    assert clip.face_box == (0.1, 0.2, 0.3, 0.4)

import numpy as np
import pytest

from pipeline.core.atomic import write_bytes
from stages.corpora.clip import media_path
from stages.corpora.identities import make_identities
from stages.corpora.layouts import finished, truth_path
from stages.corpora.plan import make_plans
from stages.corpora.stage import MissingCorpora, check_external, make_clips


def test_missing_datasets_are_named_with_the_key(tmp_path):
    (tmp_path / "mead").mkdir()
    with pytest.raises(MissingCorpora, match=r"avspeech, hdtf in raw\.root") as error:
        check_external(tmp_path, ["avspeech", "mead", "hdtf"])
    assert "raw.root to data/raw" in str(error.value)


def test_files_and_bytes_are_counted_with_folders_below(tmp_path):
    write_bytes(tmp_path / "mead" / "M003" / "a.mp4", b"12345")
    write_bytes(tmp_path / "mead" / "b.m4a", b"123")
    (tmp_path / "mead" / "dangling").symlink_to(tmp_path / "nowhere")
    assert check_external(tmp_path, ["mead"]) == {"mead": {"files": 2, "bytes": 8}}


def test_finished_clips_are_not_made_again(tmp_path, capsys):
    plans = make_plans(make_identities(3, 1), 7, 320, 1, "espeak")
    for plan in plans:
        write_bytes(media_path(tmp_path, plan), b"made before")
    make_clips(plans, tmp_path)
    assert f"{len(plans)} clips, {len(plans)} there already" in capsys.readouterr().err
    assert {path.read_bytes() for path in (tmp_path / "clips").iterdir()} == {b"made before"}


def test_length_and_box_come_from_the_truth(tmp_path):
    plan = make_plans(make_identities(3, 1), 7, 320, 1, "espeak")[0]
    truth_path(tmp_path, plan).parent.mkdir()
    np.savez(truth_path(tmp_path, plan), times_s=np.arange(100) / 25, face_box=(0.1, 0.2, 0.3, 0.4))
    clip = finished(tmp_path, plan)
    assert clip.duration_s == pytest.approx(100 / float(plan.rate))
    assert clip.face_box == (0.1, 0.2, 0.3, 0.4)

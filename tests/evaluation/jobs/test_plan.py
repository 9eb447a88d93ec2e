from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from evaluation.jobs import pair
from evaluation.jobs.clip import Clip, JobSettings
from evaluation.jobs.emotion import EmotionJob, TrueEmotionJob
from evaluation.jobs.pair import PairSpec
from evaluation.jobs.plan import clip_jobs, dial_jobs, emotion_jobs, pick_evenly, seed_jobs
from evaluation.jobs.reading import Reading
from evaluation.jobs.shown import PoseJob
from evaluation.jobs.workers import make_tasks
from pipeline.core.config import Dials
from tests.evaluation.fakes import motion_of, rest_keypoints


def clip(name: str, identity: str, crop: str = "", frames: int = 100) -> Clip:
    speech = np.full((frames, 2), ord(name[0]), np.float32)
    return Clip(name, "hdtf", identity, crop, rest_keypoints(), motion_of(np.zeros(frames)), speech, 1)


def test_every_clip_is_controlled_by_another_ones_speech():
    jobs = clip_jobs([clip("a", "p"), clip("b", "p", frames=80), clip("c", "q")])
    assert [job.wrong_clip_id for job in jobs] == ["b", "c", "a"]
    assert [len(job.wrong_speech) for job in jobs] == [80, 80, 100]  # never longer than the clip
    assert jobs[0].wrong_speech[0, 0] == ord("b")


def test_a_single_clip_is_controlled_by_its_own_speech_turned_by_half():
    one = replace(clip("a", "p"), speech=np.arange(200, dtype=np.float32).reshape(100, 2))
    assert clip_jobs([one])[0].wrong_speech[0, 0] == 100


def test_emotions_are_put_on_different_people_first_and_neutral_is_always_there():
    section = SimpleNamespace(emotion_duration_s=2.0, emotions=["happy", "sad", "happy"], emotion_clips=2)
    jobs = emotion_jobs([clip("a", "p"), clip("b", "p"), clip("c", "q")], section)
    assert [(job.clip.clip_id, job.emotion) for job in jobs] == [
        (name, emotion) for name in ("a", "c") for emotion in ("neutral", "happy", "sad")]
    assert {len(job.clip) for job in jobs} == {50}
    assert len(emotion_jobs([clip("a", "p"), clip("b", "p")], section)) == 6


def test_the_first_clip_gets_several_seeds_its_own_first():
    section = SimpleNamespace(emotion_duration_s=2.0, seeds=3)
    assert [(job.clip.clip_id, job.offset) for job in seed_jobs([clip("a", "p"), clip("b", "p")], section)] == [
        ("a", 0), ("a", 1), ("a", 2)]
    assert seed_jobs([], section) == []


def test_every_dial_is_shown_at_its_values_and_those_of_eyes_where_they_are_known():
    dials = Dials(duration_s=1.0, pose_scale=[0, 2], mouth_scale=[], blink=[40], expression_scale=[],
                  pose_guidance=[], gaze=["camera"])
    section = SimpleNamespace(dials=dials)
    jobs = dial_jobs([clip("a", "p"), clip("b", "p")], section, knows_eyes=True)
    found = [(job.clip.clip_id, job.dial, job.value) for job in jobs]
    assert found == [("a", "pose_scale", 0), ("a", "pose_scale", 2), ("a", "blink", 40), ("a", "gaze", "camera")]
    assert [job.dial for job in dial_jobs([clip("a", "p")], section, knows_eyes=False)] == ["pose_scale"] * 2
    assert dial_jobs([], section, knows_eyes=True) == []


def test_picks_are_spread_and_never_repeat():
    ids = [f"{i:02d}" for i in range(10)]
    assert pick_evenly(ids, 3) == ["00", "04", "09"]
    assert pick_evenly(ids, 99) == ids and pick_evenly([], 3) == []


def test_a_jobs_name_changes_with_all_that_enters_it(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"one")
    one = clip("a", "p", str(tmp_path / "a.mp4"))
    job = clip_jobs([one, one])[0]
    pose = PoseJob(one, "driven", np.zeros((5, 7)))

    def name(job, metrics=("lpips_alexnet",)) -> str:
        settings = JobSettings(1, 5, 2, 2, 64, 27, "mean_logits")
        spec = PairSpec(metrics, settings, Reading(25, 40, 64, 4320, 60.0, 60.0, 2.0))
        return make_tasks([job], spec, tmp_path)[0].folder.name

    monkeypatch.setattr(pair, "judge_weights", list)
    names = [name(job), name(job, ("fid",)), name(replace(job, wrong_clip_id="c")), name(EmotionJob(one, "happy")),
             name(TrueEmotionJob(one, "happy")), name(pose), name(replace(pose, driver=np.ones((5, 7))))]
    assert len(set(names)) == len(names) and name(job) == names[0]
    (tmp_path / "a.mp4").write_bytes(b"two")
    assert name(job) != names[0]

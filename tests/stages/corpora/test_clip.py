"""One short clip, really spoken and rendered."""

from dataclasses import replace

import av
import numpy as np
import pytest

from stages.corpora.canvas import Canvas
from stages.corpora.clip import TAGS, make_clip, media_path, truth_path
from stages.corpora.identities import make_identities
from stages.corpora.kokoro import KokoroVoice
from stages.corpora.performance import duration_s, soundtrack, speak_plan
from stages.corpora.plan import make_plans
from stages.corpora.visemes import BREATH, PAUSE
from tests.needs import weight


@pytest.fixture(scope="module")
def plan():
    pytest.importorskip("mediapipe")
    pytest.importorskip("skimage")
    weight("face_landmarker")
    plans = make_plans(make_identities(10, 1), 56, 0, 320, 1, "espeak")
    held_out = next(plan for plan in plans if plan.corpus == "hdtf")  # scikit-image's own portrait
    return replace(held_out, max_duration_s=0.72, width_px=256, height_px=256, render_px=180)


@pytest.fixture(scope="module")
def made(plan, tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    assert make_clip(plan, work) == 18  # 0.72 s at 25 fps
    return work


def test_the_same_plan_gives_the_same_bytes(plan, made, tmp_path):
    make_clip(plan, tmp_path)
    for path in (media_path, truth_path):
        assert path(made, plan).read_bytes() == path(tmp_path, plan).read_bytes()


def test_the_file_is_marked_and_holds_picture_and_sound(plan, made):
    with av.open(str(media_path(made, plan))) as container:
        assert container.metadata["comment"] == TAGS["comment"]
        assert (container.streams.video[0].width, container.streams.video[0].height) == (256, 256)
        assert container.streams.video[0].average_rate == 25
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        sound = container.streams.audio[0]
        assert sound.rate == plan.audio_hz
        assert float(sound.duration * sound.time_base) == pytest.approx(0.72, abs=0.03)
    assert len(frames) == 18
    assert np.abs(frames[-1].astype(int) - frames[0]).max() > 30  # it moves


def test_the_truth_says_when_the_mouth_is_open(plan, made):
    with np.load(truth_path(made, plan)) as truth:
        assert truth["opening"].shape == truth["opening_25"].shape == (18,)
        assert truth["opening"].max() > 0.03
        assert truth["phoneme_spans_s"][0, 0] == 0.0
        assert str(truth["emotion"]) == "neutral"
        left, top, right, bottom = truth["face_box"]
    assert 0 < left < right < 1
    assert 0 < top < bottom < 1


def test_the_sound_is_as_long_as_the_film_and_loud_where_phonemes_are(plan):
    speech = speak_plan(plan)
    whole = replace(plan, max_duration_s=None)
    track = soundtrack(whole, speech)
    assert len(track) == round(duration_s(whole, speech) * plan.audio_hz)
    spoken = np.zeros(len(track), bool)
    for phoneme in speech.phonemes:
        if phoneme.ipa not in (PAUSE, BREATH):
            spoken[round(phoneme.start_s * plan.audio_hz):round(phoneme.end_s * plan.audio_hz)] = True
    inside, outside = (np.sqrt(np.mean(track[where] ** 2)) for where in (spoken, ~spoken))
    assert 0.03 < inside < 0.2 and outside < inside / 2


@pytest.mark.slow
def test_spoken_sentences_are_kept_and_read_back(plan, tmp_path):
    weight("kokoro_1"), weight("kokoro_voices")
    voiced = replace(plan, texts=("Hello, Bob.",), voice=KokoroVoice("af_heart", "af_heart", 1.0, 1.2))
    fresh, kept = speak_plan(voiced, tmp_path), speak_plan(voiced, tmp_path)
    [path] = tmp_path.iterdir()
    assert path.suffix == ".npz" and fresh.phonemes == kept.phonemes
    assert np.array_equal(fresh.waveform, kept.waveform)
    speak_plan(replace(voiced, voice=KokoroVoice("af_heart", "af_heart", 1.0, 1.1)), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_canvas_keeps_its_background_still_and_its_mark_outside_the_face():
    portrait = np.full((512, 512, 3), 90, np.uint8)
    canvas = Canvas(portrait, 320, 240, 200, shift=0.0)
    dark, light = (canvas.place(np.full((512, 512, 3), value, np.uint8)) for value in (40, 200))
    moved = np.argwhere((dark != light).any(-1))
    assert moved[:, 0].min() >= 40
    assert moved[:, 1].min() >= 60
    assert moved[:, 1].max() < 260
    assert dark[100:200, 100:200].max() == 40
    assert dark[:20, :80].std() > 5  # the mark
    assert canvas.face_box(np.array([-1.0, -1.0]), np.array([1.0, 1.0])) == (60 / 320, 40 / 240, 260 / 320, 1.0)

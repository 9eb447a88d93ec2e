from dataclasses import replace

import pytest

from stages.corpora.expression import EMOTIONS
from stages.corpora.identities import HELD_OUT_PORTRAIT, make_identities
from stages.corpora.performance import duration_s, speak_plan
from stages.corpora.plan import make_plans
from stages.corpora.sentences import HELD_OUT, SENTENCES
from stages.corpora.voices import HELD_OUT_VOICES


@pytest.fixture(scope="module")
def people():
    return make_identities(10, seed=1)


@pytest.fixture(scope="module")
def plans(people):
    return make_plans(people, sentences=56, talking=0, render_px=320, seed=1, speaker="espeak")


def test_identities_differ_and_the_last_one_has_a_portrait_of_its_own(people):
    looks = [(p.portrait, p.mirrored, p.tint, p.shape) for p in people]
    assert len(set(looks)) == len(people) == 10
    assert [p.portrait for p in people].count(HELD_OUT_PORTRAIT) == 1
    assert people[-1].portrait == HELD_OUT_PORTRAIT
    assert len({p.voice for p in people}) == 10


def test_the_held_out_identity_and_sentences_are_in_hdtf_alone(people, plans):
    for plan in plans:
        assert (plan.corpus == "hdtf") == (plan.identity == people[-1]) == set(plan.texts).issubset(HELD_OUT)
        assert (plan.corpus != "hdtf") == set(plan.texts).issubset(SENTENCES)


def test_no_sentence_is_spoken_twice(plans):
    texts = [text for plan in plans for text in plan.texts]
    assert len(set(texts)) == len(texts) == 56 + 4  # the defects say one each
    assert [len(plan.texts) for plan in plans if plan.corpus == "avspeech"] == [1, 1, 2, 2, 2, 1, 1]


def test_every_emotion_is_in_both_emotional_corpora(plans):
    for corpus, people in (("mead", 2), ("mafw", 1)):
        for emotion in EMOTIONS:
            actors = {plan.identity.number for plan in plans if plan.corpus == corpus and plan.emotion == emotion}
            assert len(actors) >= people, (corpus, emotion)
    assert {plan.level for plan in plans if plan.corpus == "mead" and plan.emotion == "neutral"} == {1}
    assert sum(plan.corpus in ("mead", "mafw") for plan in plans) >= 24


def test_rates_and_sizes_are_mixed(plans):
    assert len({plan.fps for plan in plans}) == 4
    assert len({(plan.width_px, plan.height_px) for plan in plans}) >= 6
    assert all(plan.width_px % 2 == plan.height_px % 2 == 0 for plan in plans)
    assert all(plan.audio_hz % 50 == 0 for plan in plans)


def test_every_clip_but_the_two_short_ones_lasts_over_three_seconds(plans):
    lengths = [duration_s(plan, speak_plan(plan)) for plan in plans]
    short = [plan for plan, length in zip(plans, lengths, strict=True) if length < 3.05]
    assert [(plan.corpus, plan.max_duration_s) for plan in short] == [("avspeech", 2.0), ("mafw", 2.2)]
    assert 230 < sum(lengths) < 330
    assert max(lengths) < 16


def test_a_key_is_the_content(plans):
    assert len({plan.key for plan in plans}) == len(plans)
    assert replace(plans[0]).key == plans[0].key
    assert replace(plans[0], texts=("Another text.",)).key != plans[0].key


def test_other_numbers_of_sentences_and_people_work():
    for people, sentences in ((3, 7), (5, 20), (14, 100)):
        plans = make_plans(make_identities(people, 1), sentences, 0, 320, 1, "espeak")
        assert sum(len(plan.texts) for plan in plans) == sentences + 4
        assert {plan.corpus for plan in plans} == {"avspeech", "celebv_text", "acappella", "mead", "mafw", "hdtf"}


def test_further_talking_sentences_go_to_the_audio_corpora_alone(people, plans):
    more = make_plans(people, 56, 40, 320, 1, "espeak")
    spoken = {talking: [plan for plan in made if plan.corpus in ("avspeech", "celebv_text", "acappella")]
              for talking, made in ((0, plans), (40, more))}
    assert sum(len(plan.texts) for plan in spoken[40]) - sum(len(plan.texts) for plan in spoken[0]) == 40
    assert len(more) - len(spoken[40]) == len(plans) - len(spoken[0])


def test_with_clips_enough_every_mead_actor_shows_every_emotion():
    shown: dict[int, set[str]] = {}
    for plan in make_plans(make_identities(29, 1), 240, 0, 320, 1, "espeak"):
        if plan.corpus == "mead":
            shown.setdefault(plan.identity.number, set()).add(plan.emotion)
    assert len(shown) == 4 and all(len(emotions) == 8 for emotions in shown.values())


def test_kokoro_speaks_every_clip_in_another_voice_of_the_persons_sex(people):
    plans = make_plans(people, 56, 0, 320, 1, "kokoro")
    voices = {plan.voice for plan in plans}
    assert len(voices) == len(plans)
    assert len({name for voice in voices for name in (voice.first, voice.second)}) >= 20
    for plan in plans:
        assert plan.voice.first[1] == plan.voice.second[1] == ("f" if plan.identity.woman else "m")
        assert plan.voice.first[0] == plan.voice.second[0]  # blends keep to one accent
        assert (plan.voice.first in HELD_OUT_VOICES) == (plan.corpus == "hdtf")
        assert 0.85 <= plan.voice.speed <= 1.4
    assert 0.2 < sum(voice.first != voice.second for voice in voices) / len(voices) < 0.7

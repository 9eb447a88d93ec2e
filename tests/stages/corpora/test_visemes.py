import numpy as np
import pytest

from stages.corpora.speech import Phoneme, Speech, Voice, speak
from stages.corpora.visemes import ANTICIPATION_S, loudness, mouth_curves, viseme_parts

RATE = 22050


def tone(seconds: float, *phonemes: tuple[str, float, float]) -> Speech:
    waveform = 0.1 * np.sin(2 * np.pi * 200 * np.arange(int(seconds * RATE)) / RATE)
    return Speech(waveform.astype(np.float32), RATE, tuple(Phoneme(*phoneme) for phoneme in phonemes))


def test_a_held_vowel_reaches_its_target_times_its_effort():
    curves = mouth_curves(tone(1.0, ("ɑː", 0.0, 1.0)), np.array([0.5]))
    assert curves.loudness[0] == pytest.approx(1.0, abs=1e-2)
    assert curves.opening[0] == pytest.approx(1.00 * (0.75 + 0.35 * 1.0), rel=5e-3)  # target x effort at full loudness
    assert curves.width[0] == curves.pucker[0] == curves.press[0] == 0.0


def test_the_mouth_opens_before_the_vowel_sounds_and_closes_before_it_ends():
    times = np.arange(0, 1.0, 0.001)
    jaw = mouth_curves(tone(1.0, ("t", 0.0, 0.4), ("ɑ", 0.4, 0.7), ("t", 0.7, 1.0)), times).opening
    wide = times[jaw > (jaw.max() + jaw[200]) / 2]
    assert wide[0] == pytest.approx(0.4 - ANTICIPATION_S, abs=0.01)
    assert wide[-1] == pytest.approx(0.7 - ANTICIPATION_S, abs=0.01)


def test_stress_opens_a_tenth_wider():
    plain, stressed = (mouth_curves(tone(1.0, (ipa, 0.0, 1.0)), np.array([0.5])).opening[0] for ipa in ("ɑ", "ˈɑ"))
    assert stressed / plain == pytest.approx(1.1)


@pytest.mark.parametrize("consonant", ["p", "b", "m"])
def test_bilabials_close_between_open_vowels(consonant):
    speech = tone(0.6, ("ɑ", 0.0, 0.25), (consonant, 0.25, 0.35), ("ɑ", 0.35, 0.6))
    curves = mouth_curves(speech, np.array([0.1, 0.295, 0.5]))
    assert curves.opening[1] == 0.0  # 0.25 + 0.45 x 0.1: the middle of the closure
    assert curves.press.tolist() == [0.0, 1.0, 0.0]
    assert min(curves.opening[0], curves.opening[2]) > 0.8


@pytest.mark.parametrize("fps", [24.0, 25.0, 30000 / 1001, 30.0])
def test_every_closure_of_a_sentence_is_seen_closed_at_every_frame_rate(fps):
    speech = speak("A box of matches and six brown paper maps were put by the pump.", Voice("en-us+f3", 175, 50, 50), 1)
    bilabials = [p for p in speech.phonemes if p.ipa in ("p", "b", "m")]
    for shift in (0.0, 0.3, 0.7):  # wherever the frames fall
        times = (np.arange(0, speech.duration_s * fps) + shift) / fps
        opening = mouth_curves(speech, times).opening
        for phoneme in bilabials:
            near = (times > phoneme.start_s - 0.03) & (times < phoneme.end_s + 0.03)
            assert opening[near].min() == 0.0
    assert len(bilabials) >= 8


def test_labiodentals_tuck_the_lip_and_nearly_close():
    curves = mouth_curves(tone(0.6, ("ɑ", 0.0, 0.25), ("f", 0.25, 0.35), ("ɑ", 0.35, 0.6)), np.array([0.295]))
    assert curves.tuck[0] == 1.0
    assert 0.0 < curves.opening[0] < 0.25


def test_neighbours_colour_each_other():
    after_u, after_i = (mouth_curves(tone(0.5, (ipa, 0.0, 0.2), ("t", 0.2, 0.27), (ipa, 0.27, 0.5)),
                                     np.array([0.235])) for ipa in ("uː", "iː"))
    assert after_u.pucker[0] > 0.2 > after_i.pucker[0]
    assert after_i.width[0] > after_u.width[0]


def test_the_mouth_rests_outside_the_sentence():
    curves = mouth_curves(tone(0.5, ("ɑ", 0.0, 0.5)), np.array([-2.0, -0.3, 0.7, 3.0]))
    assert np.allclose(curves.opening, 0.0, atol=1e-6)


def test_diphthongs_have_two_parts_and_marks_none():
    assert viseme_parts("ˈaɪ") == ["a", "ɪ"]
    assert viseme_parts("tʃ") == ["t", "ʃ"]
    assert viseme_parts("ˌɔː") == ["ɔ"]
    assert viseme_parts("") == []


def test_loudness_is_the_rms_of_a_steady_tone_everywhere_inside_it():
    values = loudness(tone(1.0), np.linspace(0.1, 0.9, 50))
    assert np.allclose(values, 1.0, atol=0.01)

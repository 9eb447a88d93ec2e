import numpy as np
import pytest

from stages.corpora.speech import Phoneme, Speech, Voice, speak
from stages.corpora.visemes import (
    ANTICIPATION_S,
    BREATH,
    CLOSES_AFTER_S,
    CLOSURE_LEAD_S,
    LONG_PAUSE_S,
    OPENS_BEFORE_S,
    REST_RAMP_S,
    loudness,
    mouth_curves,
    rest_curve,
    viseme_parts,
)

RATE = 22050


def tone(seconds: float, *phonemes: tuple[str, float, float]) -> Speech:
    waveform = 0.1 * np.sin(2 * np.pi * 200 * np.arange(int(seconds * RATE)) / RATE)
    return Speech(waveform.astype(np.float32), RATE, tuple(Phoneme(*phoneme) for phoneme in phonemes))


def test_a_held_vowel_reaches_its_target_and_the_jaw_nine_tenths_of_it():
    curves = mouth_curves(tone(1.0, ("ɑː", 0.0, 1.0)), np.array([0.5]))
    assert curves.opening[0] == pytest.approx(0.80, abs=1e-9)
    assert curves.jaw[0] == pytest.approx(0.72, abs=1e-9)
    assert curves.width[0] == curves.pucker[0] == curves.press[0] == 0.0


def test_targets_meet_by_their_dominance():
    """Where two sounds begin and end, both weigh a half: (d1 T1 + d2 T2) / (d1 + d2), a lead before the sound."""
    at = np.array([0.5 - ANTICIPATION_S])
    vowels = mouth_curves(tone(1.0, ("ɑ", 0.0, 0.5), ("u", 0.5, 1.0)), at).opening[0]
    assert vowels == pytest.approx((1.0 * 0.80 + 1.0 * 0.22) / 2, abs=0.02)  # the grid has 5 ms
    tongue = mouth_curves(tone(1.0, ("ɑ", 0.0, 0.5), ("k", 0.5, 1.0)), at).opening[0]
    assert tongue == pytest.approx((1.0 * 0.80 + 0.15 * 0.40) / 1.15, abs=0.02)


def test_a_short_tongue_consonant_leaves_the_vowels_opening():
    """t of 60 ms between two vowels: sigma 45 ms gives it a share erf(0.03 / (0.045 sqrt 2)) = 0.495 of the time."""
    opening = mouth_curves(tone(0.86, ("ɑ", 0.0, 0.4), ("t", 0.4, 0.46), ("ɑ", 0.46, 0.86)),
                           np.array([0.43 - ANTICIPATION_S])).opening[0]
    inside, dominance = 0.495, 0.2
    expected = ((1 - inside) * 0.80 + inside * dominance * 0.30) / ((1 - inside) + inside * dominance)
    assert opening == pytest.approx(expected, abs=0.02)
    assert opening > 0.7


def test_the_mouth_opens_before_the_vowel_sounds():
    times = np.arange(0, 1.0, 0.001)
    opening = mouth_curves(tone(1.0, ("u", 0.0, 0.4), ("ɑ", 0.4, 1.0)), times).opening
    assert times[np.argmax(opening > (0.22 + 0.80) / 2)] == pytest.approx(0.4 - ANTICIPATION_S, abs=0.006)


@pytest.mark.parametrize("consonant", ["p", "b", "m"])
def test_bilabials_close_between_open_vowels(consonant):
    speech = tone(0.6, ("ɑ", 0.0, 0.25), (consonant, 0.25, 0.35), ("ɑ", 0.35, 0.6))
    curves = mouth_curves(speech, np.array([0.05, 0.295 - CLOSURE_LEAD_S, 0.45]))  # 0.25 + 0.45 x 0.1: its middle
    assert curves.opening[1] == 0.0
    assert curves.press.tolist() == [0.0, 1.0, 0.0]
    assert min(curves.opening[0], curves.opening[2]) > 0.7
    assert curves.jaw[1] > 0.0  # the lips close over a jaw that is still down


@pytest.mark.parametrize("fps", [24.0, 25.0, 30000 / 1001, 30.0])
def test_every_closure_of_a_sentence_is_seen_closed_at_every_frame_rate(fps):
    speech = speak("A box of matches and six brown paper maps were put by the pump.", Voice("en-us+f3", 175, 50, 50), 1)
    bilabials = [p for p in speech.phonemes if p.ipa in ("p", "b", "m")]
    for shift in (0.0, 0.3, 0.7):  # wherever the frames fall
        times = (np.arange(0, speech.duration_s * fps) + shift) / fps
        opening = mouth_curves(speech, times).opening
        for phoneme in bilabials:
            near = (times > phoneme.start_s - 0.06) & (times < phoneme.end_s + 0.03)
            assert opening[near].min() == 0.0
    assert len(bilabials) >= 8


def test_labiodentals_tuck_the_lip_and_nearly_close():
    speech = tone(0.6, ("ɑ", 0.0, 0.25), ("f", 0.25, 0.35), ("ɑ", 0.35, 0.6))
    curves = mouth_curves(speech, np.array([0.295 - CLOSURE_LEAD_S]))
    assert curves.tuck[0] == 1.0
    assert 0.0 < curves.opening[0] < 0.25


def test_neighbours_lend_their_shape_to_a_consonant_that_has_none():
    after_u, after_i = (mouth_curves(tone(0.5, (ipa, 0.0, 0.2), ("t", 0.2, 0.27), (ipa, 0.27, 0.5)),
                                     np.array([0.235 - ANTICIPATION_S])) for ipa in ("uː", "iː"))
    assert after_u.pucker[0] > 0.75 and after_i.pucker[0] == 0.0
    assert after_i.width[0] > 0.6 and after_u.width[0] < -0.3


@pytest.mark.parametrize(("sound", "pucker", "width"), [("u", 0.95, -0.45), ("o", 0.70, -0.30), ("s", 0.0, 0.30),
                                                        ("i", 0.0, 0.75), ("w", 1.0, -0.50)])
def test_round_and_spread_sounds(sound, pucker, width):
    curves = mouth_curves(tone(1.0, (sound, 0.0, 1.0)), np.array([0.5]))
    assert (curves.pucker[0], curves.width[0]) == (pytest.approx(pucker), pytest.approx(width))


def test_a_pause_within_a_talk_is_open_and_a_breath_opens_wider():
    speech = tone(2.4, ("ɑ", 0.0, 0.5), ("", 0.5, 1.4), ("ɑ", 1.4, 1.5), (BREATH, 1.5, 2.0), ("u", 2.0, 2.4))
    opening = mouth_curves(speech, np.array([0.95, 1.7])).opening
    assert opening.tolist() == [pytest.approx(0.42, abs=1e-3), pytest.approx(0.75, abs=1e-2)]


def test_the_mouth_rests_before_after_and_within_a_long_silence():
    """Hand-computed edges: shut half a ramp after `CLOSES_AFTER_S`, open again `OPENS_BEFORE_S` before the sound."""
    half = REST_RAMP_S / 2
    phonemes = (Phoneme("", 0.0, 2.0), Phoneme("ɑ", 2.0, 3.0), Phoneme("", 3.0, 6.0), Phoneme(BREATH, 6.0, 6.5),
                Phoneme("ɑ", 6.5, 7.0), Phoneme("", 7.0, 7.0 + LONG_PAUSE_S), Phoneme("ɑ", 7.0 + LONG_PAUSE_S, 9.0))
    at = np.array([0.0, 2.0 - OPENS_BEFORE_S - half, 2.0 - OPENS_BEFORE_S, 2.5, 3.0 + CLOSES_AFTER_S,
                   3.0 + CLOSES_AFTER_S + half, 4.5, 6.0 - OPENS_BEFORE_S, 6.7, 7.75, 9.0 + CLOSES_AFTER_S + half,
                   20.0])
    assert rest_curve(phonemes, at) == pytest.approx([1, 0.5, 0, 0, 0, 0.5, 1, 0, 0, 0, 0.5, 1])
    assert np.all(rest_curve((Phoneme("", 0.0, 9.0),), at) == 1.0)


def test_the_mouth_is_shut_outside_the_sentence():
    curves = mouth_curves(tone(0.5, ("ɑ", 0.0, 0.5)), np.array([-2.0, 3.0]))
    assert np.allclose(curves.opening, 0.0) and np.allclose(curves.jaw, 0.0)


def test_diphthongs_have_two_parts_marks_none_and_a_pause_is_itself():
    assert viseme_parts("ˈaɪ") == ["a", "ɪ"]
    assert viseme_parts("tʃ") == ["t", "ʃ"]
    assert viseme_parts("ˌɔː") == ["ɔ"]
    assert viseme_parts("") == [""]


def test_loudness_is_the_rms_of_a_steady_tone_everywhere_inside_it():
    values = loudness(tone(1.0), np.linspace(0.1, 0.9, 50))
    assert np.allclose(values, 1.0, atol=0.01)

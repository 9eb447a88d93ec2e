"""Kokoro: phoneme rules by hand, token times by hand, and its own speech."""

import numpy as np
import pytest

from stages.corpora.kokoro import LATE_S, MEN, WOMEN, KokoroVoice, speak_kokoro
from stages.corpora.kokoro_phonemes import VOCABULARY, kokoro_symbols, misaki, timed_phonemes
from stages.corpora.speech import Phoneme, SpeechError
from tests.needs import weight

VOICE = KokoroVoice("af_heart", "am_puck", 0.5, 1.0)
TEXT = "Six small spoons of salt, were passed across the table."


@pytest.mark.parametrize(("ipa", "accent", "symbols"), [
    ("tʃˈɜːtʃ", "american", "ʧˈɜɹʧ"), ("tʃˈɜːtʃ", "british", "ʧˈɜːʧ"), ("hˈoʊm", "american", "hˈOm"),
    ("hˈəʊm", "british", "hˈQm"), ("bɹˈeɪk", "american", "bɹˈAk"), ("bˈɔɪl", "british", "bˈYl"),
    ("fˈɪɹ", "american", "fˈɪɹ"), ("ɪɹˈæʔn̩", "american", "ɪɹˈætn"), ("kˈeətʃ", "british", "kˈɛːʧ"),
    ("bˈʌɾɚ", "american", "bˈʌɾəɹ"), ("lˈɒx", "british", "lˈɒk"), ("ˈoːɐ", "american", "ˈOə")])
def test_the_rules_of_the_alphabet(ipa, accent, symbols):
    assert misaki(ipa, accent) == symbols


def test_punctuation_stays_between_clauses_and_every_symbol_has_a_token():
    assert kokoro_symbols("The blue cup, and now!", "american") == "ðə blˈu kˈʌp, ænd nˈW!"
    assert set(kokoro_symbols("A... b; c: d? e", "british")) <= set(VOCABULARY)


def test_times_of_marks_spaces_pauses_and_double_sounds_by_hand():
    """Tokens 0 | a space stress I comma | t long | 0, ends as given, nothing late."""
    ends = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 0.9, 1.0, 1.2])
    assert timed_phonemes("a ˈI,tː", ends, 0.0) == (
        Phoneme("", 0.0, 0.1), Phoneme("a", 0.1, pytest.approx(0.25)), Phoneme("ˈa", pytest.approx(0.25),
                                                                             pytest.approx(0.425)),
        Phoneme("ɪ", pytest.approx(0.425), 0.6), Phoneme("", 0.6, 0.8), Phoneme("t", 0.8, 1.0), Phoneme("", 1.0, 1.2))
    early = timed_phonemes("a ˈI,tː", ends, 0.045)
    assert (early[0].start_s, early[1].start_s, early[-1].end_s) == (0.0, pytest.approx(0.055), 1.2)


@pytest.fixture(scope="module")
def speech():
    weight("kokoro_1"), weight("kokoro_voices")
    return speak_kokoro(TEXT, VOICE)


@pytest.mark.slow
def test_the_same_text_and_voice_give_the_same_samples(speech):
    other = speak_kokoro("Nine shiny buttons.", KokoroVoice("bm_george", "bm_george", 1.0, 1.3))
    assert other.phonemes != speech.phonemes
    assert np.array_equal(speak_kokoro(TEXT, VOICE).waveform, speech.waveform)


@pytest.mark.slow
def test_phonemes_follow_each_other_to_the_end_of_the_sound(speech):
    assert [one.end_s for one in speech.phonemes[:-1]] == [one.start_s for one in speech.phonemes[1:]]
    assert speech.phonemes[-1].end_s == pytest.approx(speech.duration_s)
    assert [one.ipa for one in speech.phonemes[1:5]] == ["s", "ˈɪ", "k", "s"]
    assert any(not one.ipa and 1.0 < one.start_s < 2.5 for one in speech.phonemes)  # the comma


@pytest.mark.slow
@pytest.mark.parametrize("voice", [VOICE, KokoroVoice("bf_emma", "bm_lewis", 0.4, 0.9)])
def test_sound_sets_in_where_the_first_phoneme_begins(speech, voice):
    """Energy over 10 ms first rises above a tenth of its loud level within 30 ms of the first vowel's word."""
    weight("kokoro_1")
    made = speak_kokoro("Bob and Dan open a big bag, and a tall door.", voice)
    hop = 240
    rms = np.sqrt(np.square(made.waveform[:len(made.waveform) // hop * hop].reshape(-1, hop)).mean(1))
    onset = np.argmax(rms > 0.1 * np.percentile(rms, 95)) * hop / made.rate_hz
    assert onset == pytest.approx(made.phonemes[1].start_s, abs=0.03)


@pytest.mark.slow
def test_faster_is_shorter_and_voices_differ(speech):
    fast = speak_kokoro(TEXT, KokoroVoice("af_heart", "am_puck", 0.5, 1.4))
    assert fast.duration_s < 0.85 * speech.duration_s
    other = speak_kokoro(TEXT, KokoroVoice("am_onyx", "am_onyx", 1.0, 1.0))
    assert len(other.waveform) != len(speech.waveform) or not np.allclose(other.waveform, speech.waveform)


@pytest.mark.slow
def test_28_voices_and_an_unknown_one_is_named(speech):
    assert len({*WOMEN, *MEN}) == 28 and LATE_S == 0.045
    with pytest.raises(SpeechError, match="no English voice 'zf_x'"):
        speak_kokoro("Hello.", KokoroVoice("zf_x", "zf_x", 1.0, 1.0))
    with pytest.raises(SpeechError, match="0 phonemes"):
        speak_kokoro("", VOICE)

import itertools

import numpy as np
import pytest

from stages.corpora.speech import SpeechError, Voice, speak

VOICE = Voice("en-us+f3", 165, 50, 50)
TEXT = "Six small spoons of salt were passed across the table."


@pytest.fixture(scope="module")
def speech():
    return speak(TEXT, VOICE, seed=7)


def test_a_sentence_sounds_the_same_whatever_was_spoken_before(speech):
    speak("Nine shiny buttons were sewn along the front.", Voice("en-us+m3", 150, 40, 60), seed=3)
    again = speak(TEXT, VOICE, seed=7)
    assert np.array_equal(again.waveform, speech.waveform)
    assert again.phonemes == speech.phonemes


def test_phonemes_follow_each_other_within_the_waveform(speech):
    spans = [(p.start_s, p.end_s) for p in speech.phonemes]
    assert all(end > start for start, end in spans)
    assert all(end == pytest.approx(start) for (_, end), (start, _) in itertools.pairwise(spans))
    assert spans[-1][1] == pytest.approx(speech.duration_s)
    assert speech.rate_hz == 22050


def test_sibilants_hiss_where_the_events_say(speech):
    """The share of energy above 4 kHz agrees best with the spans of s and z when these are not shifted."""
    hop, window = 110, 256
    frames = np.lib.stride_tricks.sliding_window_view(speech.waveform, window)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(window), axis=1)) ** 2
    share = power[:, int(4000 / (speech.rate_hz / window)):].sum(1) / (power.sum(1) + 1e-4)
    times = (np.arange(len(share)) * hop + window / 2) / speech.rate_hz
    spans = [(p.start_s, p.end_s) for p in speech.phonemes if p.ipa in ("s", "z")]
    lags = np.arange(-30, 31) * 0.005
    agreement = [np.corrcoef(share, [any(a <= t - lag < b for a, b in spans) for t in times])[0, 1] for lag in lags]
    assert abs(lags[int(np.argmax(agreement))]) <= 0.01
    assert max(agreement) > 0.7


def test_a_faster_voice_takes_less_time(speech):
    assert speak(TEXT, Voice("en-us+f3", 220, 50, 50), seed=7).duration_s < 0.9 * speech.duration_s


def test_an_unknown_voice_is_named():
    with pytest.raises(SpeechError, match="no voice 'xx-nowhere'"):
        speak(TEXT, Voice("xx-nowhere", 165, 50, 50), seed=7)

"""Tracks: silences, breaths, levels, and what a room adds."""

import itertools

import numpy as np
import pytest

from stages.corpora import room
from stages.corpora.speech import Phoneme, Speech
from stages.corpora.track import BREATH_DB, LEAD_S, LOUDNESS_RMS, MIN_DURATION_S, breath_noise, make_track
from stages.corpora.visemes import BREATH

RATE = 24000


def sentence(seconds: float, level: float) -> Speech:
    """A tone with a silence of 0.1 s on either side, said to be one vowel."""
    waveform = level * np.sin(2 * np.pi * 220 * np.arange(int(seconds * RATE)) / RATE)
    waveform[:RATE // 10] = waveform[-RATE // 10:] = 0
    return Speech(waveform.astype(np.float32), RATE, (
        Phoneme("", 0.0, 0.1), Phoneme("ɑ", 0.1, seconds - 0.1), Phoneme("", seconds - 0.1, seconds)))


@pytest.fixture(scope="module")
def tracks() -> list[Speech]:
    return [make_track([sentence(1.5, 0.02), sentence(2.0, 0.5)], np.random.default_rng(i)) for i in range(60)]


def test_phonemes_cover_the_track_and_no_two_pauses_meet(tracks):
    for track in tracks:
        assert track.phonemes[0].start_s == 0.0
        assert track.phonemes[-1].end_s == pytest.approx(track.duration_s)
        for one, after in itertools.pairwise(track.phonemes):
            assert after.start_s == pytest.approx(one.end_s) and (one.ipa or after.ipa)
        assert [phoneme.ipa for phoneme in track.phonemes if phoneme.ipa not in ("", BREATH)] == ["ɑ", "ɑ"]


def test_sentences_are_equally_loud_whatever_they_were(tracks):
    for track in tracks[:5]:
        for said, length in zip((p for p in track.phonemes if p.ipa == "ɑ"), (1.3, 1.8), strict=True):
            piece = track.waveform[round(said.start_s * RATE):round(said.end_s * RATE)].astype(float)
            assert np.sqrt(np.sum(piece**2) / ((length + 0.2) * RATE)) == pytest.approx(LOUDNESS_RMS, rel=1e-3)


def test_silences_are_short_mostly_and_long_sometimes(tracks):
    leads = [next(p for p in track.phonemes if p.ipa == "ɑ").start_s - 0.1 for track in tracks]
    assert min(leads) >= LEAD_S[0] and 0.05 < np.mean(np.array(leads) > 1.2) < 0.4
    gaps = [second.start_s - first.end_s for track in tracks
            for first, second in [[p for p in track.phonemes if p.ipa == "ɑ"]]]
    assert min(gaps) > 0.34 and max(gaps) < 3.3 and 0.15 < np.mean(np.array(gaps) > 1.5) < 0.5


def test_breaths_come_before_sentences_and_are_heard_softly(tracks):
    breaths = [(track, index) for track in tracks for index, p in enumerate(track.phonemes) if p.ipa == BREATH]
    assert 0.4 < len(breaths) / 120 < 0.75
    for track, index in breaths:
        breath, pause, after = track.phonemes[index:index + 3]
        assert pause.ipa == "" and after.ipa == "ɑ" and pause.end_s - pause.start_s == pytest.approx(0.05, abs=1e-6)
        piece = track.waveform[round(breath.start_s * RATE):round(breath.end_s * RATE)].astype(float)
        level_db = 20 * np.log10(np.sqrt(np.mean(piece**2)) / LOUDNESS_RMS)
        assert BREATH_DB[0] - 0.1 < level_db < BREATH_DB[1] + 0.1
    silent = [p for track in tracks for p in track.phonemes if not p.ipa]
    assert len(silent) > 120


def test_a_short_sentence_becomes_a_clip_that_preprocessing_keeps():
    track = make_track([sentence(0.8, 0.1)], np.random.default_rng(1))
    assert track.duration_s == pytest.approx(MIN_DURATION_S, abs=1e-3)


def test_the_same_seed_gives_the_same_track():
    first, again, other = (make_track([sentence(1.0, 0.1)], np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first.waveform, again.waveform) and first.phonemes == again.phonemes
    assert first.phonemes != other.phonemes


def test_a_breath_lies_in_its_band():
    noise = breath_noise(RATE, RATE, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(noise)) ** 2
    hz = np.fft.rfftfreq(RATE, 1 / RATE)
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(1.0)
    assert power[(hz > 250) & (hz < 7000)].sum() / power.sum() > 0.9


def test_a_recording_keeps_the_speech_and_adds_noise_below_it():
    voice = np.pad(sentence(2.0, 0.127).waveform, (RATE // 2, 0))
    heard = [room.record(voice, LOUDNESS_RMS, RATE, np.random.default_rng(seed)) for seed in range(60)]
    for one in heard:
        assert one.shape == voice.shape and one.dtype == np.float32 and np.abs(one).max() <= room.PEAK
        assert np.corrcoef(one, voice)[0, 1] > 0.5
    levels = [np.sqrt(np.mean(one[:RATE // 20] ** 2)) / LOUDNESS_RMS for one in heard]  # the first 50 ms are silent
    assert min(levels) == 0.0 and max(levels) < 10 ** ((room.MUSIC_DB[1] + room.GAIN_DB[1] + 12) / 20)
    assert np.array_equal(heard[3], room.record(voice, LOUDNESS_RMS, RATE, np.random.default_rng(3)))


@pytest.mark.parametrize(("slope", "fall_db"), [(0.0, 0.0), (1.0, -3.0), (2.0, -6.0)])
def test_noise_falls_by_its_colour_each_octave(slope, fall_db):
    power = np.abs(np.fft.rfft(room.coloured_noise(2**17, slope, np.random.default_rng(0)))) ** 2
    low, high = power[2000:4000].mean(), power[4000:8000].mean()
    assert 10 * np.log10(high / low) == pytest.approx(fall_db, abs=0.4)

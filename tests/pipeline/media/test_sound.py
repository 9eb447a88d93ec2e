"""Sound as it comes from the field: joined, damaged, with holes, silent tracks, channels that cancel each other."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from pipeline.animate.decoding import decode_speech
from pipeline.animate.speech import SpeechError, read_speech
from pipeline.media.container import MediaError, open_media
from pipeline.media.sound import Tally, choose_track, pieces, read_sound

RATE = 16000


def tone(seconds: float, rate: int, channels: int = 1, hz: float = 500.0) -> np.ndarray:
    """[C, N] float32."""
    wave = 0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)
    return np.repeat(wave[None], channels, axis=0).astype(np.float32)


def encoded(samples: np.ndarray, rate: int, codec: str, form: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=form) as out:
        out.mux(add_track(out, samples, rate, codec).encode(None))
    return file.getvalue()


def add_track(out, samples: np.ndarray, rate: int, codec: str, at: float = 0.0, stream=None):
    layout = "mono" if len(samples) == 1 else "stereo"
    stream = stream or out.add_stream(codec, rate=rate, layout=layout)
    for start in range(0, samples.shape[1], 1024):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[:, start:start + 1024]), "fltp", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, start + round(at * rate), Fraction(1, rate)
        for ready in av.AudioResampler(format=stream.codec_context.format.name).resample(frame):
            out.mux(stream.encode(ready))
    return stream


def mp3(rate: int, seconds: float = 2.0, channels: int = 1) -> bytes:
    return encoded(tone(seconds, rate, channels), rate, "libmp3lame", "mp3")


def adts(rate: int, seconds: float = 2.0, channels: int = 1) -> bytes:
    return encoded(tone(seconds, rate, channels), rate, "aac", "adts")


def heard_hz(wave: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    return float(spectrum.argmax() * RATE / len(wave))


@pytest.mark.parametrize("second", [24000, 44100, 48000])
@pytest.mark.parametrize("make", [mp3, adts])
@pytest.mark.parametrize("rises", [True, False])
def test_a_rate_that_changes_in_the_middle_gets_a_resampler_of_its_own(tmp_path, second, make, rises):
    """Two tones of 500 Hz, 2 s each, of different rates in one file: 500 Hz in both halves, 4 s together."""
    rates = (16000, second) if rises else (second, 16000)
    path = tmp_path / "a"
    path.write_bytes(b"".join(make(rate) for rate in rates))
    facts = decode_speech(path, tmp_path, 100.0, None, None)
    wave = np.fromfile(tmp_path / "waveform.f32", np.float32)
    film = np.fromfile(tmp_path / "film.s16", np.int16)
    assert abs(facts.samples / RATE - 4) < 0.25 and facts.samples == len(wave)   # encoders pad at both ends of a part
    if facts.has_film:
        assert abs(len(film) / facts.film_rate_hz - len(wave) / RATE) < 0.01
    for part in (wave[4000:28000], wave[-28000:-4000]):
        assert heard_hz(part) == pytest.approx(500, abs=3)
    assert len(read_sound(path, Fraction(0), 100.0, RATE, own_clock=True)) == pytest.approx(len(wave), abs=1200)


def test_mono_becomes_stereo_in_the_middle(tmp_path):
    (tmp_path / "a.aac").write_bytes(adts(48000) + adts(48000, channels=2))
    assert abs(read_speech(tmp_path / "a.aac").duration_s - 4) < 0.15


def _junk(data: bytes) -> bytes:
    return data[:len(data) // 2] + bytes(range(256)) * 12 + data[len(data) // 2:]


def _flipped(data: bytes) -> bytes:
    damaged = bytearray(data)
    for place in np.random.default_rng(0).integers(2000, len(data), 12):
        damaged[place] ^= 0xFF
    return bytes(damaged)


@pytest.mark.parametrize(("change", "expected_s"), [
    (lambda data: data + data, 6.0), (_junk, 3.0), (_flipped, 3.0), (lambda data: data[:-200], 3.0)])
def test_damaged_packets_are_skipped_and_said(tmp_path, change: Callable[[bytes], bytes], expected_s: float):
    (tmp_path / "a.mp3").write_bytes(change(mp3(44100, 3.0)))
    speech = read_speech(tmp_path / "a.mp3")
    assert abs(speech.duration_s - expected_s) < 0.25
    assert heard_hz(speech.waveform[4000:20000]) == pytest.approx(500, abs=3)


def _overwritten(share: float, folder: Path) -> Path:
    """MP3 in Matroska, that share of whose packets is overwritten."""
    path = folder / "a.mka"
    path.write_bytes(encoded(tone(4.0, 48000), 48000, "libmp3lame", "matroska"))
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as media:
        found = [bytes(packet) for packet in media.demux() if packet.size]
    for packet in found[1:1 + round(share * len(found))]:
        place = data.find(packet)
        data[place:place + len(packet)] = b"\xff" * len(packet)
    path.write_bytes(bytes(data))
    return path


def test_sound_of_which_most_is_damaged_is_refused(tmp_path):
    with pytest.raises(SpeechError, match=r"of 4\.. s of sound are damaged"):
        read_speech(_overwritten(0.7, tmp_path))
    with pytest.raises(MediaError, match="broken_sound"):
        read_sound(tmp_path / "a.mka", Fraction(0), 10.0, RATE, own_clock=True)
    speech = read_speech(_overwritten(0.1, tmp_path))
    assert abs(speech.duration_s - 4.0) < 0.1 and any("damaged" in note for note in speech.notes)


def test_a_hole_in_the_clock_is_silent_and_said(tmp_path):
    """1 s of tone, 0.3 s without packets, 1 s of tone."""
    with av.open(str(tmp_path / "a.mka"), "w") as out:
        stream = add_track(out, tone(1.024, RATE), RATE, "pcm_s16le")
        add_track(out, tone(1.024, RATE), RATE, "pcm_s16le", 1.324, stream)
    speech = read_speech(tmp_path / "a.mka")
    assert speech.duration_s == pytest.approx(2.348, abs=0.002)
    assert np.abs(speech.waveform[round(1.03 * RATE):round(1.31 * RATE)]).max() == 0
    assert speech.notes == (f"{tmp_path / 'a.mka'}: 0.30 s of missing sound are silent",)


def test_a_clock_that_jumps_away_says_nothing_about_the_sound(tmp_path):
    with av.open(str(tmp_path / "a.mka"), "w") as out:
        stream = add_track(out, tone(1.024, RATE), RATE, "pcm_s16le")
        add_track(out, tone(1.024, RATE), RATE, "pcm_s16le", 500.0, stream)
    assert read_speech(tmp_path / "a.mka").duration_s == pytest.approx(2.048)
    with pytest.raises(MediaError, match=r"no sound for 499\.0 s"):
        read_sound(tmp_path / "a.mka", Fraction(0), 1000.0, RATE, own_clock=True)


@pytest.mark.parametrize("second", [-1.0, -0.9, -1.1])
def test_of_channels_that_cancel_each_other_one_is_taken(tmp_path, second):
    wave = tone(2.0, 48000)
    soundfile.write(tmp_path / "a.flac", np.stack([wave[0], second * wave[0]], 1), 48000)
    speech = read_speech(tmp_path / "a.flac")
    assert np.abs(speech.waveform).max() == pytest.approx(0.5 * max(1, -second), abs=0.02)
    assert speech.film.shape[1] == 1 and "cancel" in speech.notes[0]
    heard = read_sound(tmp_path / "a.flac", Fraction(0), 10.0, RATE, own_clock=True)
    np.testing.assert_allclose(heard, speech.waveform, atol=1e-6)


@pytest.mark.parametrize(("channels", "voice"), [(3, 2), (10, 9), (16, 0), (32, 31)])
def test_of_channels_that_cannot_be_mixed_the_loudest_is_taken(tmp_path, channels, voice):
    """A recorder's: libswresample drops what has no place in a room, or takes none of it."""
    samples = np.zeros((2 * RATE, channels), np.float32)
    samples[:, voice] = tone(2.0, RATE)[0]
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    speech = read_speech(tmp_path / "a.wav")
    heard = read_sound(tmp_path / "a.wav", Fraction(0), 10.0, RATE, own_clock=True)
    np.testing.assert_allclose(heard, speech.waveform, atol=1e-6)
    if channels == 16 and voice == 0:   # its first channels are front left and right
        assert np.abs(heard).max() == pytest.approx(0.25, abs=0.01) and speech.notes == ()
    else:
        np.testing.assert_allclose(heard, samples[:, voice], atol=1e-4)
        assert f"channel {voice + 1}, the loudest" in speech.notes[0]


def test_channels_apart_are_kept(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([tone(1.0, RATE)[0], tone(1.0, RATE, hz=700)[0]], 1), RATE)
    speech = read_speech(tmp_path / "a.wav")
    assert speech.film.shape == (RATE, 2) and speech.notes == ()
    np.testing.assert_allclose(speech.waveform, speech.film.mean(1) / speech.film_one, atol=2e-4)


def tracks(path: Path, *waves: np.ndarray) -> Path:
    with av.open(str(path), "w") as out:
        streams = [out.add_stream("aac", rate=RATE, layout="mono") for _ in waves]
        for wave, stream in zip(waves, streams, strict=True):
            out.mux(add_track(out, wave, RATE, "aac", stream=stream).encode(None))
    return path


def test_the_track_that_is_heard_is_taken_or_the_one_that_is_named(tmp_path):
    silent, hum = 0 * tone(2.0, RATE), 0.01 * tone(2.0, RATE, hz=50)
    speech = read_speech(tracks(tmp_path / "a.mp4", silent, tone(2.0, RATE)))
    assert heard_hz(speech.waveform[4000:28000]) == pytest.approx(500, abs=3)
    assert speech.notes == (f"{tmp_path / 'a.mp4'} has 2 sound tracks; track 2 is taken",)
    assert choose_track(tracks(tmp_path / "b.mp4", hum, tone(2.0, RATE))).number == 2
    assert choose_track(tracks(tmp_path / "c.mp4", tone(2.0, RATE), tone(2.0, RATE, hz=700))).number == 1
    # music is louder, but somebody speaks in the third track
    both = tracks(tmp_path / "d.mp4", tone(2.0, RATE), silent, 0.2 * tone(2.0, RATE, hz=700))
    assert choose_track(both, None, lambda wave: float(abs(heard_hz(wave) - 700) < 20)).number == 3
    with pytest.raises(SpeechError, match="silent in track 1 of 2"):
        read_speech(tmp_path / "a.mp4", track=1)
    with pytest.raises(SpeechError, match="has 2 sound tracks, and track 3 was asked for"):
        read_speech(tmp_path / "a.mp4", track=3)
    heard = read_sound(tmp_path / "a.mp4", Fraction(0), 10.0, RATE, own_clock=False)
    assert heard_hz(heard[4000:28000]) == pytest.approx(500, abs=3)


def test_a_codec_that_nobody_knows(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(tracks(path, tone(1.0, RATE)).read_bytes().replace(b"mp4a", b"zzzz").replace(b"esds", b"zsds"))
    with pytest.raises(SpeechError, match="of a kind that cannot be decoded"):
        read_speech(path)


@pytest.mark.parametrize(("codec", "form"), [("libopus", "ogg"), ("flac", "flac")])
def test_a_clock_that_begins_anew_in_a_joined_file(tmp_path, codec, form):
    """Two tones of 3 s, one file after the other, each with its own clock."""
    parts = [encoded(tone(3.0, 48000, hz=hz), 48000, codec, form) for hz in (500, 700)]
    (tmp_path / "a").write_bytes(b"".join(parts))
    for wave in (read_speech(tmp_path / "a").waveform, read_sound(tmp_path / "a", Fraction(0), 100.0, RATE, True)):
        assert len(wave) / RATE == pytest.approx(6.0, abs=0.1)
        assert (round(heard_hz(wave[4000:44000]), -1), round(heard_hz(wave[-44000:-4000]), -1)) == (500, 700)


def test_a_file_that_ends_before_its_header_says_is_named(tmp_path):
    soundfile.write(tmp_path / "a.aiff", tone(3.0, RATE)[0], RATE)
    (tmp_path / "b.aiff").write_bytes((tmp_path / "a.aiff").read_bytes()[:2 * 2 * RATE])
    assert read_speech(tmp_path / "a.aiff").notes == ()
    assert read_speech(tmp_path / "b.aiff").notes == (
        f"{tmp_path / 'b.aiff'}: its header says 3.00 s of sound, 2.00 s are there",)


def test_what_is_read_is_counted(tmp_path):
    (tmp_path / "a.mp3").write_bytes(mp3(44100, 3.0) * 2)
    tally = Tally()
    with open_media(tmp_path / "a.mp3") as container:
        given = list(pieces(container, choose_track(tmp_path / "a.mp3"), tally))
    length_s = sum(piece.samples.shape[1] / piece.rate_hz for piece in given)
    assert tally.decoded_s == pytest.approx(length_s)

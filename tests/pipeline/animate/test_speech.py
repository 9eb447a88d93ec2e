from __future__ import annotations

import io

import av
import numpy as np
import pytest
import soundfile

from pipeline.animate.speech import SpeechError, read_speech
from pipeline.media.film import write_video


def sound(rate_hz: int, seconds: float, channels: int = 1, kind: str = "WAV", tone_hz: float = 440.0) -> bytes:
    wave = 0.5 * np.sin(2 * np.pi * tone_hz * np.arange(int(rate_hz * seconds)) / rate_hz)
    file = io.BytesIO()
    soundfile.write(file, np.repeat(wave[:, None], channels, axis=1), rate_hz, format=kind)
    return file.getvalue()


@pytest.mark.parametrize(("rate_hz", "channels", "kind"),
                         [(8000, 1, "WAV"), (16000, 1, "FLAC"), (44100, 2, "WAV"), (48000, 6, "WAV"),
                          (44100, 2, "MP3")])
def test_any_sound_becomes_16_khz_mono(rate_hz, channels, kind):
    wave = read_speech(sound(rate_hz, 1.5, channels, kind)).waveform
    assert wave.dtype == np.float32
    assert abs(len(wave) - 24000) < (1200 if kind == "MP3" else 3)
    spectrum = np.abs(np.fft.rfft(wave[4000:20000] * np.hanning(16000)))
    assert spectrum.argmax() == 440


def test_the_sound_of_a_video(tmp_path):
    wave = read_speech(sound(16000, 1.0)).waveform
    write_video(tmp_path / "v.mp4", [np.zeros((64, 64, 3), np.uint8)] * 25, 25, wave)
    again = read_speech(tmp_path / "v.mp4").waveform
    assert abs(len(again) - 16000) <= 1024
    write_video(tmp_path / "dumb.mp4", [np.zeros((64, 64, 3), np.uint8)] * 25, 25)
    with pytest.raises(SpeechError, match="no sound track"):
        read_speech(tmp_path / "dumb.mp4")


def test_arrays():
    np.testing.assert_allclose(read_speech(np.full(16000, 16384, np.int16)).waveform, 0.5)
    with pytest.raises(SpeechError, match="mono"):
        read_speech(np.zeros((2, 16000), np.float32))
    with pytest.raises(SpeechError, match="no numbers"):
        read_speech(np.full(16000, np.nan, np.float32))


def test_refusals(tmp_path):
    with pytest.raises(SpeechError, match="silent"):
        read_speech(np.zeros(16000, np.float32))
    with pytest.raises(SpeechError, match=r"0\.10 s"):
        read_speech(sound(16000, 0.1))
    with pytest.raises(SpeechError, match="not sound"):
        read_speech(b"no sound at all" * 100)


def test_a_playlist_opens_nothing_else(tmp_path):
    """HLS and concat files name other files; both are refused by format."""
    target = tmp_path / "secret.wav"
    target.write_bytes(sound(16000, 1.0))
    hls = tmp_path / "list.wav"
    hls.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n")
    concat = tmp_path / "concat.wav"
    concat.write_text(f"ffconcat version 1.0\nfile {target}\n")
    for path in (hls, concat):
        with pytest.raises(SpeechError, match="not sound"):
            read_speech(path)


def test_damaged_sound_is_an_error_of_ours():
    data = sound(44100, 1.0, kind="FLAC")
    try:
        wave = read_speech(data[: len(data) // 2]).waveform
    except SpeechError:
        return
    assert len(wave) < 16000 and av.__version__


@pytest.mark.parametrize("gain", [0.01, 0.5, 4.0, 20.0])
def test_floats_beyond_one_are_scaled_not_cut(gain):
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    read = read_speech((gain * wave).astype(np.float32)).waveform
    np.testing.assert_allclose(read, wave * min(gain, 2.0), atol=1e-6)
    assert not read.flags.writeable

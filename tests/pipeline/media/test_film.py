"""Films that we write: sound to the sample, colours, order in the file, what players need."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.media.film import write_sound, write_video
from pipeline.media.video import EXACT, Colours, Upright, colours_of

RATE = 16000


def clicks(seconds: float) -> np.ndarray:
    """Short noise bursts at random times: their place in a decoded file is clear to the sample."""
    random = np.random.default_rng(1)
    wave = np.zeros(int(seconds * RATE), np.float32)
    for start in random.integers(0, len(wave) - 800, 12):
        wave[start:start + 800] = 0.5 * np.convolve(random.standard_normal(800), np.ones(4) / 4, "same")
    return np.clip(wave, -1, 1)


def decoded_sound(path: Path) -> tuple[np.ndarray, int]:
    """Samples as a player hears them, and the time of the first one in samples."""
    with av.open(str(path)) as media:
        frames = list(media.decode(audio=0))
        return np.concatenate([frame.to_ndarray()[0] for frame in frames]), round(frames[0].time * RATE)


def shift_samples(reference: np.ndarray, found: np.ndarray) -> int:
    size = 1 << (len(reference) + len(found)).bit_length()
    product = np.fft.irfft(np.fft.rfft(found, size) * np.conj(np.fft.rfft(reference, size)), size)
    best = int(product.argmax())
    return best if best < size // 2 else best - size


@pytest.mark.parametrize("seconds", [0.99, 4.0, 11.3])
def test_sound_starts_on_the_sample_and_picture_at_zero(tmp_path, seconds):
    wave = clicks(seconds)
    frames = round(seconds * 25)
    write_video(tmp_path / "a.mp4", (np.zeros((64, 64, 3), np.uint8) for _ in range(frames)), 25, wave)
    found, start = decoded_sound(tmp_path / "a.mp4")
    assert start + shift_samples(wave, found) == 0
    with av.open(str(tmp_path / "a.mp4")) as media:
        pictures = [frame.time for frame in media.decode(video=0)]
    np.testing.assert_allclose(pictures, np.arange(frames) / 25, atol=1e-6)


def test_a_sound_file_starts_on_the_sample(tmp_path):
    wave = clicks(2.0)
    write_sound(tmp_path / "a.m4a", wave, RATE)
    found, start = decoded_sound(tmp_path / "a.m4a")
    assert start + shift_samples(wave, found) == 0


def test_players_find_sound_beside_its_picture_and_the_index_first(tmp_path):
    """Interleaved within a second, so that a film plays while it loads."""
    write_video(tmp_path / "a.mp4", (np.random.default_rng(i).integers(0, 255, (64, 64, 3), np.uint8)
                                     for i in range(250)), 25, clicks(10.0))
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")
    with av.open(str(tmp_path / "a.mp4")) as media:
        places = [(packet.pos, float(packet.dts * packet.time_base), packet.stream.type)
                  for packet in media.demux() if packet.dts is not None and packet.pos]
    latest = {"video": 0.0, "audio": 0.0}
    for _, time_s, kind in sorted(places):
        latest[kind] = max(latest[kind], time_s)
        assert abs(latest["video"] - latest["audio"]) < 2.5  # the encoder itself looks ahead by two seconds


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (128, 128, 128), (0, 0, 0)])
def test_colours_are_bt709_in_limited_range_and_say_so(tmp_path, colour):
    """BT.709: Y = 16 + 219 (0.2126 R + 0.7152 G + 0.0722 B); tags 1, 1, 1 and range 1 (limited)."""
    write_video(tmp_path / "a.mp4", [np.full((64, 64, 3), colour, np.uint8)] * 3, 25, crf=1)
    with av.open(str(tmp_path / "a.mp4")) as media:
        context = media.streams.video[0].codec_context
        frame = next(media.decode(video=0))
        assert (context.pix_fmt, context.name) == ("yuv420p", "h264")
        assert (frame.color_range, frame.colorspace, context.color_trc, context.color_primaries) == (1, 1, 1, 1)
        luma = frame.to_ndarray()[:64, :64]
    assert abs(luma.mean() - (16 + 219 * np.dot(colour, [0.2126, 0.7152, 0.0722]) / 255)) <= 1.5


def test_a_film_may_keep_the_colours_of_another_one(tmp_path):
    """BT.601: Y = 16 + 219 (0.299 R + 0.587 G + 0.114 B), matrix 6; what the other film does not say stays unsaid."""
    write_video(tmp_path / "a.mp4", [np.full((64, 64, 3), (0, 0, 255), np.uint8)] * 3, 25, crf=1,
                colours=Colours(6, 2, 1))
    with av.open(str(tmp_path / "a.mp4")) as media:
        frame = next(media.decode(video=0))
        assert colours_of(frame) == Colours(6, 2, 1) and int(frame.colorspace) == 6
        assert abs(frame.to_ndarray()[:64, :64].mean() - (16 + 219 * 0.114)) <= 1.5
        assert np.abs(Upright(media.streams.video[0])(frame, interpolation=EXACT) - [0.0, 0, 255]).mean() <= 2


def test_without_a_frame_nothing_is_left(tmp_path):
    with pytest.raises(ValueError, match="no frame"):
        write_video(tmp_path / "a.mp4", iter(()), 25)
    assert not list(tmp_path.iterdir())


def test_a_finish_that_fails_leaves_nothing(tmp_path):
    def fail(path: Path) -> None:
        assert path.stat().st_size > 0
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        write_video(tmp_path / "a.mp4", [np.zeros((64, 64, 3), np.uint8)], 25, finish=fail)
    assert not list(tmp_path.iterdir())

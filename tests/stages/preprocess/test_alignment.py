"""Flashes and clicks at the same moments of a file stay together to its end: pictures lie within half an output frame
(20 ms) of their time, whatever the source's rate; sound within two samples, a millisecond where the container rounds.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from models.face.driving_crop import Square
from pipeline.media.sound import read_sound
from pipeline.media.video import Limits, probe, steady
from stages.preprocess.cropping import crop_frames
from tests.stages.preprocess.makers import TICKS, clicks, flash_times, flashes, irregular, regular, write, write_sound

LIMITS = Limits(4320, 14400.0)
HALF_FRAME_S = 0.02 + 1 / TICKS   # the container's clock rounds
SOUND_S = 2 / 16000   # an onset is seen up to two samples late
ROUNDED_S = 0.001     # Matroska and edit lists round times to milliseconds


def onsets(levels: np.ndarray, threshold: float, hold: int) -> list[int]:
    """Indices where the level rises over the threshold after `hold` quiet ones."""
    loud = levels > threshold
    return [i for i in np.flatnonzero(loud) if not loud[max(0, i - hold):i].any()]


def measured(path: Path, seconds: float, sound: Path | None = None) -> tuple[list[float], list[float]]:
    """(flash times, click times) in the crop of a file, in s."""
    found = probe(path, LIMITS)
    zero = found.start_s if sound is None else Fraction(0)
    waveform = read_sound(sound or path, zero, seconds, 16000, own_clock=sound is not None)
    square = Square(found.width_px / 2, found.height_px / 2, 32)
    frames = crop_frames(path, found.start_s, 25, 0, int(seconds * 25), square, 16)
    light = np.array([frame.mean() for frame in frames])
    return [i / 25 for i in onsets(light, 128, 2)], [i / 16000 for i in onsets(np.abs(waveform), 0.2, 800)]


def check(path: Path, at: list[Fraction], seconds: float, sound: Path | None = None,
          sound_s: float = SOUND_S) -> None:
    flashed, clicked = measured(path, seconds, sound)
    assert len(flashed) == len(clicked) == len(at)
    true = np.array([float(t) for t in at])
    assert np.abs(np.array(clicked) - true).max() <= sound_s
    assert np.abs(np.array(flashed) - true).max() <= HALF_FRAME_S


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), 24, 25, Fraction(30000, 1001), 30, 50, 60, 15,
                                 Fraction(65521, 2184)])   # the last one is MEAD's
def test_constant_rates(tmp_path, fps):
    times = regular(fps, 6)
    at = flash_times(times)
    check(write(tmp_path / "a.mp4", flashes(times, at), times, clicks(at, 6, 48000)), at, 6)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_variable_rate(tmp_path, suffix):
    times = irregular(6)
    at = flash_times(times)
    check(write(tmp_path / f"a.{suffix}", flashes(times, at), times, clicks(at, 6, 44100), rate=44100), at, 6)


def test_long_file_does_not_drift(tmp_path):
    times = regular(Fraction(30000, 1001), 120)
    at = flash_times(times, 9)
    pictures = flashes(times, at, (32, 32))
    check(write(tmp_path / "a.mp4", pictures, times, clicks(at, 120, 16000), rate=16000, keys=250), at, 120)


@pytest.mark.parametrize("suffix", ["mp4", "ts", "mkv"])
def test_sound_that_begins_later(tmp_path, suffix):
    times = regular(30, 6)
    at = flash_times(times)
    late = Fraction(1, 4)
    sound = clicks([t - late for t in at], 5.75, 48000)
    check(write(tmp_path / f"a.{suffix}", flashes(times, at), times, sound, sound_start=late), at, 6,
          sound_s=ROUNDED_S)


@pytest.mark.parametrize("suffix", ["mp4", "ts", "mkv"])
def test_picture_that_begins_later(tmp_path, suffix):
    late = Fraction(1, 2)
    times = [t + late for t in regular(25, 6)]
    at = flash_times(times)
    path = write(tmp_path / f"a.{suffix}", flashes(times, at), times, clicks(at, 6.5, 48000))
    check(path, [t - late for t in at], 6, sound_s=ROUNDED_S)


def test_separate_sound_file(tmp_path):
    times = regular(30, 6)
    at = flash_times(times)
    video = write(tmp_path / "a.mp4", flashes(times, at), times)
    check(video, at, 6, write_sound(tmp_path / "a.m4a", clicks(at, 6, 48000), format="mp4"))
    check(video, at, 6, write_sound(tmp_path / "a.wav", clicks(at, 6, 16000), rate=16000, codec="pcm_s16le"))


def cut_without_encoding(source: Path, target: Path, at: Fraction, **options: str) -> None:
    """What `ffmpeg -ss AT -c copy` leaves: packets from the key frame before, with times before zero."""
    with av.open(str(source)) as whole, av.open(str(target), "w", options=options) as out:
        streams = {s.index: out.add_stream_from_template(s) for s in whole.streams}
        packets = [p for p in whole.demux() if p.dts is not None]
        key = max(p.pts * p.time_base for p in packets if p.is_keyframe and p.stream.type == "video"
                  and p.pts * p.time_base <= at)
        for packet in packets:
            if packet.pts * packet.time_base >= (key if packet.stream.type == "video" else at):
                shift = round(at / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = streams[packet.stream.index]
                out.mux(packet)


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_a_file_cut_without_encoding_begins_before_zero(tmp_path, suffix):
    """The leading pictures, which only the decoder needs, are left out: by an edit list and by time."""
    times = regular(25, 10)
    at = flash_times(times, 7)
    whole = write(tmp_path / f"whole.{suffix}", flashes(times, at), times, clicks(at, 10, 48000), keys=50,
                  sound_codec="aac" if suffix == "mp4" else "pcm_s16le")
    begin = Fraction(27, 10)                 # the key frame before lies at 2 s
    cut_without_encoding(whole, tmp_path / f"cut.{suffix}", begin, avoid_negative_ts="disabled")
    with av.open(str(tmp_path / f"cut.{suffix}")) as container:
        leading = [p.pts for p in container.demux(video=0) if p.pts is not None and p.pts < 0]
    assert leading
    inside = [t - begin for t in at if t > begin]
    check(tmp_path / f"cut.{suffix}", inside, 7, sound_s=ROUNDED_S)


def test_an_edit_list_that_skips_the_beginning(tmp_path):
    """A delay of the muxer's own making, too: B frames begin after zero by decoding time, the list takes that off."""
    times = regular(30, 5)
    at = flash_times(times)
    path = write(tmp_path / "a.mp4", flashes(times, at), times, clicks(at, 5, 48000),
                 encoder={"bf": "2", "preset": "medium"})
    assert b"elst" in path.read_bytes()
    check(path, at, 5)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_turned_pictures_keep_their_time(tmp_path, rotation):
    times = regular(Fraction(24000, 1001), 4)
    at = flash_times(times, 3)
    check(write(tmp_path / "a.mp4", flashes(times, at), times, clicks(at, 4, 48000), rotation=rotation), at, 4)


def test_a_separate_sound_file_of_a_video_that_begins_later(tmp_path):
    """The two files' own beginnings are one moment (MEAD's m4a)."""
    late = Fraction(1, 2)
    times = [t + late for t in regular(30, 5)]
    at = flash_times(times, 3)
    video = write(tmp_path / "a.ts", flashes(times, at), times)
    found = probe(video, LIMITS)
    zero = found.start_s - found.container_s
    waveform = read_sound(write_sound(tmp_path / "a.m4a", clicks([t - late for t in at], 5, 48000), format="mp4"), zero,
                          5.0, 16000, own_clock=True)
    heard = np.array(onsets(np.abs(waveform), 0.2, 800)) / 16000
    assert np.abs(heard - [float(t - late) for t in at]).max() <= SOUND_S


@pytest.mark.nightly
@pytest.mark.parametrize(("fps", "suffix"), [(Fraction(30000, 1001), "mp4"), (Fraction(24000, 1001), "mp4"),
                                             (50, "mkv")])
def test_thirty_minutes_do_not_drift(tmp_path, fps, suffix):
    seconds = 1800
    times = regular(fps, seconds)
    at = flash_times(times, 31)
    path = write(tmp_path / f"a.{suffix}", flashes(times, at, (32, 32)), times, clicks(at, seconds, 44100), rate=44100,
                 keys=250)
    check(path, at, seconds, sound_s=ROUNDED_S)


def test_a_piece_in_the_middle_is_the_same_with_and_without_seeking(tmp_path):
    times = irregular(20, seed=3)
    shades = [np.full((32, 32, 3), 20 + i % 200, np.uint8) for i in range(len(times))]
    path = write(tmp_path / "a.mp4", shades, times, keys=40)
    square = Square(16, 16, 32)
    every = list(crop_frames(path, Fraction(0), 25, 0, 480, square, 16))
    piece = list(crop_frames(path, Fraction(0), 25, 300, 400, square, 16))  # 12 s in: reached by seeking
    assert len(piece) == 100
    assert all((a == b).all() for a, b in zip(every[300:400], piece, strict=True))


def test_steady_by_hand():
    at_30_fps = [(Fraction(i, 30), i) for i in range(7)]
    # output i shows the last picture before (i + 1/2) / 25 s: 0.02, 0.06, 0.1, 0.14, 0.18, 0.22
    assert list(steady(at_30_fps, 25)) == [(0, 0), (1, 1), (2, 2), (3, 4), (4, 5), (5, 6)]
    assert list(steady([(Fraction(i, 50), i) for i in range(6)], 25)) == [(0, 0), (1, 2), (2, 4), (3, 5)]


def test_steady_repeats_what_is_shown_over_a_hole_and_before_the_first_picture():
    assert list(steady([(Fraction(0), "a"), (Fraction(1, 5), "b")], 25))[-2:] == [(4, "a"), (5, "b")]
    late = list(steady([(Fraction(1, 10), "a"), (Fraction(1, 5), "b")], 25))
    assert late[:2] == [(0, "a"), (1, "a")]


def test_steady_from_a_later_frame_agrees():
    pictures = [(t, i) for i, t in enumerate(irregular(10, seed=5))]
    every = dict(steady(pictures, 25))
    tail = dict(steady([p for p in pictures if p[0] > 4], 25, first=130))
    assert all(every[i] == shown for i, shown in tail.items())

"""Broken, odd and hostile files: each ends as a row with the right code, or is read right."""

from __future__ import annotations

import random
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile

from models.face.face import Face
from pipeline.media.crops import read_crop, read_wav
from tests.stages.preprocess.fakes import task, worker
from tests.stages.preprocess.makers import clicks, irregular, regular, write, write_sound

pytestmark = pytest.mark.processes

SECONDS = 4
SOUND = clicks([Fraction(i, 2) for i in range(2 * SECONDS)], SECONDS, 48000)


def pictures(times, size=(96, 72), seed=0):
    """A textured picture that drifts: no two frames are alike, no cut is seen."""
    noise = np.random.default_rng(seed).integers(60, 190, (size[1] + 8, size[0] + 8, 3)).astype(np.uint8)
    return [np.ascontiguousarray(noise[i % 8:i % 8 + size[1], i % 8:i % 8 + size[0]]) for i in range(len(times))]


def clip(path, times=None, size=(96, 72), sound=SOUND, **more):
    times = regular(25, SECONDS) if times is None else times
    return write(path, pictures(times, size), times, sound, **more)


def run(project, path, tmp_path, audio=None, **changes):
    folder = tmp_path / "out"
    folder.mkdir()
    return worker(project, **changes)(task(path, folder, audio)), folder


def reason(answer):
    reject = vars(answer.reject) if answer.reject else answer.pieces[0].get("reject")
    return reject and f"{reject['stage']}/{reject['code']}"


def whole(path):
    return clip(path, options={"movflags": "faststart"})


def _bytes(data):
    return lambda path: path.write_bytes(data)


def _cut(share):
    def make(path):
        data = whole(path).read_bytes()
        path.write_bytes(data[:int(len(data) * share)])
    return make


def _no_index(path):
    data = clip(path).read_bytes()          # the index comes last
    path.write_bytes(data[:len(data) // 2])


def _flipped(path):
    data = bytearray(whole(path).read_bytes())
    dice = random.Random(1)
    for _ in range(400):
        data[dice.randrange(len(data) // 3, len(data))] ^= 1 << dice.randrange(8)
    path.write_bytes(data)


def _picture(path):
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as out:
        stream = out.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 96, 72, "rgb24"
        frame = av.VideoFrame.from_ndarray(pictures([0])[0], format="rgb24")
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)


def _sound_only(path):
    write_sound(path, SOUND, format="mp4")


def _short_matroska(path):
    data = clip(path.with_name("a.mkv")).read_bytes()   # no index is needed to read it: what is there decodes well
    path.write_bytes(data[:int(len(data) * 0.5)])


def _two_sizes(path):
    first, second = path.with_name("a.ts"), path.with_name("b.ts")
    clip(first)
    late = [t + SECONDS for t in regular(25, SECONDS)]
    clip(second, late, size=(128, 96), sound_start=Fraction(SECONDS))
    path.write_bytes(first.read_bytes() + second.read_bytes())


def _hole(path):
    times = regular(25, 2)
    clip(path, [*times, *(t + 7 for t in times)])


def _far(path):
    times = regular(25, SECONDS)
    clip(path, [*times[:-1], Fraction(20000)])


BROKEN = {
    "empty": (_bytes(b""), "probe/empty_file"),
    "text": (_bytes(b"<html>404 Not Found</html>" * 50), "probe/unreadable"),
    "random bytes": (_bytes(random.Random(0).randbytes(5000)), "probe/unreadable"),
    "zeros": (_bytes(bytes(5000)), "probe/unreadable"),
    "header alone": (_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"), "probe/unreadable"),
    "header and garbage": (_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + random.Random(0).randbytes(5000)),
                           "probe/unreadable"),
    "playlist": (_bytes(b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"),
                 "probe/unreadable"),
    "concat script": (_bytes(b"ffconcat version 1.0\nfile '/etc/passwd'\n"), "probe/unreadable"),
    "session description": (_bytes(b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n"),
                            "probe/unreadable"),
    "picture named mp4": (_picture, "probe/unreadable"),
    "zip named mp4": (_bytes(b"PK\x03\x04" + bytes(2000)), "probe/unreadable"),
    "index missing": (_no_index, "probe/unreadable"),
    "cut at 42 %": (_cut(0.42), "decode/broken_media"),
    "cut at 97 %": (_cut(0.97), "decode/broken_media"),
    "bits flipped": (_flipped, "decode/broken_media"),
    "sound alone": (_sound_only, "probe/no_video"),
    "no sound": (lambda path: clip(path, sound=None), "probe/no_sound"),
    "one frame": (lambda path: clip(path, regular(25, 0.04)), "decode/too_short"),
    "short": (lambda path: clip(path, regular(25, 2.9)), "decode/too_short"),
    "2x2": (lambda path: clip(path, size=(2, 2)), "probe/too_small"),
    "16x500": (lambda path: clip(path, size=(16, 500)), "probe/too_small"),
    "8K": (lambda path: clip(path, regular(25, 0.12), size=(7680, 4320)), "probe/too_large"),
    "matroska cut at half": (_short_matroska, "decode/truncated"),
    "far frame": (_far, "probe/too_long"),
    "hole in time": (_hole, "decode/timestamps"),
    "size changes": (_two_sizes, "decode/size_change"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files_are_rejected_with_their_reason(project, tmp_path, kind):
    make, expected = BROKEN[kind]
    path = tmp_path / "clip.mp4"
    make(path)
    answer, folder = run(project, path, tmp_path)
    assert reason(answer) == expected
    assert not list(folder.glob("*.mp4")) and not list(folder.glob("*.wav"))


def test_digital_silence_is_measured(project, tmp_path):
    answer, folder = run(project, clip(tmp_path / "a.mp4", sound=0 * SOUND), tmp_path)
    [piece] = answer.pieces
    assert piece["speech_share"] == 0.0 and piece["blur"] > 0 and piece["inside_share"] == 1.0
    # cut out all the same: a lower threshold needs no second decoding
    assert sorted(path.suffix for path in folder.iterdir()) == [".jpg", ".mp4", ".wav"]


def kept(project, path, tmp_path, audio=None):
    answer, folder = run(project, path, tmp_path, audio)
    assert answer.reject is None
    [piece] = answer.pieces
    crop, speech = read_crop(folder / f"{piece['clip_id']}.mp4"), read_wav(folder / f"{piece['clip_id']}.wav")
    assert crop.shape == (piece["frames"], 256, 256, 3)
    assert len(speech) == 640 * piece["frames"]
    return answer, piece, crop, speech


ODD = {
    "mkv": ("a.mkv", {}),
    "webm": ("a.webm", {"codec": "libvpx", "sound_codec": "libopus"}),
    "avi": ("a.avi", {"codec": "mpeg4", "sound_codec": "mp3", "ticks": 25}),
    "mov": ("a.mov", {}),
    "transport stream": ("a.ts", {}),
    "clock from 1000 s on": ("a.mkv", {"times": [t + 1000 for t in regular(25, SECONDS)],
                                       "sound_start": Fraction(1000)}),
    "10 bit": ("a.mkv", {"codec": "ffv1", "pix_fmt": "yuv420p10le"}),
    "4:4:4": ("a.mkv", {"codec": "ffv1", "pix_fmt": "yuv444p"}),
    "wrong extension": ("a.avi.mp4", {}),
    "unicode": ("ключ-鍵-🗝.mp4", {}),
    "spaces": ("a  b .mp4", {}),
    "leading dash": ("-i.mp4", {}),
    "percent": ("%03d.mp4", {}),
    "line break": ("a\nb.mp4", {}),
    "protocol in the name": ("http:a.mp4", {}),
    "8 kHz": ("a.mkv", {"rate": 8000, "sound": clicks([Fraction(1)], SECONDS, 8000)}),
    "96 kHz": ("a.mp4", {"rate": 96000, "sound": clicks([Fraction(1)], SECONDS, 96000)}),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_files_are_read(project, tmp_path, kind):
    name, more = ODD[kind]
    # a suffix of its own for the muxer, then the name under test
    path = clip(tmp_path / f"made{name[name.rindex('.'):]}", **more)
    path = path.rename(tmp_path / name)
    _, piece, _, _ = kept(project, path, tmp_path)
    assert abs(piece["frames"] - 25 * SECONDS) <= 2


def test_odd_sides(project, tmp_path):
    answer, *_ = kept(project, clip(tmp_path / "a.mkv", size=(97, 73), codec="ffv1", pix_fmt="yuv444p"), tmp_path)
    assert (answer.source["source_width_px"], answer.source["source_height_px"]) == (97, 73)


def test_sound_and_picture_of_different_length(project, tmp_path):
    long = np.concatenate([SOUND, SOUND])
    assert kept(project, clip(tmp_path / "a.mp4", sound=long), tmp_path)[1]["frames"] == 25 * SECONDS


def test_sound_that_ends_early_ends_the_clip(project, tmp_path):
    path = clip(tmp_path / "a.mkv", sound=SOUND[:int(3.4 * 48000)], sound_codec="pcm_s16le")
    piece = kept(project, path, tmp_path)[1]
    assert piece["frames"] == int((3.4 + 0.1) * 25)


def test_sound_file_with_numbers_that_are_none(project, tmp_path):
    sound = np.full(SECONDS * 16000, np.nan, np.float32)
    soundfile.write(tmp_path / "a.wav", sound, 16000, subtype="FLOAT")
    answer, _ = run(project, clip(tmp_path / "a.mp4", sound=None), tmp_path, tmp_path / "a.wav")
    assert reason(answer) == "decode/broken_sound"
    assert answer.reject.value == 1.0


def test_sound_file_that_is_none(project, tmp_path):
    (tmp_path / "a.wav").write_text("not sound")
    answer, _ = run(project, clip(tmp_path / "a.mp4", sound=None), tmp_path, tmp_path / "a.wav")
    assert reason(answer) == "probe/unreadable"


def test_damaged_sound_is_skipped_and_counted(project, tmp_path):
    """A sound file beside the picture of which some MP3 packets are overwritten."""
    noise = np.random.default_rng(0).normal(0, 0.1, SOUND.shape).astype(np.float32)
    path = write_sound(tmp_path / "a.mka", noise, codec="libmp3lame")
    with av.open(str(path)) as media:
        packets = [bytes(packet) for packet in media.demux() if packet.size]
    data = path.read_bytes()
    for packet in packets[40:44]:
        data = data.replace(packet, b"\xff" * len(packet))
    path.write_bytes(data)
    answer, *_ = kept(project, clip(tmp_path / "a.mp4", sound=None), tmp_path, path)
    assert 0.04 < answer.source["sound_damaged_s"] < 0.5 and answer.source["sound_missing_s"] < 0.05


def test_rotation_is_applied(project, tmp_path):
    """A picture stored lying with its left half white, to be shown turned a quarter counter-clockwise."""
    stored = np.zeros((72, 96, 3), np.uint8)
    stored[:, :48] = 235
    times = regular(25, SECONDS)
    path = write(tmp_path / "a.mp4", [stored] * len(times), times, SOUND, rotation=90)
    answer, _, crop, _ = kept(project, path, tmp_path)
    assert (answer.source["source_width_px"], answer.source["source_height_px"]) == (72, 96)
    middle = crop[50].mean(axis=2)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).rotation == 90
    assert middle[-20:].mean() > 200 and middle[:20].mean() < 60   # what was left is below now


def test_pixels_that_are_not_square(project, tmp_path):
    answer, *_ = kept(project, clip(tmp_path / "a.mp4", aspect=Fraction(2)), tmp_path)
    assert answer.source["source_width_px"] == 192


@pytest.mark.parametrize(("size", "expected"), [((96, 72), 601), ((1280, 720), 709)])
def test_untagged_colours_follow_the_height(tmp_path, size, expected):
    from pipeline.media.container import open_media
    from pipeline.media.video import Upright, timed_frames, video_stream

    red = np.zeros((size[1], size[0], 3), np.uint8)
    red[..., 0] = 200
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        frame = av.VideoFrame.from_ndarray(red, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=f"ITU{expected}")
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    with open_media(path) as container:
        stream = video_stream(container)
        _, frame = next(timed_frames(container, stream))
        assert np.abs(Upright(stream)(frame).mean((0, 1)) - [200, 0, 0]).max() < 6


def test_a_cut_makes_two_pieces(project, tmp_path):
    times = regular(25, 8)
    dark, light = (pictures(times, seed=s) for s in (1, 2))
    both = [p // 3 for p in dark[:100]] + [p // 2 + 125 for p in light[100:]]
    sound = np.concatenate([SOUND, SOUND])
    answer, _ = run(project, write(tmp_path / "a.mp4", both, times, sound), tmp_path)
    assert [(p["start_s"], p["end_s"]) for p in answer.pieces] == [(0.0, 4.0), (4.0, 8.0)]


def test_a_long_shot_is_cut_evenly(project, tmp_path):
    times = regular(25, 8)
    path = write(tmp_path / "a.mp4", pictures(times), times, np.concatenate([SOUND, SOUND]))
    answer, folder = run(project, path, tmp_path, max_duration_s=3.5, min_duration_s=2.0)
    assert [p["frames"] for p in answer.pieces] == [66, 67, 67]
    assert len(list(folder.glob("*.mp4"))) == 3


def test_a_span_of_a_longer_file(project, tmp_path):
    """A span counts from the file's own start and gives what the same seconds of the whole give."""
    times = irregular(20, seed=2)
    shades = [np.full((72, 96, 3), 20 + i // 2, np.uint8) for i in range(len(times))]
    path = write(tmp_path / "a.mp4", shades, times, clicks([Fraction(13)], 20, 48000), keys=30)
    (tmp_path / "out").mkdir()
    answer = worker(project)(task(path, tmp_path / "out", start_s=11.0, end_s=15.0))
    [piece] = answer.pieces
    assert (piece["start_s"], piece["end_s"], piece["frames"]) == (11.0, 15.0, 100)
    speech = read_wav(tmp_path / "out" / f"{piece['clip_id']}.wav")
    assert abs(np.flatnonzero(np.abs(speech) > 0.2)[0] / 16000 - 2.0) < 0.002


class TwoFaces:
    """A face in each half of the picture; the right one is listed first and is the larger."""

    def detect(self, image):
        height, width = image.shape[:2]
        unit = np.array([width, height, width, height])
        boxes = [np.array([0.6, 0.3, 0.9, 0.7]) * unit, np.array([0.15, 0.35, 0.4, 0.65]) * unit]
        return [Face(box, 0.9, (box[:2] + box[2:]) / 2 + [[-2.0, -1], [2, -1], [0, 0], [-1, 2], [1, 2]])
                for box in boxes]


@pytest.mark.parametrize(("said", "x"), [
    ({}, 0.75), ({"hint": (0.2, 0.5)}, 0.275), ({"hint": (0.9, 0.5)}, 0.75), ({"box": (0.0, 0.0, 0.5, 1.0)}, 0.275),
    ({"box": (48.0, 0.0, 96.0, 72.0), "box_height_px": 72.0}, 0.75),
    ({"box": (0.0, 0.0, 96.0, 144.0), "box_height_px": 144.0}, 0.275)])
def test_of_two_faces_the_one_that_the_manifest_means(project, tmp_path, said, x):
    """Without a word of it the larger one; a box in pixels belongs to a picture of the height that is listed."""
    clip_worker = worker(project)
    clip_worker.detector = TwoFaces()
    (tmp_path / "out").mkdir()
    [piece] = clip_worker(task(clip(tmp_path / "a.mp4"), tmp_path / "out", **said)).pieces
    assert piece["crop_x_px"] == pytest.approx(96 * x) and piece["faces"] == 2.0


def test_mead_sound_apart_that_ends_a_frame_early(project, tmp_path):
    """124 frames at 65521/2184 fps are 4.133 s, their m4a 4.096 s: no frame is lost for that, the end is silence."""
    rate = Fraction(65521, 2184)
    path = clip(tmp_path / "001.mp4", [Fraction(i) / rate for i in range(124)], sound=None)
    sound = write_sound(tmp_path / "001.m4a", clicks([Fraction(1)], 4.096, 48000), format="mp4")
    _, piece, _, speech = kept(project, path, tmp_path, sound)
    assert piece["frames"] == 103 and len(speech) == 103 * 640      # 4.12 s, all that both have to a tenth of a frame
    assert abs(np.flatnonzero(np.abs(speech) > 0.2)[0] / 16000 - 1.0) < 0.002

"""The animator: length, sound, checks of its inputs, tags; with fakes for the networks."""

from __future__ import annotations

import json
import threading

import av
import numpy as np
import pytest
import soundfile

from models.generation.talking_head import TalkingHead
from models.speech.level import bring_to_level
from pipeline.animate.animator import Animator, frame_count
from pipeline.animate.features import whole_features
from pipeline.animate.portrait import PortraitError
from pipeline.animate.pose import DrivingError
from pipeline.animate.speech import SpeechError
from pipeline.media.film import write_video
from tests.pipeline.animate.fakes import FakeDetector, FakeEncoder, FakeGenerator, FakeSpace, NoFaces

PORTRAIT = np.full((120, 100, 3), 200, np.uint8)
RATE = 16000


def animator(detector=None) -> Animator:
    return Animator(TalkingHead(FakeSpace(), FakeGenerator()), FakeEncoder(), detector or FakeDetector(), "test/1")


def tone(seconds: float, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(np.arange(int(seconds * RATE)) * 0.3)).astype(np.float32)


@pytest.mark.parametrize(("samples", "frames"), [(RATE, 25), (RATE + 319, 25), (RATE + 330, 26), (100, 1)])
def test_frame_count_is_the_rounded_duration(samples, frames):
    assert frame_count(np.zeros(samples)) == frames


def test_frames_follow_the_speech_in_order():
    speech = np.concatenate([tone(1.0, 0.1), tone(1.0, 0.9)])
    frames = list(animator().animate(PORTRAIT, speech))
    red = np.array([frame[0, 0, 0] for frame in frames])
    assert red.shape == (50,)
    loud = 100 * 0.1 * np.sqrt(2) * 2 / np.pi  # the louder second is brought to an RMS of 0.1
    assert np.allclose(red[:25], loud / 9, atol=1) and np.allclose(red[25:], loud, atol=1)


def test_long_speech_is_encoded_in_pieces_that_join_without_a_gap():
    made = animator()
    speech = np.concatenate([tone(1.0, level) for level in np.linspace(0.1, 0.9, 130)])
    made.encoder.encode(speech, 3250)
    whole = FakeEncoder().encode(bring_to_level(speech), 3250)
    pieces = list(whole_features(made.encoder, speech, 3250))
    assert [len(piece) for piece in pieces] == [1500, 1500, 250]
    assert max(made.encoder.pieces[1:]) == 1600
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_file_has_sound_of_the_same_length_and_says_that_it_is_synthetic(tmp_path):
    out = tmp_path / "out.mp4"
    seen = []
    count = animator().animate_to_file(PORTRAIT, tone(2.02), out, progress=seen.append, emotion="happy:0.7",
                                       credentials=False)
    with av.open(str(out)) as media:
        video, sound = media.streams.video[0], media.streams.audio[0]
        assert (count, len(seen), video.frames) == (50, 50, 50)
        assert (video.width, video.height, video.average_rate, video.pix_fmt) == (512, 512, 25, "yuv420p")
        assert abs(float(sound.duration * sound.time_base) - 2.02) < 0.07  # AAC frames of 64 ms
        assert "Synthetic" in media.metadata["description"]
        assert json.loads(media.metadata["comment"]) == {
            "emotion": "happy:0.7", "generator": "playmate", "model": "test/1", "synthetic": True}


@pytest.mark.parametrize(("rate_hz", "channels", "written"), [
    (44100, 2, (44100, 2)), (48000, 1, (48000, 1)), (8000, 1, (16000, 1)), (96000, 6, (48000, 2))])
def test_a_film_lets_hear_the_sound_in_its_own_quality(tmp_path, rate_hz, channels, written):
    """A burst of 6 kHz (2 kHz in telephone sound) from 1 s on, left and right apart: kept, and at its time."""
    time_s, tone_hz = np.arange(int(2.5 * rate_hz)) / rate_hz, 2000 if rate_hz == 8000 else 6000
    burst = np.where((time_s >= 1) & (time_s < 1.5), 0.5 * np.sin(2 * np.pi * tone_hz * time_s), 0)
    loudness = np.array([1.0, 0.25, 0, 0, 0, 0])[:channels]
    soundfile.write(tmp_path / "speech.wav", burst[:, None] * loudness, rate_hz)
    animator().animate_to_file(PORTRAIT, tmp_path / "speech.wav", tmp_path / "out.mp4", credentials=False)
    with av.open(str(tmp_path / "out.mp4")) as media:
        sound = media.streams.audio[0]
        assert (sound.rate, sound.channels) == written
        frames = list(media.decode(sound))
    heard = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
    envelope = np.abs(heard[0]) > 0.1
    start_s = frames[0].time + np.flatnonzero(envelope)[[0, -1]] / sound.rate
    np.testing.assert_allclose(start_s, [1.0, 1.5], atol=2e-3)
    spectrum = np.abs(np.fft.rfft(heard[0]))
    assert spectrum.argmax() * sound.rate / len(heard[0]) == pytest.approx(tone_hz, abs=5)
    if channels == 2:
        assert np.std(heard[1]) == pytest.approx(0.25 * np.std(heard[0]), rel=0.1)


def test_settings_are_the_models_own_unless_given():
    made = animator()
    list(made.animate(PORTRAIT, tone(0.5), audio_scale=2.0, seed=7, pose="still"))
    assert made.head.generator.overrides == [{"audio_scale": 2.0}]
    request = made.head.generator.requests[0]
    assert (request.seed, request.pose, request.emotion) == (7, "still", None)
    np.testing.assert_array_equal(request.source_rho, [1, 0, 0, 0, 0, 0, 0])


def test_inputs_are_checked_before_the_first_frame(tmp_path):
    made = animator()
    with pytest.raises(ValueError, match="unknown emotion 'hungry': this model knows neutral, happy, sad"):
        made.animate(PORTRAIT, tone(1), emotion="hungry")
    with pytest.raises(SpeechError, match="silent"):
        made.animate(PORTRAIT, np.zeros(RATE, np.float32))
    with pytest.raises(SpeechError, match="does not exist"):
        made.animate(PORTRAIT, tmp_path / "none.wav")
    with pytest.raises(DrivingError, match=r"none\.mp4 cannot be read"):
        made.animate(PORTRAIT, tone(1), pose=tmp_path / "none.mp4")
    with pytest.raises(PortraitError, match="no face"):
        animator(NoFaces()).animate(PORTRAIT, tone(1))
    with pytest.raises(PortraitError, match="not its features"):
        made.animate(np.zeros((100, 100, 3), np.uint8), tone(1))


def test_the_largest_face_is_taken_and_others_by_number():
    made = animator(FakeDetector((0, 0, 30, 30), (40, 40, 95, 95)))
    portrait = made.portrait(PORTRAIT)
    assert portrait.faces[0].box[0] == 40 and portrait.crop.shape == (512, 512, 3)
    assert made.numbered_faces(PORTRAIT).shape == PORTRAIT.shape
    with pytest.raises(PortraitError, match="face 3 was asked for, but the portrait has 2"):
        made.portrait(PORTRAIT, face=3)


def test_pose_of_a_driving_video_is_relative_to_its_usual_pose(tmp_path):
    """30 fps, the corner's red grows by 3 a frame; at 25 fps frame i shows the last picture before (i + 1/2) / 25."""
    video = tmp_path / "drive.mp4"
    shades = np.linspace(0, 255, 128).astype(np.uint8)[:, None].repeat(128, 1)   # a blank picture shows no face
    pictures = [np.stack([np.full_like(shades, 40 + 3 * i), shades, shades], -1) for i in range(30)]
    write_video(video, pictures, 30, crf=1)
    made = animator()
    list(made.animate(PORTRAIT, tone(0.8), pose=video))
    yaw = made.head.generator.requests[0].pose[:, 5]
    np.testing.assert_allclose(yaw - yaw[0], 3 * (np.ceil(1.2 * np.arange(20) + 0.6) - 1), atol=2.1)
    assert abs(yaw).min() < 1e-4 and yaw[0] < -20  # the driver's median, and not its first frame, is the portrait's own


def test_a_consumer_that_stops_leaves_no_thread_behind():
    frames = animator().animate(PORTRAIT, tone(20))
    next(frames)
    frames.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_a_failure_in_the_middle_leaves_no_thread_behind(tmp_path, monkeypatch):
    """A thread that still computes while Python ends would abort the process."""
    monkeypatch.setattr(FakeSpace, "render", lambda *_: (_ for _ in ()).throw(ValueError("render broke")))
    with pytest.raises(ValueError, match="render broke") as error:
        animator().animate_to_file(PORTRAIT, tone(60), tmp_path / "out.mp4", credentials=False)
    assert error.value.__traceback__ is not None  # which keeps the frames of all generators alive
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("changes", "message"), [
    ({"audio_scale": float("nan")}, "guidance of speech .* between 0 and 10"), ({"emotion_scale": -0.1}, "of emotion"),
    ({"audio_scale": 10.1}, "is 10.1"), ({"seed": -1}, "seed is -1"), ({"emotion": ["sad@1.01"]}, "ends at 1.00 s")])
def test_settings_out_of_range_are_refused_before_the_first_frame(changes, message):
    with pytest.raises(ValueError, match=message):
        animator().animate(PORTRAIT, tone(1), **changes)


def test_pasted_back_frames_are_the_whole_picture():
    picture = np.full((200, 301, 3), 77, np.uint8)
    made = animator(FakeDetector((100, 60, 140, 100)))
    frames = list(made.animate(picture, tone(0.4, 0.9), paste_back=True))
    assert len(frames) == 10 and frames[0].shape == (200, 300, 3)
    assert (frames[0][:20] == 77).all() and frames[3][80, 120, 0] not in (0, 77)


def test_the_same_input_gives_the_same_bytes_without_credentials(tmp_path):
    for name in ("a", "b"):
        animator().animate_to_file(PORTRAIT, tone(1.0), tmp_path / f"{name}.mp4", credentials=False, mark="AI")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()

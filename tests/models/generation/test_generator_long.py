"""Speech of any length: memory, and the joints of windows."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from models.generation.generator import MotionGenerator
from models.generation.request import REPEATED, Request, SampleSettings
from models.speech.pieces import spans
from models.speech.whisper import WhisperSpeechEncoder
from pipeline.components.bundle import load_bundle
from pipeline.core.paths import SHIPPED
from tests.models.generation.test_generator import RHO, emotion
from tests.models.generation.test_generator import generator as toy_generator
from tests.needs import weight
from tests.training.toy import SPEECH_DIM, K

pytestmark = pytest.mark.processes

FPS = 25


def speech_pieces(seconds: int) -> Iterator[np.ndarray]:
    """A second of features at a time, none kept."""
    for second in range(seconds):
        yield np.random.default_rng(second).standard_normal((FPS, SPEECH_DIM)).astype(np.float32)


def peak_bytes(maker: MotionGenerator, seconds: int, feeling: np.ndarray) -> tuple[int, int]:
    """Frames generated, and the most memory that Python and NumPy held meanwhile."""
    request = Request(speech_pieces(seconds), np.ones((K, 3), np.float32), RHO, feeling)
    tracemalloc.start()
    try:
        frames = sum(len(window) for window in maker.stream(request))
        return frames, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_flat_from_five_seconds_to_ten_minutes():
    maker = toy_generator(window=50, previous=10)
    maker.settings = SampleSettings("dpmpp", 2, 1.5, 1.5, 10.0, 2, 3.0, 1.0, 1.0, 1)
    happy = emotion("happy")
    peak_bytes(maker, 5, happy)  # what is made once
    frames, short = peak_bytes(maker, 5, happy)
    long_frames, long = peak_bytes(maker, 600, happy)
    assert (frames, long_frames) == (5 * FPS, 600 * FPS)
    motion_bytes = 4 * long_frames * maker.network.shape.motion_dim
    assert long - short < 0.1 * motion_bytes and long < 2**18  # nothing of what was made is kept


def test_pieces_of_speech_do_not_grow_with_its_length():
    assert max(stop - start for start, stop in spans(600 * 50, 1500, 100)) <= 1500


@pytest.mark.media
def test_joints_of_the_shipped_model_are_no_rougher_than_its_windows(project, media):
    """Root mean square of the frame-to-frame jump in units of each dimension's deviation, at joints and elsewhere."""
    import soundfile

    bundle = load_bundle(project / SHIPPED)
    encoder = WhisperSpeechEncoder(weight("whisper_tiny_en"), bundle.config.speech["layer"], 30.0, 2.0)
    waveform = soundfile.read(media / "talking" / "styletalk_Obama_clip1.wav", dtype="float32")[0]
    frames = min(len(waveform) // 640, 500)
    features = encoder.encode(waveform, frames)
    maker, shape = bundle.generator(), bundle.config.model
    motions = maker.generate_batch([Request(features, np.zeros((shape.num_keypoints, 3), np.float32),
                                            bundle.statistics.pose_mean, seed=seed) for seed in range(3)])
    pose = bundle.statistics.pose_of_portrait(bundle.statistics.pose_mean)
    jumps = np.stack([np.diff(bundle.statistics.normalize(motion, pose), axis=0) for motion in motions])
    joint = np.zeros(frames - 1, bool)
    joint[shape.window - 1::shape.window - REPEATED] = True  # from a window's last frame to the next one's first
    at, inside = (np.sqrt(np.square(jumps[:, chosen]).mean()) for chosen in (joint, ~joint))
    assert joint.sum() >= 5 and at < 1.3 * inside

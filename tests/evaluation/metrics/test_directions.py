"""Every metric on real faces, degraded on purpose: the number must move the right way."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from evaluation.metrics import measure
from evaluation.metrics.frechet import frechet_of_features
from evaluation.metrics.judges import load_judges
from evaluation.metrics.lip_sync import fill_gaps, fit_speech_to_mouth, mouth_sync
from evaluation.metrics.seen_pose import head_angles_deg, seen_lip_error
from pipeline.components.speech import make_speech_encoder
from pipeline.core.config import load_params
from pipeline.media.crops import read_crop, read_wav
from pipeline.weights.table import WeightsError

pytestmark = [pytest.mark.media, pytest.mark.slow]
FRAMES = 50
METRICS = ("csim_mobilefacenet", "lpips_alexnet", "fd_efficientnet_lite0", "emo_facex")


@pytest.fixture(scope="module")
def judges():
    try:
        return load_judges(25, METRICS)
    except WeightsError as error:
        pytest.skip(str(error))


def load(media, name: str) -> np.ndarray:
    frames = read_crop(media / "talking" / f"{name}.mp4", range(FRAMES))
    side = min(frames.shape[1:3])
    top, left = (frames.shape[1] - side) // 2, (frames.shape[2] - side) // 2
    square = frames[:, top:top + side, left:left + side]
    return np.stack([cv2.resize(frame, (256, 256), interpolation=cv2.INTER_AREA) for frame in square])


@pytest.fixture(scope="module")
def one(media):
    return load(media, "hdtf_WDA_KatieHill_000")


@pytest.fixture(scope="module")
def other(media):
    return load(media, "styletalk_KristiNoem")


def blurred(frames: np.ndarray, sigma: float) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames])


def test_identity_tells_people_apart(judges, one, other):
    """Identity against another identity: the same person's frames, then a stranger's."""
    first, second = (measure.look_at(frames, judges) for frames in (one, other))
    own, _ = measure.identity_numbers(first, first, judges, 10)
    stranger, _ = measure.identity_numbers(first, second, judges, 10)
    name = "csim_mobilefacenet"
    assert own[f"{name}_reference"] > 0.6 and stranger[name] < 0.3 and stranger[f"{name}_same_time"] < 0.3
    assert own[f"{name}_same_time"] == pytest.approx(1, abs=1e-5)


def distance(features: dict) -> float:
    name = "fd_efficientnet_lite0"
    return frechet_of_features(features[f"{name}.true"], features[f"{name}.made"])


def test_lpips_and_feature_distance_grow_with_blur(judges, one):
    """Degraded against clean."""
    found = [measure.picture_numbers(one, blurred(one, sigma), judges, 10) for sigma in (0.1, 1.5, 4.0)]
    lpips, distances = [numbers["lpips_alexnet"] for numbers, _ in found], [distance(each) for _, each in found]
    assert lpips[0] < lpips[1] < lpips[2] and lpips[0] < 0.01
    assert distances[0] < distances[1] < distances[2]


def test_feature_distance_is_larger_to_another_person(judges, one, other):
    network = judges.features["fd_efficientnet_lite0"]
    first, second, stranger = (network(frames) for frames in (one[::4], one[2::4], other[::4]))
    assert frechet_of_features(first, stranger) > 3 * frechet_of_features(first, second)


def rough(frames: np.ndarray) -> np.ndarray:
    return np.stack([cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 1)
                     for frame in frames])


def test_a_recompressed_mouth_follows_and_frozen_or_shuffled_ones_do_not(judges, one):
    true = measure.look_at(one, judges).curves
    assert measure.mouth_numbers(true, measure.look_at(rough(one), judges).curves, 2)["mouth_r"] > 0.95
    frozen = measure.look_at(np.repeat(one[:1], FRAMES, 0), judges).curves
    assert abs(measure.mouth_numbers(true, frozen, 2)["mouth_r"]) < 0.5
    backwards = measure.look_at(one[::-1].copy(), judges).curves
    assert measure.mouth_numbers(true, backwards, 2)["mouth_r"] < 0.6


def test_lips_and_head_are_told_from_recompressed_halting_and_frozen_ones(judges, one):
    """Halting: every fifth frame, held. The lips of the film backwards are the wrong ones, its head moves as much."""
    films = {"true": one, "rough": rough(one), "halting": np.repeat(one[::5], 5, 0),
             "frozen": np.repeat(one[:1], FRAMES, 0), "backwards": one[::-1].copy()}
    points = {name: measure.look_at(frames, judges).points for name, frames in films.items()}
    errors = [seen_lip_error(points["true"], points[name]) for name in films]
    assert errors == sorted(errors) and errors[0] == pytest.approx(0, abs=1e-9) and errors[4] > 10 * errors[1]
    pose = {name: measure.pose_numbers(head_angles_deg(found)) for name, found in points.items()}
    assert pose["frozen"]["yaw_range_deg"] < 0.5 and pose["true"]["yaw_range_deg"] > 5
    assert pose["backwards"]["yaw_range_deg"] == pytest.approx(pose["true"]["yaw_range_deg"], rel=0.1)
    assert pose["frozen"]["yaw_jitter_deg"] < pose["true"]["yaw_jitter_deg"] < pose["halting"]["yaw_jitter_deg"] / 2


@pytest.fixture(scope="module")
def talkers(media, judges, project):
    """Speech [T, A] and face curves of four people, five seconds each."""
    try:
        encoder = make_speech_encoder(load_params(project / "params.yaml").speech)
    except WeightsError as error:
        pytest.skip(str(error))
    found = []
    for name in ("KristiNoem", "Obama_clip1", "andrew_clip_1", "feifeili_clip1"):
        frames = read_crop(media / "talking" / f"styletalk_{name}.mp4", range(125))
        sound = read_wav(media / "talking" / f"styletalk_{name}.wav")[:len(frames) * 640]
        found.append((encoder.encode(sound, len(frames)).astype(np.float64), measure.look_at(frames, judges).curves))
    return found


def test_mouth_sync_prefers_the_true_speech_and_finds_a_late_picture(talkers):
    """Its regression is fitted on the other three people. It judges a set, not a film: means are compared."""
    pairs, own, wrong = [(speech, fill_gaps(curves.mouth)) for speech, curves in talkers], [], []
    for index, (speech, mouth) in enumerate(pairs):
        model = fit_speech_to_mouth(pairs[:index] + pairs[index + 1:], 0.1)
        score = mouth_sync(model.predict(speech), mouth)
        own.append(score.confidence)
        wrong.append(mouth_sync(model.predict(pairs[(index + 1) % len(pairs)][0]), mouth).confidence)
        assert mouth_sync(model.predict(speech), np.roll(mouth, 8)).offset == score.offset + 8
        assert mouth_sync(model.predict(speech), np.full(len(mouth), mouth[0])).confidence == 0
    assert np.mean(own) > np.mean(wrong) + 0.03


def test_blinks_are_seen_in_films_and_not_in_frozen_ones(talkers):
    assert sum(measure.count_blinks(curves.eyes, 25) for _, curves in talkers) >= 3
    assert all(measure.count_blinks(np.full(125, curves.eyes[0]), 25) == 0 for _, curves in talkers)


def test_the_classifier_sees_the_happy_one_of_seven(judges, media):
    frames = read_crop(media / "emotion_grid" / "playmate_emotions_11.mp4", range(20, 140, 20))
    happy = judges.expression_labels.index("happy")
    tiles = [measure.look_at(np.ascontiguousarray(tile), judges) for tile in np.split(frames, 7, axis=2)]
    seen = [measure.expression_probabilities(tile, judges, 1).mean(0)[happy] for tile in tiles]
    assert int(np.argmax(seen)) == 4  # angry, disgusted, contempt, fear, happy, sad, surprised

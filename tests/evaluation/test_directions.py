"""Every metric on real faces, degraded on purpose: the number must move the right way."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from evaluation import measure
from evaluation.frechet import frechet_of_features
from evaluation.judges import load_judges
from pipeline.media import read_crop
from pipeline.weights import WeightsError

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


def test_a_recompressed_mouth_follows_and_frozen_or_shuffled_ones_do_not(judges, one):
    true = measure.look_at(one, judges).curves
    rough = np.stack([cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 1) for frame in one])
    assert measure.mouth_numbers(true, measure.look_at(rough, judges).curves, 2)["mouth_r"] > 0.95
    frozen = measure.look_at(np.repeat(one[:1], FRAMES, 0), judges).curves
    assert abs(measure.mouth_numbers(true, frozen, 2)["mouth_r"]) < 0.5
    backwards = measure.look_at(one[::-1].copy(), judges).curves
    assert measure.mouth_numbers(true, backwards, 2)["mouth_r"] < 0.6


def test_the_classifier_sees_the_happy_one_of_seven(judges, media):
    frames = read_crop(media / "emotion_grid" / "playmate_emotions_11.mp4", range(20, 140, 20))
    happy = judges.expression_labels.index("happy")
    tiles = [measure.look_at(np.ascontiguousarray(tile), judges) for tile in np.split(frames, 7, axis=2)]
    seen = [measure.expression_probabilities(tile, judges, 1).mean(0)[happy] for tile in tiles]
    assert int(np.argmax(seen)) == 4  # angry, disgusted, contempt, fear, happy, sad, surprised

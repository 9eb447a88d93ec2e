"""What published code says of given videos, for those who have the published weights; skipped without them."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from evaluation.jobs.reading import Reading, VideoWorker
from evaluation.metrics.frechet import frechet_of_features
from models.judges.i3d import VideoLogits
from models.judges.sync_score import mfcc, sync_score
from models.judges.syncnet import SyncVectors
from tests.needs import weight

EXAMPLE = "PLAYMATE_SYNCNET_EXAMPLE"


@pytest.mark.slow
def test_fvd_of_black_against_white_films():
    """StyleGAN-V's port gives 152.9175 for eight films of 16 frames at 64 px, `common_metrics` another port's 153.11;
    both say that a torch version moves it by one."""
    network = VideoLogits(weight("i3d"))
    black, white = (np.concatenate([network(np.full((16, 64, 64, 3), level, np.uint8))] * 8) for level in (0, 255))
    assert frechet_of_features(black, white) == pytest.approx(153, abs=1)


@pytest.mark.slow
def test_fvd_of_two_sets_of_noise():
    """128 clips of uniform noise each, fed as they are, from RandomState(1) and (2): 10.13808 (StyleGAN-V's port and
    TensorFlow's own agree to 1e-6)."""
    network = VideoLogits(weight("i3d")).network

    def logits(seed: int) -> np.ndarray:
        noise = np.random.RandomState(seed)
        with torch.inference_mode():  # RandomState gives the same numbers clip by clip as all at once
            return np.concatenate([network(torch.from_numpy(noise.random_sample((1, 16, 224, 224, 3)).astype(
                np.float32)).permute(0, 4, 1, 2, 3)).numpy() for _ in range(128)])

    assert frechet_of_features(logits(1), logits(2)) == pytest.approx(10.138, abs=0.1)


@pytest.mark.skipif(EXAMPLE not in os.environ, reason=f"set {EXAMPLE} to data/example.avi of joonson/syncnet_python: "
                    "it is in no registry package")
def test_syncnet_of_the_published_example(tmp_path):
    """Its README: AV offset 3, min dist 5.353, confidence 10.021, without a crop (the film is one). Its frames go
    through JPEG there, so the second digit may move."""
    read = VideoWorker(Reading(25, 10_000, 224, 4320, 600.0, 60.0, 2.0))
    found = read({"media": os.environ[EXAMPLE], "folder": str(tmp_path)})
    frames, sound = (np.load(tmp_path / f"{name}.npy", allow_pickle=False) for name in ("frames", "sound"))
    network = SyncVectors(weight("syncnet"))
    count = min(found["frames"], len(sound) // 640)
    score = sync_score(network.lips(frames[:count]), network.sound(mfcc(sound), count))
    assert score.offset == 3
    assert (score.distance, score.confidence) == (pytest.approx(5.353, abs=0.1), pytest.approx(10.021, abs=0.2))

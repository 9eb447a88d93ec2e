"""Every network and every path that moves to a GPU, on a CUDA device that is none (tests/fake_cuda.py).

A tensor that stays on the CPU raises. Numbers are not looked at: each network has tests of its own for those.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.diffusion.schedule import alpha_bars
from models.generation.generator import MotionGenerator
from models.generation.request import Request, SampleSettings
from models.generation.talking_head import TalkingHead
from models.generation.torch_network import TorchNetwork
from models.judges import efficientnet_lite0, i3d, inception, lpips, syncnet
from models.judges.vgg import VggFeatures
from models.liveportrait.networks import seeded_networks
from models.liveportrait.runtime import Runtime
from models.liveportrait.space import LivePortraitFaceSpace
from models.liveportrait.torch_space import torch_space
from models.liveportrait.widths import NUM_KEYPOINTS, TOY
from models.motion.motion import RHO_DIM
from models.motion.normalization import MotionStatistics, Normalizer
from models.speech import whisper, whisper_network
from models.speech.huggingface import HuggingFaceSpeechEncoder, untrained_network
from models.transformer.motion_transformer import MotionTransformer
from pipeline.compute.device import which_device
from tests.fake_cuda import fake_cuda
from tests.training import toy
from training.decoupling.objective import DecouplingObjective, Weights, leakage
from training.engine.context import PlainContext
from training.motion.learner import Learner, Measured

pytestmark = pytest.mark.slow
LABELS = ("neutral", "happy")
ALPHA_BAR = alpha_bars("linear", 20)
FRAMES = np.zeros((37, 64, 64, 3), np.uint8)


def liveportrait() -> LivePortraitFaceSpace:
    runtime = Runtime(precision="bf16", channels_last=True, batch=8)
    return torch_space(seeded_networks(TOY, 0), runtime, which_device())


def generator(emotion: bool, conv_norm: str = "layer") -> MotionGenerator:
    """A toy model of LivePortrait's motion; both stages of it where there is emotion."""
    shape = toy.shape(num_keypoints=NUM_KEYPOINTS, num_emotions=len(LABELS) if emotion else 0, conv_norm=conv_norm)
    wide = Normalizer.of(np.zeros(3 * NUM_KEYPOINTS), np.ones(3 * NUM_KEYPOINTS), 1e-4)
    zeros, ones = np.zeros(RHO_DIM), np.ones(RHO_DIM)
    statistics = MotionStatistics(wide, zeros, ones, zeros, ones, "clip", 1e-4)
    network = TorchNetwork(MotionTransformer(shape).to(which_device()))
    return MotionGenerator(network, ALPHA_BAR, "eps", statistics, LABELS,
                           SampleSettings("ddim", 3, 1.5, 1.5, 10.0, 2, 3.0, 1.0, 1.0, 1))


def test_a_tensor_left_on_the_cpu_raises():
    """What all other tests here rely on."""
    with fake_cuda():
        assert which_device() == "cuda"
        layer = torch.nn.Linear(3, 2).to("cuda")
        assert layer(torch.zeros(4, 3, device="cuda")).device.type == "cuda"
        with pytest.raises(RuntimeError, match="device"):
            layer(torch.zeros(4, 3))
        with pytest.raises(TypeError, match="cpu\\(\\) first"):
            layer(torch.zeros(4, 3, device="cuda")).numpy()


def test_liveportrait_extracts_and_renders():
    with fake_cuda():
        space = liveportrait()
        assert {parameter.device.type for parameter in space.runner.networks.parameters()} == {"cuda"}
        motions = space.extract_many([FRAMES[:3], FRAMES[:9]])
        assert [motion.delta.shape for motion in motions] == [(3, NUM_KEYPOINTS, 3), (9, NUM_KEYPOINTS, 3)]
        points = np.zeros((11, NUM_KEYPOINTS, 3))
        assert space.render(space.appearance(FRAMES[0]), points[0], points).shape == (11, 512, 512, 3)


@pytest.mark.parametrize("kind", ["whisper", "wav2vec2", "hubert"])
def test_speech_encoders(monkeypatch, kind):
    """Short speech at once, long speech in pieces."""
    monkeypatch.setattr(whisper_network, "load_network", lambda path: whisper_network.WhisperEncoder(8, 2, 2))
    with fake_cuda():
        if kind == "whisper":
            encoder = whisper.WhisperSpeechEncoder(Path(), 1, 2.0, 0.5, which_device())
        else:
            encoder = HuggingFaceSpeechEncoder(untrained_network(kind), 1, 2.0, 0.5, which_device())
        for frames in (25, 125):
            assert encoder.encode(np.zeros(640 * frames, np.float32), frames).shape == (frames, encoder.dim)


@pytest.mark.parametrize("solver", ["ddim", "ddpm", "dpmpp"])
@pytest.mark.parametrize("conv_norm", ["layer", "batch", "group"])
def test_the_sampler_with_guidance_over_several_windows(solver, conv_norm):
    """With and without emotion, head pose generated and given; two requests of different lengths in one pass."""
    with fake_cuda():
        made = generator(True, conv_norm)
        speech = [np.zeros((frames, toy.SPEECH_DIM), np.float32) for frames in (19, 12)]
        x_c, rho = np.zeros((NUM_KEYPOINTS, 3), np.float32), np.zeros(RHO_DIM, np.float32)
        for emotion in (None, np.array([0, 1, 0], np.float32)):
            for pose in ("generated", "still"):
                requests = [Request(one, x_c, rho, emotion, pose, seed=0) for one in speech]
                assert [len(motion) for motion in made.generate_batch(requests, solver=solver)] == [19, 12]


def test_a_portrait_talks():
    with fake_cuda():
        head = TalkingHead(liveportrait(), generator(False))
        portrait = head.portrait(FRAMES[0])
        [motion] = head.motions([portrait.request(np.zeros((10, toy.SPEECH_DIM), np.float32))])
        assert head.frames(portrait, motion).shape == (10, 512, 512, 3)


def unfilled(monkeypatch, module) -> None:
    """Judges without their weights."""
    for name in ("load_strictly", "read_tensors", "_fill_trunk", "read_numpy_pickle"):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, lambda *given: None)


@pytest.mark.parametrize(("module", "kind", "shape"), [
    (efficientnet_lite0, "FrameFeatures", (37, 1280)), (inception, "FidFeatures", (37, 2048)),
    (i3d, "VideoLogits", (2, 400))])
def test_judges_of_pictures_and_clips(monkeypatch, module, kind, shape):
    unfilled(monkeypatch, module)
    with fake_cuda():
        assert getattr(module, kind)(Path(), which_device())(FRAMES).shape == shape


def test_judges_of_pairs_and_lips(monkeypatch):
    for module in (lpips, syncnet):
        unfilled(monkeypatch, module)
    with fake_cuda():
        assert lpips.Lpips(Path(), which_device())(FRAMES, FRAMES).shape == (37,)
        vectors = syncnet.SyncVectors(Path(), which_device())
        assert vectors.lips(np.zeros((37, 224, 224, 3), np.uint8)).shape == (32, 1024)
        assert vectors.sound(np.zeros((4 * 37, 13)), 37).shape == (32, 1024)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # measures of windows that hold no frame
@pytest.mark.parametrize("emotion", [False, True], ids=["stage 1", "stage 2"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_losses_and_validation_of_both_stages(tmp_path, emotion, precision):
    model = toy.model(num_emotions=8 if emotion else 0)
    job = toy.job(tmp_path, model, toy.clips(emotion=emotion), precision=precision)
    job.statistics = toy.statistics()
    job.emotion_centres = {label: np.zeros(3 * toy.K) for label in (0, 1)} if emotion else {}
    with fake_cuda():
        learner = Learner(job, PlainContext(which_device()))
        batch = learner.make_batch(0).to(learner.context.device)
        losses, expression, pose = learner._losses(batch)
        assert {value.device.type for value in (losses, expression, pose)} == {"cuda"} and losses.shape == pose.shape
        row = learner.row(Measured(batch.clip_ids, batch.time, losses, torch.stack([losses.mean()] * 3), losses.mean()))
        assert row.keys() >= {"loss", "loss_pose"}
        assert learner.validate().keys() >= {"validation_loss", "validation_r"}


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_decoupling_objective(precision):
    objective = DecouplingObjective(seeded_networks(TOY, 0), VggFeatures("vgg16", width=4), Weights(1, 1, 1, 1),
                                    "mean_square", 64)
    with fake_cuda():
        objective.to(which_device())
        first, second = (torch.zeros(2, 3, 256, 256).to("cuda") for _ in range(2))
        with torch.autocast("cuda", torch.bfloat16, enabled=precision == torch.bfloat16):
            parts = objective(first, second)
        assert parts["loss"].shape == (2,) and {value.device.type for value in parts.values()} == {"cuda"}
        assert leakage(objective.networks, first, second).keys() >= {"expression_kept", "pose_followed"}

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from models.diffusion.denoise import Conditions, Denoiser, guide
from models.diffusion.schedule import alpha_bars
from models.generation.generator import MotionGenerator, mean_expression
from models.generation.request import Curves, Given, Request, SampleSettings
from models.generation.torch_network import TorchNetwork
from models.generation.track import Track, rewindow
from models.motion.emotions import CORE8, emotion_weights
from tests.training.toy import MOTION_DIM, SPEECH_DIM, K, model, statistics

RHO = np.array([1.0, 0.1, 0.2, 0, 5, -5, 1], np.float32)
EXPRESSION = 3 * K


def generator(solver="ddim", seed=0, fade=2, **changes) -> MotionGenerator:
    network = model(seed, num_emotions=8, **changes)
    for block in network.emotion.blocks:  # as if trained: emotion has an effect
        torch.nn.init.normal_(block.modulation[1].weight, std=1.0)
    return MotionGenerator(TorchNetwork(network), alpha_bars("linear", 50), "x0", statistics(), CORE8,
                           SampleSettings(solver, 4, 1.5, 1.5, 10.0, fade, 3.0, 1.0, 1.0, 1))


def request(frames=30, **changes) -> Request:
    speech = np.random.default_rng(0).standard_normal((frames, SPEECH_DIM)).astype(np.float32)
    return Request(**{"speech": speech, "x_c": np.ones((K, 3), np.float32), "source_rho": RHO, **changes})


def emotion(name: str) -> np.ndarray:
    return emotion_weights({name: 1.0}, CORE8)


@pytest.mark.parametrize("solver", ["ddim", "ddpm", "dpmpp"])
@pytest.mark.parametrize("frames", [1, 7, 8, 30])
def test_any_length_and_the_same_seed_gives_the_same_motion(solver, frames):
    first = generator(solver).generate(request(frames))
    assert first.shape == (frames, MOTION_DIM) and np.isfinite(first).all()
    assert np.array_equal(first, generator(solver).generate(request(frames)))
    assert not np.array_equal(first, generator(solver).generate(request(frames, seed=1)))


@pytest.mark.parametrize("solver", ["ddim", "ddpm", "dpmpp"])
@pytest.mark.parametrize("fade", [0, 3])
def test_emotion_leaves_the_head_pose_bit_for_bit_over_four_windows(solver, fade):
    maker = generator(solver, fade=fade)
    plain = maker.generate(request())
    happy, sad = (maker.generate(request(emotion=emotion(name))) for name in ("happy", "sad"))
    assert np.array_equal(plain[:, EXPRESSION:], happy[:, EXPRESSION:])
    assert np.array_equal(sad[:, EXPRESSION:], happy[:, EXPRESSION:])
    assert np.abs(happy[:, :EXPRESSION] - sad[:, :EXPRESSION]).max() > 0.01
    strong = maker.generate(request(emotion=emotion("happy")), emotion_scale=4.0)
    assert np.array_equal(strong[:, EXPRESSION:], happy[:, EXPRESSION:])


def test_what_an_emotion_changes_grows_with_its_strength():
    """In one step the change from the null class is the strength times the whole label's, frame by frame."""
    maker, shares = generator(), np.linspace(0.125, 1, 8, dtype=np.float32)

    def made(weights: np.ndarray) -> np.ndarray:
        return maker.generate(request(8, emotion=weights), steps=1)

    null, over_time = np.eye(9, dtype=np.float32)[8], np.zeros((8, 9), np.float32)
    over_time[:, CORE8.index("happy")], over_time[:, 8] = shares, 1 - shares
    whole = made(emotion("happy")) - made(null)
    assert np.abs(whole).max() > 0.01
    np.testing.assert_allclose(made(emotion_weights({"happy": 0.5}, CORE8)) - made(null), whole / 2, atol=1e-5)
    np.testing.assert_allclose(made(over_time) - made(null), shares[:, None] * whole, atol=1e-5)


def test_emotion_leaves_the_pose_whatever_the_guidance_and_a_models_own_weights_change_nothing():
    """Weights of expression and pose over time, in half of the steps; and w_a 1.5 said as a curve."""
    maker, directed = generator(), Curves(expression_scale=np.linspace(0, 3, 20), pose_guidance=np.linspace(2, 0, 25))
    asked = {"curves": directed, "guided": (0.0, 0.5)}
    plain, happy = maker.generate(request(**asked)), maker.generate(request(emotion=emotion("happy"), **asked))
    assert np.array_equal(plain[:, EXPRESSION:], happy[:, EXPRESSION:])
    assert np.abs(plain - happy).max() > 0.01 and np.abs(plain - maker.generate(request())).max() > 1e-3
    own = Curves(expression_scale=np.full(1, 1.5), pose_guidance=np.full(1, 1.5))
    assert np.array_equal(maker.generate(request(curves=own)), maker.generate(request()))


def test_w_a_of_a_window_by_hand():
    """The second window begins at frame 8 with 3 repeated ones: frames 5 to 12. The pose keeps 0.5 of 1.5."""
    maker = generator()
    settings = replace(maker.settings, pose_share=0.5)
    curves = Curves(expression_scale=np.arange(10.0))
    track = Track(0, request(curves=curves), maker.network.shape, statistics(), settings)
    track.advance()
    track.advance()
    scale = track.audio_scale(8, settings)
    np.testing.assert_array_equal(scale[:, 0], [5, 6, 7, 8, 9, 9, 9, 9])
    np.testing.assert_array_equal(scale[:, EXPRESSION:], np.full((8, 7), 0.75))


def test_a_style_has_its_own_mean_and_deviation():
    """Normalised poses are the same; a deviation twice as large around another mean makes twice the movement there."""
    maker, stats = generator(), statistics()
    own, mean = maker.generate(request()), RHO + np.float32(1)
    styled = maker.generate(request(style=(mean, 2 * stats.pose_std)))
    alive = stats.pose_std >= stats.min_std
    np.testing.assert_allclose((styled[:, EXPRESSION:] - mean)[:, alive], 2 * (own[:, EXPRESSION:] - RHO)[:, alive],
                               rtol=1e-3, atol=1e-3)
    still = maker.generate(request(style=(mean, 2 * stats.pose_std), pose="still"))
    np.testing.assert_array_equal(still[:, EXPRESSION:], np.tile(RHO, (30, 1)))


def test_a_gain_of_the_pose_moves_the_head_further_and_nothing_else():
    """Around the portrait's own pose; a pose that is followed stays as it is."""
    maker = generator()
    own, moved = maker.generate(request()), maker.generate(request(), pose_gain=2.0)
    np.testing.assert_allclose((moved - own)[:, EXPRESSION:], (own[:, EXPRESSION:] - RHO), rtol=1e-3, atol=1e-3)
    assert np.array_equal(moved[:, :EXPRESSION], own[:, :EXPRESSION])
    rho = np.tile(RHO, (30, 1))
    assert np.array_equal(maker.generate(request(pose=rho), pose_gain=2.0), maker.generate(request(pose=rho)))


def test_streaming_from_pieces_equals_generating_at_once():
    maker, whole = generator(), request()
    pieces = iter(np.split(whole.speech, [3, 4, 17]))
    windows = list(maker.stream(request(speech=pieces)))
    assert [len(window) for window in windows] == [8, 5, 5, 5, 5, 2]
    assert np.array_equal(np.concatenate(windows), maker.generate(whole))


def test_expression_is_the_mean_of_samples_with_the_pose_of_the_first():
    samples = [np.full((2, MOTION_DIM), value, np.float32) for value in (1, 2, 6)]
    mean = mean_expression(samples)
    assert (mean[:, :EXPRESSION] == 3).all() and (mean[:, EXPRESSION:] == 1).all() and (samples[0] == 1).all()


@pytest.mark.parametrize("feeling", [None, "happy"])
def test_samples_differ_and_the_first_is_the_one_that_is_made_alone(feeling):
    maker, asked = generator(), request(emotion=None if feeling is None else emotion(feeling))
    one, two = (maker.generate(asked, expression_samples=count) for count in (1, 2))
    np.testing.assert_allclose(two[:, EXPRESSION:], one[:, EXPRESSION:], atol=1e-5)
    second = 2 * two[:, :EXPRESSION] - one[:, :EXPRESSION]
    assert 0.003 < np.abs(second - one[:, :EXPRESSION]).mean() / one[:, :EXPRESSION].std() < 3
    several = maker.generate_batch([asked, replace(asked, seed=1)], expression_samples=2)
    np.testing.assert_allclose(several[0], two, atol=1e-5)


def test_samples_hear_all_pieces_and_keep_what_is_given():
    maker, whole = generator(), request()
    pieces = iter(np.split(whole.speech, [3, 4, 17]))
    made = np.concatenate(list(maker.stream(request(speech=pieces), expression_samples=3)))
    assert np.array_equal(made, maker.generate(whole, expression_samples=3))
    delta = np.random.default_rng(1).standard_normal((30, EXPRESSION)).astype(np.float32)
    kept = maker.generate(request(given=Given(delta, KNOWN), pose=np.tile(RHO, (30, 1))), expression_samples=3)
    assert np.array_equal(kept[:, :EXPRESSION][:, KNOWN], delta[:, KNOWN])


def test_windows_depend_on_the_motion_before_them():
    maker = generator()
    changed = request()
    changed.speech[:8] += 3  # another first window
    assert np.abs(maker.generate(request())[8:16] - maker.generate(changed)[8:16]).max() > 1e-4


def test_a_joint_leads_over_from_the_frame_before():
    """Without the fade the window's own motion; with it, the miss at the last repeated frame times 3/4, 2/4, 1/4."""
    settings = SampleSettings("ddim", 4, 1.5, 1.5, 10.0, 3, 3.0, 1.0, 1.0, 1)
    track = Track(0, request(), model().shape, statistics(), settings)
    track.advance()
    first = np.zeros((8, MOTION_DIM), np.float32)
    first[7] = 2.0  # the last frame
    track.take(first, None)
    track.advance()
    track.take(np.ones((8, MOTION_DIM), np.float32), None)  # repeats it as 1: misses by 1
    assert track.result[:, 0].tolist() == [1.75, 1.5, 1.25, 1, 1]
    assert np.array_equal(track.plain[-1], track.result[-1])


def test_a_batch_equals_single_requests():
    maker = generator()
    requests = [request(30), request(12, seed=4), request(9, emotion=emotion("sad")), request(20, pose="still")]
    for one, together in zip(requests, maker.generate_batch(requests), strict=True):
        np.testing.assert_allclose(together, maker.generate(one), rtol=1e-4, atol=1e-5)


def test_still_pose_is_the_portraits_own():
    for feeling in (None, emotion("happy")):
        pose = generator().generate(request(pose="still", emotion=feeling))[:, EXPRESSION:]
        np.testing.assert_allclose(pose, np.broadcast_to(RHO, pose.shape), rtol=1e-6)


def test_a_still_head_keeps_its_pose_where_statistics_are_global_too():
    """There normalised zeros are the mean pose of training, which is not the portrait's; dead dimensions neither."""
    maker = generator()
    far = np.full(7, 5.0)
    maker.statistics = replace(maker.statistics, pose_group="global", pose_center=far, pose_spread=np.full(7, 0.5))
    pose = maker.generate(request(pose="still", emotion=emotion("sad")))[:, EXPRESSION:]
    assert np.array_equal(pose, np.broadcast_to(RHO, pose.shape))


def test_driving_pose_is_returned_as_given_and_shapes_the_expression():
    rho = np.random.default_rng(1).standard_normal((30, 7)).astype(np.float32)
    driven = generator().generate(request(pose=rho))
    assert np.array_equal(driven[:, EXPRESSION:], rho)
    other = generator().generate(request(pose=rho[::-1].copy()))
    assert np.abs(driven[:, :EXPRESSION] - other[:, :EXPRESSION]).max() > 1e-4


def film(frames=30, seed=1) -> tuple[np.ndarray, np.ndarray]:
    """delta [T, 3K] and pose [T, 7] of a film."""
    motion = np.random.default_rng(seed).standard_normal((frames, MOTION_DIM)).astype(np.float32)
    return motion[:, :EXPRESSION], motion[:, EXPRESSION:]


KNOWN = np.arange(EXPRESSION) >= 3  # all but the first key point


@pytest.mark.parametrize("solver", ["ddim", "ddpm", "dpmpp"])
@pytest.mark.parametrize("feeling", [None, "happy"])
def test_given_expression_is_kept_bit_for_bit_and_shapes_what_is_generated(solver, feeling):
    delta, rho = film()
    options = {"pose": rho, "emotion": None if feeling is None else emotion(feeling)}
    made = generator(solver).generate(request(given=Given(delta, KNOWN), **options))
    assert np.array_equal(made[:, EXPRESSION:], rho)
    assert np.array_equal(made[:, :EXPRESSION][:, KNOWN], delta[:, KNOWN])
    free = made[:, :3]
    assert np.abs(free - delta[:, :3]).max() > 1e-3  # the film's own mouth is not read ...
    hidden = np.where(KNOWN, delta, 9.0).astype(np.float32)
    assert np.array_equal(free, generator(solver).generate(request(given=Given(hidden, KNOWN), **options))[:, :3])
    other = np.where(KNOWN, film(seed=2)[0], delta)
    other = generator(solver).generate(request(given=Given(other, KNOWN), **options))[:, :3]
    assert np.abs(free - other).max() > 1e-4  # ... the face around it is


def test_emotion_and_speech_move_what_is_not_given():
    delta, rho = film()
    given = Given(delta, KNOWN)
    happy, sad = (generator().generate(request(given=given, pose=rho, emotion=emotion(name)))[:, :3]
                  for name in ("happy", "sad"))
    assert np.abs(happy - sad).max() > 1e-3
    changed = request(given=given, pose=rho)
    changed.speech[:] = changed.speech[::-1].copy()
    assert np.abs(generator().generate(changed)[:, :3] - generator().generate(request(given=given, pose=rho))[:, :3]
                  ).max() > 1e-3


def test_a_given_expression_without_any_known_dimension_is_none():
    delta, rho = film()
    nothing = Given(delta, np.zeros(EXPRESSION, bool))
    made = generator().generate(request(given=nothing, pose=rho))
    assert np.array_equal(made, generator().generate(request(pose=rho)))


def test_a_given_expression_that_does_not_fit_is_refused():
    delta, rho = film()
    with pytest.raises(ValueError, match="wants a pose"):
        generator().generate(request(given=Given(delta, KNOWN)))
    for wrong in (Given(delta[:, 1:], KNOWN), Given(delta, KNOWN[1:]), Given(delta[:0], KNOWN)):
        with pytest.raises(ValueError, match="given expression must be"):
            generator().generate(request(given=wrong, pose=rho))


def test_generated_pose_stays_in_the_units_of_the_training_clips():
    maker = generator()
    pose = maker.generate(request(800), audio_scale=1.0)[:, EXPRESSION:]
    halves = np.abs((pose - RHO) / 0.3).max(axis=1).reshape(2, -1).max(axis=1)
    assert halves[1] < 2 * halves[0]  # no drift over a hundred windows


def test_time_varying_emotion_with_constant_rows_equals_a_constant_one():
    maker, happy = generator(), emotion("happy")
    constant, rows = (maker.generate(request(emotion=weights)) for weights in (happy, np.tile(happy, (30, 1))))
    np.testing.assert_allclose(constant, rows, atol=1e-5)
    late = np.tile(emotion("neutral"), (30, 1))
    late[16:] = happy
    mixed, neutral = maker.generate(request(emotion=late)), maker.generate(request(emotion=emotion("neutral")))
    np.testing.assert_allclose(mixed[:8], neutral[:8], atol=1e-5)
    assert np.abs(mixed[16:24] - neutral[16:24]).max() > 1e-3


def test_dead_dimensions_keep_their_mean():
    maker = generator()
    maker.network.model.motion_mask[0] = 0
    assert np.allclose(maker.generate(request())[:, 0], statistics().expression.mean[0])


def test_one_guided_step_is_equation_8_of_three_single_passes():
    maker, count = generator(), 2
    network, happy = maker.network.model, torch.from_numpy(emotion("happy")).expand(count, 1, 9)
    torch.manual_seed(0)
    speech, previous = torch.randn(count, 11, SPEECH_DIM), torch.randn(count, 3, MOTION_DIM)
    identity, x_t = torch.randn(count, EXPRESSION), torch.randn(count, 8, MOTION_DIM)
    known = torch.tensor([True, False])
    null = torch.zeros(count, 1, 9)
    null[..., -1] = 1

    def branch(weights, drop):
        return network(x_t, torch.full((count,), 30), speech, identity, previous, known,
                       drop_audio=torch.full((count,), drop), emotion=weights)

    expected = guide(branch(null, True), branch(null, False), branch(happy, False), 1.5, 2.0)
    given = Conditions(*(x.numpy() for x in (speech, identity, previous, known)), None, happy.numpy(), 1.5, 2.0)
    denoiser = Denoiser(maker.network, maker.alpha_bar, "x0", "ddim", [30], 100.0)
    got, _ = denoiser.run(given, x_t.numpy(), None, None)  # one step to clean data returns the guided x_0
    torch.testing.assert_close(torch.from_numpy(got), expected, rtol=1e-4, atol=1e-5)


def test_frames_behind_the_end_are_not_computed_and_change_nothing():
    maker, seen = generator(), []
    trunk = maker.network.model.trunk
    maker.network.model.trunk = lambda noisy, *given: seen.append(noisy.shape[1]) or trunk(noisy, *given)
    maker.generate(request(17, emotion=emotion("happy")))  # windows of 8, 5 and 4 new frames; 4 steps, two motions
    assert seen == [8] * 8 + [8] * 8 + [7] * 8
    drawn = partial(np.random.default_rng(0).standard_normal, dtype=np.float32)
    speech, noise = drawn((1, 11, SPEECH_DIM)), drawn((1, 8, MOTION_DIM))
    given = Conditions(speech, drawn((1, EXPRESSION)), drawn((1, 3, MOTION_DIM)), np.array([True]),
                       (np.arange(11) < 6)[None], np.tile(emotion("sad"), (1, 11, 1)), 1.5, 2.0)
    short = replace(given, speech=speech[:, :6], mask=None, emotion=given.emotion[:, :6])
    denoiser = Denoiser(maker.network, maker.alpha_bar, "x0", "ddim", [49, 30, 10, 0], 100.0)
    whole, _ = denoiser.run(given, noise, None, None)
    np.testing.assert_allclose(denoiser.run(short, noise[:, :3], None, None)[0], whole[:, :3], rtol=1e-4, atol=1e-5)


def test_faces_are_taken_for_the_nearest_within_the_limit():
    """The training faces: mean 1, deviation 0.5; with a limit of 2 deviations x_c lies between 0 and 2."""
    maker = generator()
    maker.network.model.identity_norm.fit(torch.full((EXPRESSION,), 1.0), torch.full((EXPRESSION,), 0.5))

    def made(value: float, limit: float) -> np.ndarray:
        return maker.generate(request(x_c=np.full((K, 3), value, np.float32)), identity_limit=limit)

    assert np.array_equal(made(7.0, 2.0), made(2.0, 2.0)) and np.array_equal(made(-7.0, 2.0), made(0.0, 2.0))
    assert np.array_equal(made(1.9, 2.0), made(1.9, 100.0))
    assert not np.array_equal(made(7.0, 100.0), made(2.0, 100.0))
    assert np.array_equal(made(7.0, 0.0), made(1.0, 0.0))


def test_bad_requests_say_what_is_wrong():
    stage_one = MotionGenerator(TorchNetwork(model()), alpha_bars("linear", 50), "x0", statistics(), CORE8,
                                SampleSettings("ddim", 4, 1.5, 1.5, 10.0, 2, 3.0, 1.0, 1.0, 1))
    with pytest.raises(ValueError, match="no emotion control"):
        stage_one.generate(request(emotion=emotion("happy")))
    with pytest.raises(ValueError, match=r"\[T, 6\].*\[30, 5\]"):
        stage_one.generate(request(speech=np.zeros((30, 5), np.float32)))
    for bad in (np.zeros((30, 6), np.float32), np.zeros((0, 7), np.float32)):
        with pytest.raises(ValueError, match=r"a pose to follow must be \[T, 7\]"):
            stage_one.generate(request(pose=bad))
    with pytest.raises(ValueError, match=r"unknown pose 'nodding'"):
        stage_one.generate(request(pose="nodding"))
    with pytest.raises(ValueError, match=r"x_c must be \[3, 3\]"):
        stage_one.generate(request(x_c=np.zeros((4, 3), np.float32)))
    with pytest.raises(ValueError, match="9 columns, got 12"):
        generator().generate(request(emotion=np.eye(12, dtype=np.float32)[0]))


def test_rewindow_cuts_pieces_of_any_length():
    values = np.arange(20, dtype=np.float32).reshape(10, 2)
    windows = list(rewindow(iter([values[:1], values[1:8], values[8:]]), 4, 3, 2))
    assert [len(window) for window in windows] == [4, 3, 3]
    assert np.array_equal(np.concatenate(windows), values)
    assert list(rewindow(values[:0], 4, 3, 2)) == []

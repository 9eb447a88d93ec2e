"""Which frame is shown when; the film's motion on the model's clock; runs of frames; the sound's length and mix."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

from models.motion.film_space import PixelSquare
from models.motion.motion import Motion
from pipeline.dub.dubber import pad, runs
from pipeline.dub.follow import LEAD_FRAMES, Followed, frame_squares, mean_square, shares
from pipeline.dub.plan import Showing, at_time, known_motion, show
from pipeline.dub.sound import mix, to_length

TIMES = tuple(F(1, 2) + F(i, 10) for i in range(5))   # half a second long, beginning at 0.5 s


def test_a_film_as_long_as_its_speech_is_shown_as_it_is():
    found = show(TIMES, F(10), 0.5, "trim")
    assert found.frames.tolist() == [0, 1, 2, 3, 4] and found.times == tuple(F(i, 10) for i in range(5))
    assert found.note is None and found.duration_s == F(1, 2)


@pytest.mark.parametrize(("fit", "speech_s", "frames", "words"), [
    ("trim", 0.25, [0, 1, 2], "the film is cut where the speech ends"),
    ("trim", 0.9, [0, 1, 2, 3, 4], "the speech is cut where the film ends"),
    ("hold", 0.25, [0, 1, 2, 3, 4], "the mouth rests"),
    ("loop", 0.25, [0, 1, 2, 3, 4], "the mouth rests"),
    ("hold", 0.75, [0, 1, 2, 3, 4, 4, 4, 4], "last frame is held"),
    ("loop", 1.25, [0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3, 4], "backwards and forwards")])
def test_fits(fit, speech_s, frames, words):
    found = show(TIMES, F(10), speech_s, fit)
    assert found.frames.tolist() == frames and words in found.note
    assert found.times == tuple(F(i, 10) for i in range(len(frames)))


def test_backwards_a_frame_lasts_as_long_as_forwards():
    found = show((F(0), F(1, 10), F(4, 10)), F(5), 1.2, "loop")
    assert found.frames.tolist() == [0, 1, 2, 1, 0, 1]
    assert found.times == tuple(F(i, 10) for i in (0, 1, 4, 7, 8, 9))


def test_a_film_of_one_frame_is_held_whatever_is_asked():
    for fit in ("hold", "loop"):
        assert show((F(3),), F(10), 0.35, fit).frames.tolist() == [0] * 4


def test_an_unknown_fit_is_refused():
    with pytest.raises(ValueError, match="accepted are trim, hold, loop"):
        show(TIMES, F(10), 1, "stretch")


@pytest.mark.parametrize(("frames", "found"), [
    ([0, 1, 2], [(0, 3)]), ([0, 1, 2, 2, 2], [(0, 3), (3, 5)]), ([0, 1, 2, 1, 0, 1, 2], [(0, 3), (3, 5), (5, 7)]),
    ([0, 1, 2, 1], [(0, 3), (3, 4)]), ([0, 1, 0, 1], [(0, 2), (2, 4)]), ([0], [(0, 1)]), ([0, 0, 0], [(0, 3)])])
def test_runs(frames, found):
    assert runs(np.array(frames)) == found


class OneNumber:
    """A space whose row is the first delta."""

    def motion(self, rows, x_c, square):
        zeros = np.zeros((len(rows), 3), np.float32)
        delta = np.zeros((len(rows), 1, 3), np.float32)
        delta[:, 0, 0] = rows[:, 0]
        return Motion(x_c, delta, zeros, zeros, zeros[:, :1] + 1)


def followed(values, share=None, shot_of=None) -> Followed:
    count = len(values)
    return Followed(np.array(values, np.float32)[:, None], np.zeros((1, 3), np.float32),
                    np.ones(count) if share is None else np.array(share, float), (PixelSquare(0, 0, 2),) * 2,
                    np.zeros(count, int) if shot_of is None else np.array(shot_of), (None, None), 0, 0)


def test_motion_between_frames_is_interpolated_within_a_shot(tmp_path):
    showing = Showing(np.arange(3), (F(0), F(1, 10), F(2, 10)), None)   # 10 frames a second
    made = known_motion(showing, followed([0, 10, 20]), OneNumber(), tmp_path)
    np.testing.assert_allclose(made[:, 0], [0, 4, 8, 12, 16, 20, 20, 20], atol=1e-5)   # every 40 ms, the last one held
    made = known_motion(showing, followed([0, 10, 20], shot_of=[0, 1, 1]), OneNumber(), tmp_path)
    np.testing.assert_allclose(made[:, 0], [0, 10, 10, 12, 16, 20, 20, 20], atol=1e-5)
    made = known_motion(showing, followed([9, 99, 19], share=[1, 0, 1]), OneNumber(), tmp_path)
    np.testing.assert_allclose(made[:5, 0], [9, 9, 9, 11, 15], atol=1e-5)   # a frame that cannot be drawn is not read


def test_motion_is_read_between_its_frames():
    motion = np.array([[0.0], [10], [30]], np.float32)
    assert [float(at_time(motion, t)[0]) for t in (F(0), F(1, 50), F(3, 50), F(2, 25), F(9))] == [0, 5, 20, 30, 30]


def test_the_new_mouth_leads_over_to_frames_that_pass_through_but_not_over_a_cut():
    drawable, shot = np.ones(30, bool), np.repeat([0, 1], 15)
    drawable[4] = False
    share = shares(drawable, shot)
    np.testing.assert_allclose(share[:10] * LEAD_FRAMES, [4, 3, 2, 1, 0, 1, 2, 3, 4, 5])
    drawable[15:] = False
    assert shares(drawable, shot)[14] == 1 and (shares(drawable, shot)[15:] == 0).all()


def test_squares_follow_the_face_smoothly_and_poses_have_one():
    boxes = np.array([[10.0, 20, 30, 40]] * 60)
    boxes[30:] += 10
    squares = frame_squares(boxes)
    assert squares[0] == PixelSquare(-2, 4, 44)    # 2.2 x 20 around (20, 30 - 0.1 x 44)
    assert squares[-1] == PixelSquare(8, 14, 44) and np.abs(np.diff([one.left for one in squares])).max() <= 1
    assert mean_square(squares) == PixelSquare(3, 9, 44)
    np.testing.assert_allclose(PixelSquare(8, 14, 44).from_crop(np.array([[-1.0, -1], [0, 1]])),
                               [[7.5, 13.5], [29.5, 57.5]])


def test_features_are_padded_by_their_last_frame():
    pieces = list(pad(iter([np.zeros((3, 2)), np.ones((2, 2))]), 60))
    assert [len(piece) for piece in pieces] == [3, 2, 25, 25, 5] and pieces[-1].min() == 1


def test_sound_has_the_films_length():
    ten = [np.ones((1, 6), np.float32), np.ones((1, 4), np.float32)]
    assert np.concatenate(list(to_length(iter(ten), 1, 8)), axis=1).tolist() == [[1] * 8]
    assert np.concatenate(list(to_length(iter(ten), 1, 12)), axis=1).tolist() == [[1] * 10 + [0] * 2]


def test_the_films_own_sound_lies_under_the_speech():
    own = np.array([[0.2, 0.4], [0.2, 0.4], [4.0, 0.4]], np.float32)   # [M, C]
    spoken = [np.full((2, 2), 0.5, np.float32), np.zeros((2, 2), np.float32)]
    got = np.concatenate(list(mix(iter(spoken), own, 0.5)), axis=1)
    np.testing.assert_allclose(got, [[0.6, 0.6, 1, 0], [0.7, 0.7, 0.2, 0]], atol=1e-6)

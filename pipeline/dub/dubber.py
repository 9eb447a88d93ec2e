"""New speech for a film: its mouth follows the new words, all else of it stays.

    animator = Animator.from_bundle(Path("data/models/emotion"))
    dub_to_file(animator, "film.mp4", "speech.wav", Path("out.mp4"), direction=Direction(emotion="happy"))

The film is read three times, in parts: to see who is in it (`cast`), to see the face (`follow`), and to draw it. What
is known of frames lies in files meanwhile: memory does not grow with the film.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.generation.directing import direct
from models.generation.request import Given, Request
from models.motion.clock import FPS, SAMPLE_RATE_HZ
from models.motion.film_space import FilmSpace
from models.motion.motion import RHO_DIM
from pipeline.animate.animator import Animator
from pipeline.animate.direction import Direction
from pipeline.animate.emotion import as_weights
from pipeline.animate.features import whole_features
from pipeline.animate.portrait import draw_boxes
from pipeline.animate.rest import with_rest
from pipeline.animate.speech import Speech, read_speech
from pipeline.components.film_space import film_space, identity_of_faces
from pipeline.compute.prefetch import prefetch
from pipeline.core.atomic import check_not_read
from pipeline.dub.cast import Cast, choose_person, find_cast, rivals
from pipeline.dub.follow import Followed, follow
from pipeline.dub.plan import Showing, at_time, check_fit, known_motion, scratch, show
from pipeline.dub.quality import film_crf
from pipeline.dub.reader import DubError, FilmReader, SmallPicture
from pipeline.dub.sound import check_gain, dubbed_sound
from pipeline.media.film import write_video
from pipeline.media.lettering import VisibleMark

if TYPE_CHECKING:
    from pipeline.animate.credentials import Credentials

MAX_FILM_S = 4 * 3600.0   # as of speech
AHEAD_BYTES = 100e6      # of pictures that are drawn before they are written
OF_THE_FILM = ("pose_scale", "blink", "gaze", "pose_guidance", "like")   # dials that have no mouth in them
Film = Path | str | bytes
Tell = Callable[[str], None]
log = logging.getLogger(__name__)


class SeveralPeopleError(DubError):
    """More than one person could be meant, and none was chosen; `picture` [H, W, 3] numbers them."""

    def __init__(self, message: str, picture: np.ndarray):
        super().__init__(message)
        self.picture = picture


class Dub:
    """One film made ready for new speech; close it (a context manager).

    Raises DubError for a film that cannot be read or has no face that can be drawn, SeveralPeopleError where nobody can
    know whose mouth is meant and no `face` says it. `limit_s`: a longer film is refused.
    """

    def __init__(self, animator: Animator, film: Film, face: int | None = None, tell: Tell = log.warning,
                 limit_s: float = MAX_FILM_S):
        self.animator, self.space = animator, film_space(animator.head.space)
        self._folder = tempfile.TemporaryDirectory(prefix="playmate-")
        self.reader = FilmReader(film)
        try:
            self.cast = find_cast(within(self.reader.small(), limit_s), animator.detector, identity_of_faces())
            if face is None and rivals(self.cast):
                raise SeveralPeopleError(f"the film has {len(self.cast.people)} people who could be meant",
                                         draw_boxes(self.cast.sample, self.cast.sample_boxes))
            person = choose_person(self.cast, face)
            self.followed = follow(self.reader, self.cast, person, self.space, Path(self._folder.name))
        except BaseException:
            self.close()
            raise
        for note in notes(self.cast, self.followed, self.space):
            tell(note)

    def plan(self, speech: Speech, fit: str) -> Showing:
        """Which frames are shown when."""
        return show(self.cast.times, self.cast.rate, speech.duration_s, fit)

    def motion(self, speech: Speech, showing: Showing, direction: Direction) -> np.ndarray:
        """The new motion [M, 3K + 7] at 25 fps: generated where the mouth is, the film's everywhere else."""
        check_direction(direction)
        head = self.animator.head
        settings, folder = direction.settings(), Path(self._folder.name)
        known = known_motion(showing, self.followed, self.space, folder)
        frames = len(known)
        wave = speech.waveform[:round(frames * SAMPLE_RATE_HZ / FPS)]
        weights = as_weights(direction.emotion, self.animator.labels, frames, FPS)
        features = pad(whole_features(self.animator.encoder, wave, max(1, min(
            frames, round(len(wave) * FPS / SAMPLE_RATE_HZ)))), frames)
        awake = self.animator.awake(direction)
        if awake is not None:
            features = awake.along(features, wave)
        x_c = self.followed.x_c.astype(np.float32)
        request = Request(features, x_c, known[0, -RHO_DIM:], weights, known[:, -RHO_DIM:], direction.seed,
                          given=Given(known[:, :-RHO_DIM], np.repeat(~self.space.mouth, 3)),
                          curves=direction.curves(head.generator.settings, frames), guided=direction.part())
        windows = direct(head.space, head.generator.stream(request, **settings), request, head.generator.rest)
        if awake is not None:
            windows = with_rest(head.space, x_c, windows, awake)
        made = scratch(folder, known.shape)
        done = 0
        for window in windows:
            made[done:done + len(window)] = window
            done += len(window)
        return made

    def frames(self, showing: Showing, motion: np.ndarray) -> Iterator[np.ndarray]:
        """The dubbed film's pictures [H, W, 3] RGB uint8, sides cut to even ones, at the times of `showing`."""
        followed = self.followed
        with closing(self._pictures(showing)) as pictures:
            for picture, frame, time in zip(pictures, showing.frames.tolist(), showing.times, strict=True):
                drawn, share = picture, float(followed.share[frame])
                if share > 0:
                    delta = at_time(motion, time)[:-RHO_DIM].reshape(-1, 3).astype(np.float64)
                    drawn = picture.copy()
                    self.space.redraw(drawn, np.asarray(followed.rows[frame], np.float64), followed.x_c, delta,
                                      followed.insides[int(followed.shot_of[frame])], share)
                yield drawn[:drawn.shape[0] // 2 * 2, :drawn.shape[1] // 2 * 2]

    def _pictures(self, showing: Showing) -> Generator[np.ndarray, None, None]:
        """The film's own pictures in the order in which they are shown."""
        frames, size, last = showing.frames, self.cast.size, None
        part = max(1, int(AHEAD_BYTES / (3 * size[0] * size[1])))
        for first, end in runs(frames):
            begin, stop = int(frames[first]), int(frames[end - 1])
            if last is not None and begin == stop == frames[first - 1]:   # held
                yield from (last for _ in range(first, end))
            elif stop >= begin:
                with closing(self.reader.pictures(size, self._start(begin), stop - begin + 1)) as forwards:
                    for last in forwards:
                        yield last
                yield from (last for _ in range(end - first - (stop - begin + 1)) if last is not None)
            else:   # backwards, part by part
                for above in range(begin + 1, stop, -part):
                    low = max(above - part, stop)
                    with closing(self.reader.pictures(size, self._start(low), above - low)) as forwards:
                        yield from reversed(list(forwards))

    def _start(self, frame: int) -> Fraction | None:
        return self.cast.times[frame] if frame else None

    def close(self) -> None:
        self.reader.close()
        self._folder.cleanup()

    def __enter__(self) -> Dub:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def dub_to_file(animator: Animator, film: Film, speech: Path | str | bytes | np.ndarray | Speech, out: Path | str,
                face: int | None = None, fit: str = "trim", keep_sound_db: float | None = None,
                direction: Direction | None = None, credentials: Credentials | bool = True, mark: str | None = None,
                progress: Callable[[np.ndarray, Showing], None] | None = None, tell: Tell = log.warning,
                limit_s: float = MAX_FILM_S) -> int:
    """Write the film with the mouth and the sound of new speech, at its own size and times; returns its frames.

    `face`: whose mouth, by the number that `SeveralPeopleError` draws. `fit`: see `pipeline.dub.plan.show`.
    `keep_sound_db`: the film's own sound stays under the speech, changed by so many decibels. `progress(picture,
    showing)` is called with every picture and what is shown when. The file says that it is synthetic and carries
    content credentials that say *edited*, with the film as what was edited. Raises DubError, SpeechError, ValueError
    (unknown emotion or fit), CredentialsError.
    """
    from pipeline.animate.provenance import Edited, generation_facts, metadata_tags, signing

    check_not_read(Path(out), [film, speech])
    direction = direction or Direction()
    check_direction(direction)
    check_fit(fit)
    check_gain(keep_sound_db)
    heard = read_speech(speech)
    facts = generation_facts(animator.version, emotion=direction.emotion, seed=direction.seed, edited="mouth and sound")
    draw = None if mark is None else VisibleMark(mark)
    with Dub(animator, film, face, tell, limit_s) as dub:
        finish = signing(facts, credentials, Edited(dub.reader.media))
        showing = dub.plan(heard, fit)
        for note in (*heard.notes, *([showing.note] if showing.note else [])):
            tell(note)
        crf = film_crf(dub.reader, dub.cast)
        sound = dubbed_sound(dub.reader, heard, dub.cast.times[0], showing.duration_s, keep_sound_db, tell)
        made = _finish(dub.frames(showing, dub.motion(heard, showing, direction)), draw, progress, showing)
        ahead_frames = max(1, min(16, int(AHEAD_BYTES / (3 * dub.cast.size[0] * dub.cast.size[1]))))
        with closing(prefetch(made, ahead_frames)) as ahead:
            return write_video(Path(out), ahead, film_rate(dub.cast, showing), sound, crf=crf,
                               tags=metadata_tags(facts), finish=finish, times=iter(showing.times),
                               colours=dub.cast.colours)


def check_direction(direction: Direction) -> None:
    """Raise ValueError for values out of their range, and for dials of what is the film's."""
    direction.settings()
    for name in OF_THE_FILM:
        if getattr(direction, name) is not None:
            raise ValueError(f"{name}: head and eyes are the film's own, only its mouth can be directed")


def within(pictures: Iterator[SmallPicture], limit_s: float) -> Iterator[SmallPicture]:
    """The same pictures; raises DubError at one that comes more than `limit_s` after the first."""
    start = None
    for small in pictures:
        start = small.time if start is None else start
        if small.time - start > limit_s:
            raise DubError(f"the film is longer than {limit_s:g} s: cut it into parts")
        yield small


def film_rate(cast: Cast, showing: Showing) -> Fraction:
    """Frames a second: the header's where the film keeps to it, else the average."""
    average = 1 / showing.step
    return cast.rate if abs(cast.rate / average - 1) < Fraction(1, 200) else average.limit_denominator(1001)


def notes(cast: Cast, followed: Followed, space: FilmSpace) -> list[str]:
    """What somebody who gave the film should know, in words."""
    said, count = [], len(cast.times)
    if followed.turned:
        said.append(f"in {followed.turned} of {count} frames the face is turned more than {space.max_yaw_deg:g} degrees"
                    f" to the side or {space.max_pitch_deg:g} up or down: they pass through as they are")
    if followed.missing:
        said.append(f"in {followed.missing} of {count} frames the face is not seen: they pass through as they are")
    if len(cast.people) > 1:
        said.append(f"the film has {len(cast.people)} people; --face N says whose mouth speaks")
    if any(side % 2 for side in cast.size):
        said.append(f"the film has {cast.size[0]}x{cast.size[1]} pixels: an odd side loses its last line")
    return said


def runs(frames: np.ndarray) -> list[tuple[int, int]]:
    """Stretches [first, end) of frame numbers [N] in which they go up by one, down by one, or stay."""
    steps, edges = np.diff(frames), [0]
    for i in range(1, len(steps)):
        if steps[i] != steps[i - 1] and i > edges[-1]:
            edges.append(i + 1)
    return list(zip(edges, [*edges[1:], len(frames)], strict=True))


def pad(features: Iterator[np.ndarray], frames: int) -> Iterator[np.ndarray]:
    """Pieces of features [n, D], the last frame repeated until there are `frames`."""
    done, last = 0, None
    for piece in features:
        done, last = done + len(piece), piece[-1:]
        yield piece
    while last is not None and done < frames:
        more = min(frames - done, FPS)
        done += more
        yield np.repeat(last, more, axis=0)


def _finish(frames: Iterator[np.ndarray], draw: VisibleMark | None,
            progress: Callable[[np.ndarray, Showing], None] | None, showing: Showing) -> Iterator[np.ndarray]:
    for frame in frames:
        finished = frame if draw is None else draw(frame)
        if progress is not None:
            progress(finished, showing)
        yield finished



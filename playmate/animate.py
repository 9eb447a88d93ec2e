"""`playmate animate`: portraits and speeches in, films out, with progress, a preview and errors that say what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from models.motion.clock import FPS, SAMPLE_RATE_HZ
from pipeline.animate.direction import Direction
from pipeline.animate.portrait import PortraitError, SeveralFacesError, read_portrait, rivals
from pipeline.animate.speech import Speech, SpeechError, read_speech
from pipeline.core.atomic import atomic_path, check_not_read
from playmate.contact_sheet import ContactSheet

if TYPE_CHECKING:   # they load the networks' libraries, which takes seconds: inputs are checked before
    from pipeline.animate.animator import Animator, Portrait
    from pipeline.animate.credentials import Credentials

Input = TypeVar("Input")
console = Console(stderr=True)
LOOK_S = 60                 # speech is looked for minute by minute, until there is some
MIN_SPEECH_S = 0.3
POSES = ("generated", "still")
SHEET_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class Settings:
    """Options of the command; None leaves the model's own value.

    `speech_share` tells the share of a waveform's time in which somebody speaks; None: nobody looks.
    """

    direction: Direction = field(default_factory=Direction)
    pose: str = "generated"
    face: int | None = None
    track: int | None = None
    preview: Path | None = None
    paste_back: bool = False
    mark: str | None = None
    credentials: bool = True
    certificate: Path | None = None
    private_key: Path | None = None
    speech_share: Callable[[np.ndarray], float] | None = None

    def signer(self) -> Credentials | bool:
        """Who signs the film; raises as the function of that name."""
        return signer(self.credentials, self.certificate, self.private_key)


def signer(credentials: bool, certificate: Path | None, private_key: Path | None) -> Credentials | bool:
    """Who signs a film, as `animate_to_file` takes it; raises ValueError for half a pair."""
    if (certificate is None) != (private_key is None):
        raise ValueError("--certificate and --private-key belong together: give both or none")
    if certificate is not None and private_key is not None:
        from pipeline.animate.credentials import own_credentials

        return own_credentials(certificate, private_key)
    return credentials


def animate(portraits: Sequence[Path], speeches: Sequence[Path], out: Path, model: str | None,
            settings: Settings, detector: str | None = None, provider: str = "cpu") -> list[Path]:
    """Animate every portrait with every speech; returns the films written.

    One portrait and one speech make the file `out`, or `<portrait>_<speech>.mp4` where that is a folder; with several
    it is one, and what cannot be made does not stop the others: it is named in a ValueError at the end. `model`: a
    bundle folder or `models:/NAME@ALIAS`; None: see `pipeline.animate.load`. Inputs and outputs are checked before the
    networks' libraries are loaded.
    """
    several = len(portraits) * len(speeches) > 1
    jobs = [(portrait, speech, out_path(out, portrait, speech, several))
            for portrait in portraits for speech in speeches]
    if settings.pose not in POSES and not Path(settings.pose).is_file():
        raise ValueError(f"--pose {settings.pose}: generated, still, or a video file, and no such file is there")
    settings.direction.check()
    if len({path for _, _, path in jobs}) < len(jobs):
        raise ValueError("two films would have the same name: portraits and speeches need different file names")
    signed = settings.signer()
    places = {path for _, _, path in jobs}
    if settings.preview is not None:
        places |= {sheet_path(settings.preview, path, several) for path in places}
    videos = [] if settings.pose in POSES else [Path(settings.pose)]
    videos += [settings.direction.like] if isinstance(settings.direction.like, Path) else []
    for place in places:
        check_writable(place, [*portraits, *speeches, *videos])
    console.print(f"reading {_count_of(portraits, 'portrait')} and {_count_of(speeches, 'speech')}", highlight=False)
    pictures = _read(portraits, _picture, several)
    sounds = _read(speeches, lambda path: read_speech(path, track=settings.track), several)
    console.print("loading the model", highlight=False)
    animator, which = load_animator(model, detector, provider)
    console.print(f"model: {which}", highlight=False, soft_wrap=True)
    films, failures = [], []
    for portrait, speech, path in jobs:
        try:
            picture, heard = _or_raise(pictures[portrait]), _or_raise(sounds[speech])
            _one(animator, portrait, picture, speech, heard, path, settings, signed, several)
            films.append(path)
        except ValueError as error:
            if not several:
                raise
            failures.append(f"{path.name}: {error}")
            console.print(f"not made: {failures[-1]}", highlight=False, soft_wrap=True, markup=False)
    if failures:
        raise ValueError(f"{len(failures)} of {len(jobs)} films were not made:\n" + "\n".join(failures))
    return films


def load_animator(model: str | None, detector: str | None, provider: str) -> tuple[Animator, str]:
    """As `pipeline.animate.load` does, which is imported now."""
    from pipeline.animate import load

    return load.load_animator(model, detector, provider)


def out_path(out: Path, portrait: Path, speech: Path, several: bool) -> Path:
    """`out` itself, or a name in it where it is a folder or named like one; raises ValueError for another file."""
    if out.is_dir() or not out.suffix:
        return out / f"{portrait.stem}_{speech.stem}.mp4"
    if several:
        raise ValueError(f"{out}: several films need a folder, and this is named like a file")
    if out.suffix.lower() != ".mp4":
        raise ValueError(f"{out}: the output must end in .mp4, or be a folder")
    return out


def check_writable(path: Path, inputs: Sequence[Path]) -> None:
    """Make the folder of `path`; raises ValueError where no file can be made in it, and for a file that is read."""
    check_not_read(path, inputs)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix):   # a name as long
            pass
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from error


def _count_of(paths: Sequence[Path], what: str) -> str:
    plural = {"portrait": "portraits", "speech": "speeches"}
    return f"{len(paths)} {what if len(paths) == 1 else plural[what]}"


def _read(paths: Sequence[Path], read: Callable[[Path], Input], several: bool) -> dict[Path, Input | ValueError]:
    """Each file as `read` gives it, or why it cannot be used; of a single one that is raised."""
    found: dict[Path, Input | ValueError] = {}
    for path in dict.fromkeys(paths):
        try:
            found[path] = read(path)
        except ValueError as error:
            if not several:
                raise
            found[path] = error
    return found


def _or_raise(found: Input | ValueError) -> Input:
    if isinstance(found, ValueError):
        raise found
    return found


def _picture(path: Path) -> np.ndarray:
    try:
        return read_portrait(path)
    except PortraitError as error:
        raise PortraitError(f"{path}: {error}") from error


def sheet_path(preview: Path, out: Path, several: bool) -> Path:
    """Where the contact sheet of the film `out` goes: a picture, or a folder, which several films need."""
    if several or preview.is_dir():
        if preview.suffix and not preview.is_dir():
            raise ValueError(f"--preview {preview}: several films need a folder for their contact sheets")
        return preview / f"{out.stem}.png"
    if preview.suffix.lower() not in SHEET_SUFFIXES:
        raise ValueError(f"--preview {preview}: a contact sheet ends in {', '.join(SHEET_SUFFIXES)}")
    return preview


def _one(animator: Animator, portrait: Path, picture: np.ndarray, speech: Path, heard: Speech, out: Path,
         settings: Settings, signed: Credentials | bool, several: bool) -> None:
    from pipeline.animate.animator import frame_count

    check_speech(heard.waveform, speech, settings.speech_share)
    source = _portrait(animator, portrait, picture, out, settings.face)
    frames = frame_count(heard.waveform)
    sheet = ContactSheet(frames, FPS)
    pose = settings.pose if settings.pose in POSES else Path(settings.pose)
    with progress_bar() as progress:
        task = progress.add_task(out.name, total=frames)

        def step(frame) -> None:
            sheet.see(frame)
            progress.advance(task)

        try:
            animator.animate_to_file(
                source, heard, out, progress=step, credentials=signed, mark=settings.mark, tell=_tell, pose=pose,
                paste_back=settings.paste_back, **settings.direction.as_keywords())
        except OSError as error:   # a full disk: the encoder names no file
            if error.filename is not None or error.strerror is None:
                raise
            raise OSError(error.errno, error.strerror, str(out)) from error
        speed = progress.tasks[task].finished_speed or progress.tasks[task].speed
    rate = "" if speed is None else f", {speed:.1f} fps"
    console.print(f"{out}: {frames} frames, {frames / FPS:.1f} s{rate}, model {animator.version}, "
                  f"seed {settings.direction.seed}", highlight=False, soft_wrap=True)
    if settings.preview is not None:
        place = sheet_path(settings.preview, out, several)
        sheet.save(place)
        console.print(f"{place}: contact sheet", highlight=False, soft_wrap=True)


def _tell(note: str) -> None:
    console.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)


def speech_share(waveform: np.ndarray) -> float:
    """Share of the time [samples at 16 kHz] in which somebody speaks, by the voice-activity network."""
    from models.judges.voice import VoiceActivity
    from pipeline.weights.table import weight_path

    return VoiceActivity(weight_path("silero_vad")).speech_share(waveform)


def check_speech(waveform: np.ndarray, path: Path, share: Callable[[np.ndarray], float] | None) -> None:
    """Raise SpeechError where nobody speaks."""
    if share is None:
        return
    minute, heard_s = LOOK_S * SAMPLE_RATE_HZ, 0.0
    for start in range(0, len(waveform), minute):
        piece = waveform[start:start + minute]
        heard_s += share(piece) * len(piece) / SAMPLE_RATE_HZ
        if heard_s >= min(MIN_SPEECH_S, 0.5 * len(waveform) / SAMPLE_RATE_HZ):
            return
    raise SpeechError(f"{path}: no speech is heard in {len(waveform) / SAMPLE_RATE_HZ:.1f} s of sound "
                      f"({heard_s:.1f} s of voice); --any-sound animates it all the same")


def _portrait(animator: Animator, path: Path, picture: np.ndarray, out: Path, face: int | None) -> Portrait:
    """The portrait; raises PortraitError. Of several faces the largest is taken where no other is nearly as large;
    a picture that numbers them is written."""
    try:
        portrait = animator.portrait(picture, face)
    except PortraitError as error:
        raise PortraitError(f"{path}: {error}") from error
    if len(portrait.faces) == 1 or face is not None:
        return portrait
    numbers = out.with_name(f"{out.stem}_faces.png")
    with atomic_path(numbers) as temporary:
        save_picture(animator.numbered_faces(picture), temporary)
    found = f"{path} has {len(portrait.faces)} faces; {numbers} numbers them"
    if rivals(portrait.faces):
        raise SeveralFacesError(f"{found}: choose one with --face N")
    console.print(f"{found}. The largest is animated; --face N chooses another", highlight=False, soft_wrap=True)
    return portrait


def save_picture(image: np.ndarray, path: Path) -> None:
    """Write a picture [H, W, 3] by the format that the name says."""
    from PIL import Image

    Image.fromarray(image).save(path)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} fps")


def progress_bar() -> Progress:
    """A bar with frames a second and the time that is left."""
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TextColumn("left"),
                    TimeRemainingColumn(), console=console, transient=True)

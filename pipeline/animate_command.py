"""`playmate animate`: portraits and speeches in, films out, with progress, a preview and errors that say what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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

from pipeline import paths
from pipeline.animator import FPS, Animator, frame_count
from pipeline.atomic import atomic_path
from pipeline.contact_sheet import ContactSheet
from pipeline.portrait import PortraitError
from pipeline.speech_input import read_speech

console = Console(stderr=True)


@dataclass(frozen=True)
class Settings:
    """Options of the command; None leaves the model's own value."""

    emotions: Sequence[str] = ()
    pose: str = "generated"
    audio_scale: float | None = None
    emotion_scale: float | None = None
    steps: int | None = None
    seed: int = 0
    face: int | None = None
    preview: Path | None = None


def animate(portraits: Sequence[Path], speeches: Sequence[Path], out: Path, model: str | None,
            settings: Settings) -> list[Path]:
    """Animate every portrait with every speech; returns the films written.

    One portrait and one speech make the file `out`; with several, `out` is a folder of `<portrait>_<speech>.mp4`.
    `model`: a bundle folder or `models:/NAME@ALIAS`; None: the trained model of this project, else the shipped one.
    """
    animator = load_animator(model)
    jobs = [(portrait, speech, out_path(out, portrait, speech, len(portraits) * len(speeches) > 1))
            for portrait in portraits for speech in speeches]
    if len({path for _, _, path in jobs}) < len(jobs):
        raise ValueError("two films would have the same name: portraits and speeches need different file names")
    for portrait, speech, path in jobs:
        _one(animator, portrait, speech, path, settings)
    return [path for _, _, path in jobs]


def load_animator(model: str | None) -> Animator:
    """The animator of `--model`; raises what loading raises, FileNotFoundError where there is no model at all."""
    if model is not None and model.startswith("models:"):
        return Animator.from_registry(model)
    if model is not None:
        return Animator.from_bundle(Path(model))
    for folder in (paths.EMOTION_BUNDLE, paths.SHIPPED):
        if (folder / "bundle.json").is_file():
            return Animator.from_bundle(folder)
    raise FileNotFoundError(f"no model: neither {paths.EMOTION_BUNDLE} nor {paths.SHIPPED} is there; run "
                            "`make demo`, or name one with --model")


def out_path(out: Path, portrait: Path, speech: Path, several: bool) -> Path:
    """`out` itself, or a name in the folder `out`; raises ValueError for a file that is not .mp4."""
    if several:
        return out / f"{portrait.stem}_{speech.stem}.mp4"
    if out.suffix.lower() != ".mp4":
        raise ValueError(f"{out}: the output must end in .mp4")
    return out


def _one(animator: Animator, portrait: Path, speech: Path, out: Path, settings: Settings) -> None:
    waveform = read_speech(speech)
    source = _portrait(animator, portrait, out, settings.face)
    frames = frame_count(waveform)
    sheet = ContactSheet(frames, FPS)
    pose = settings.pose if settings.pose in ("generated", "still") else Path(settings.pose)
    emotion = list(settings.emotions) or None
    with _progress() as progress:
        task = progress.add_task(out.name, total=frames)

        def step(frame) -> None:
            sheet.see(frame)
            progress.advance(task)

        animator.animate_to_file(
            source, waveform, out, progress=step, emotion=emotion, pose=pose, audio_scale=settings.audio_scale,
            emotion_scale=settings.emotion_scale, steps=settings.steps, seed=settings.seed)
    console.print(f"{out}: {frames} frames, {frames / FPS:.1f} s, model {animator.version}, seed {settings.seed}",
                  highlight=False)
    if settings.preview is not None:
        place = settings.preview / f"{out.stem}.png" if settings.preview.is_dir() else settings.preview
        sheet.save(place)
        console.print(f"{place}: contact sheet", highlight=False)


def _portrait(animator: Animator, path: Path, out: Path, face: int | None):
    """The portrait; where it has several faces and none was chosen, a picture that numbers them is written."""
    try:
        portrait = animator.portrait(path, face)
    except PortraitError as error:
        raise PortraitError(f"{path}: {error}") from error
    if len(portrait.faces) > 1 and face is None:
        numbers = out.with_name(f"{out.stem}_faces.png")
        with atomic_path(numbers) as temporary:
            _save(animator.numbered_faces(path), temporary)
        console.print(f"{path} has {len(portrait.faces)} faces; the largest is animated. {numbers} numbers them: "
                      "choose another with --face N", highlight=False)
    return portrait


def _save(image, path: Path) -> None:
    from PIL import Image

    Image.fromarray(image).save(path)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} fps")


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TextColumn("left"),
                    TimeRemainingColumn(), console=console, transient=True)

"""`playmate dub`: new speech for a film, with progress and errors that say what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console

from pipeline.animate.direction import Direction
from pipeline.animate.load import load_animator
from pipeline.animate.speech import read_speech
from pipeline.core.atomic import atomic_path
from pipeline.dub.dubber import SeveralPeopleError, dub_to_file
from pipeline.dub.plan import FITS, Showing
from playmate.animate import check_speech, check_writable, out_path, progress_bar, save_picture, sheet_path, signer
from playmate.contact_sheet import ContactSheet

console = Console(stderr=True)


@dataclass(frozen=True)
class Settings:
    """Options of the command beside the direction; None leaves the film's or the model's own."""

    face: int | None = None
    fit: str = "trim"
    keep_sound_db: float | None = None
    track: int | None = None
    preview: Path | None = None
    mark: str | None = None
    credentials: bool = True
    certificate: Path | None = None
    private_key: Path | None = None
    speech_share: Callable[[np.ndarray], float] | None = None
    direction: Direction = field(default_factory=Direction)


def dub(video: Path, speech: Path, out: Path, model: str | None, settings: Settings,
        detector: str | None = None) -> None:
    """Write `video` with the words of `speech` as `out`, or below it where that is a folder, `<video>_<speech>.mp4`;
    raises ValueError for what cannot be done, in words."""
    out = out_path(out, video, speech, several=False)
    if not video.is_file():
        raise ValueError(f"--video {video}: no such file")
    if settings.fit not in FITS:
        raise ValueError(f"--fit {settings.fit}: accepted are {', '.join(FITS)}")
    for place in [out, *([] if settings.preview is None else [sheet_path(settings.preview, out, several=False)])]:
        check_writable(place, [video, speech])
    signed = signer(settings.credentials, settings.certificate, settings.private_key)
    heard = read_speech(speech, track=settings.track)
    check_speech(heard.waveform, speech, settings.speech_share)
    animator, which = load_animator(model, detector)
    _say(f"model: {which}")
    with progress_bar() as progress:
        task = progress.add_task(f"{out.name}: looking at the film", total=None)
        sheet: ContactSheet | None = None

        def step(picture: np.ndarray, showing: Showing) -> None:
            nonlocal sheet
            sheet = sheet or ContactSheet(len(showing.times), float(1 / showing.step))
            sheet.see(picture)
            progress.update(task, description=out.name, total=len(showing.times), advance=1)

        try:
            frames = dub_to_file(animator, video, heard, out, face=settings.face, fit=settings.fit,
                                 keep_sound_db=settings.keep_sound_db, direction=settings.direction,
                                 credentials=signed, mark=settings.mark, progress=step, tell=_note)
        except SeveralPeopleError as error:
            numbers = out.with_name(f"{out.stem}_faces.png")
            with atomic_path(numbers) as temporary:
                save_picture(error.picture, temporary)
            raise SeveralPeopleError(f"{video}: {error}; {numbers} numbers them: choose one with --face N",
                                     error.picture) from error
    _say(f"{out}: {frames} frames, model {animator.version}, seed {settings.direction.seed}")
    if settings.preview is not None and sheet is not None:
        sheet.save(settings.preview)
        _say(f"{settings.preview}: contact sheet")


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)


def _note(text: str) -> None:
    _say(f"note: {text}")

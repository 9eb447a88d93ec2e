"""The page's second tab: new speech for a film."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gradio as gr

from pipeline.dub.dubber import SeveralPeopleError
from pipeline.dub.plan import FITS
from playmate.web.studio import DubWish, Studio
from playmate.web.timeline import NO_EMOTION

ANYBODY = "the one who fills most of it"
PROGRESS = gr.Progress()  # Gradio looks for it among the defaults of a function
MOST_PEOPLE = 9
Told = Callable[[Callable[[], Any]], Any]


def dubbing_tab(studio: Studio, told: Told) -> None:
    """Controls, and what they call; `told` turns errors into messages on the page."""
    with gr.Row():
        with gr.Column():
            film = gr.Video(label="Film", sources=["upload"], height=260, elem_id="dub_film")
            speech = gr.Audio(label=f"New speech, up to {studio.limits.speech_s:g} s", sources=["upload", "microphone"],
                              type="filepath", elem_id="dub_speech", buttons=[])
        with gr.Column():
            face = gr.Dropdown([ANYBODY, *map(str, range(1, MOST_PEOPLE + 1))], value=ANYBODY, label="Whose mouth",
                               elem_id="dub_face")
            people = gr.Image(label="People", visible=False, interactive=False, height=200, buttons=[])
            fit = gr.Radio(list(FITS), value=FITS[0], label="Where film and speech are not equally long",
                           elem_id="dub_fit")
            emotion = gr.Dropdown([NO_EMOTION, *studio.animator.labels], value=NO_EMOTION, label="Emotion of the mouth")
            keep = gr.Checkbox(label="Keep the film's sound beneath, 15 dB softer")
            seed = gr.Number(0, precision=0, minimum=0, label="Seed")
            mark = gr.Checkbox(label="A visible mark on every frame")
            consent = gr.Checkbox(label="The person shown agreed, and I may use this film and speech.",
                                  elem_id="dub_consent")
            go = gr.Button("Dub", variant="primary", elem_id="dub_go")
        with gr.Column():
            out = gr.Video(label="Dubbed film", interactive=False, elem_id="dubbed", autoplay=True,
                           buttons=["download"])
            said = gr.Markdown(elem_id="dub_said")
    go.click(_dub(studio, told), [film, speech, face, fit, emotion, keep, seed, mark, consent], [out, said, people],
             api_visibility="private", concurrency_limit=studio.limits.jobs)


def _dub(studio: Studio, told: Told) -> Callable[..., tuple[Any, str, Any]]:
    def dub(film, speech, face, fit, emotion, keep, seed, mark, consent, progress=PROGRESS) -> tuple[Any, str, Any]:
        started = time.monotonic()
        notes: list[str] = []

        def show(done: int, total: int) -> None:
            if done % 5 == 0 or done == total:
                rate = done / max(time.monotonic() - started, 1e-3)
                progress(done / total, desc=f"{rate:.1f} fps, {(total - done) / rate:.0f} s left")

        def make():
            wish = DubWish(film, speech, None if face == ANYBODY else int(face), fit,
                           None if emotion == NO_EMOTION else emotion, -15.0 if keep else None, seed, mark, consent)
            try:
                return studio.dub(wish, show, notes.append)
            except SeveralPeopleError as error:
                return error

        made = told(make)
        if isinstance(made, SeveralPeopleError):
            return None, f"{made}: choose whose mouth by the numbers in the picture", gr.update(visible=True,
                                                                                               value=made.picture)
        lines = [f"Made by model {studio.animator.version}, seed {int(seed)}.", *notes]
        return str(made), "\n\n".join(lines), gr.update(visible=False)

    return dub

"""The page's controls (Gradio) and what they call in `Studio`."""

from __future__ import annotations

import html
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playmate.web.dubbing import dubbing_tab
from playmate.web.studio import DIALS, MAX_SCALE, POSES, Studio, Wish
from playmate.web.timeline import NO_EMOTION, shown_entries, timeline_bar, with_entry

TITLE = "Playmate"
TERMS = ("Animate only people who agreed to it, with speech that you may use. Not for deception, impersonation, "
         "harassment or as evidence. Films say in content credentials and metadata that they are synthetic.")
# names of fonts only: nothing is fetched
THEME = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
LARGEST = "the largest"
STARTED_WITH = "the page's own"

PROGRESS = gr.Progress()  # Gradio looks for it among the defaults of a function
# quick, touches no upload; looks at an upload
AT_ONCE: dict[str, Any] = {"api_visibility": "private", "queue": False}
LOOK: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": 1, "show_progress": "hidden"}


@dataclass(frozen=True)
class Controls:
    """What a visitor sets, in the order of `_animate`."""

    portrait: Any
    face: Any
    speech: Any
    entries: Any
    label: Any
    strength: Any
    pose: Any
    pose_video: Any
    w_a: Any
    w_e: Any
    seed: Any
    paste_back: Any
    mark: Any
    consent: Any
    model: Any
    like: Any
    dials: tuple[Any, ...]

    def inputs(self) -> list[Any]:
        """All of them one after the other."""
        *single, dials = vars(self).values()
        return [*single, *dials]


def build_page(studio: Studio, shown: Sequence[tuple[str, str]] = ()) -> gr.Blocks:
    """The page, its queue limited to `studio.limits`; `shown`: files of portraits and speeches to click."""
    limits = studio.limits
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown(f"# {TITLE}\n{TERMS}")
        with gr.Tab("A portrait"), gr.Row():
            with gr.Column():
                inputs = _inputs(studio)
            with gr.Column():
                emotions = _emotions(studio, inputs["speech"])
                settings = _settings(studio) | _dials()
                go = gr.Button("Animate", variant="primary", elem_id="go")
            with gr.Column():
                film = gr.Video(label="Film", interactive=False, elem_id="film", autoplay=True, buttons=["download"])
                said = gr.Markdown(elem_id="said")
                if shown:
                    gr.Examples([list(pair) for pair in shown], [inputs["portrait"], inputs["speech"]],
                                label="Click one to try (faces that come with packages, computer voices)",
                                elem_id="examples", api_visibility="private")
        with gr.Tab("New speech for a film", elem_id="dub_tab"):
            dubbing_tab(studio, _tell_errors)
        controls = Controls(**inputs, **emotions, **settings)
        go.click(_animate(studio), controls.inputs(), [film, said], api_visibility="private",
                 concurrency_limit=limits.jobs)
    page.queue(max_size=limits.waiting, api_open=False, default_concurrency_limit=limits.jobs)
    return page


def _inputs(studio: Studio) -> dict[str, Any]:
    """Portrait, which face of it, speech, head pose."""
    portrait = gr.Image(label="Portrait", sources=["upload", "webcam"], type="filepath", image_mode=None,
                        elem_id="portrait", height=260, buttons=[])
    numbered = gr.Image(label="Faces", visible=False, interactive=False, height=200, buttons=[])
    face = gr.Radio([LARGEST], value=LARGEST, label="Whose face", visible=False, elem_id="face")
    speech = gr.Audio(label=f"Speech, up to {studio.limits.speech_s:g} s", sources=["upload", "microphone"],
                      type="filepath", elem_id="speech", buttons=[])
    pose = gr.Radio(list(POSES), value=POSES[0], label="Head pose", elem_id="pose")
    pose_video = gr.Video(label="Video to follow", sources=["upload"], visible=False, height=200, buttons=[])
    portrait.change(_faces(studio), portrait, [numbered, face], **LOOK)
    pose.change(lambda chosen: gr.update(visible=chosen == "video"), pose, pose_video, **AT_ONCE)
    return {"portrait": portrait, "face": face, "speech": speech, "pose": pose, "pose_video": pose_video}


def _emotions(studio: Studio, speech: gr.Audio) -> dict[str, Any]:
    """The timeline. Until something stands on it, the chosen emotion lasts for the whole film."""
    labels = studio.animator.labels
    entries, duration_s = gr.State([]), gr.State(None)
    gr.Markdown("Emotion over time", elem_id="timeline-label")
    bar = gr.HTML(timeline_bar([], labels, None), show_label=False, elem_id="timeline")
    with gr.Row():
        label = gr.Dropdown([NO_EMOTION, *labels], value=NO_EMOTION, label="Emotion", elem_id="emotion", min_width=110)
        start = gr.Number(0, label="From second", minimum=0, maximum=studio.limits.speech_s, elem_id="start",
                          min_width=90)
    strength = gr.Slider(0, 1, 1, step=0.05, label="Strength")
    with gr.Row():
        add = gr.Button("Add to timeline", elem_id="add", size="md", min_width=110)
        clear = gr.Button("Clear", elem_id="clear", size="md", min_width=80)

    def draw(rows, chosen, weight, length_s) -> str:
        return timeline_bar(shown_entries(rows, chosen, weight), labels, length_s)

    shown = [entries, label, strength, duration_s]
    add.click(with_entry, [entries, start, label, strength], entries, **AT_ONCE).then(draw, shown, bar, **AT_ONCE)
    clear.click(lambda: ([], NO_EMOTION), None, [entries, label], **AT_ONCE).then(draw, shown, bar, **AT_ONCE)
    for control in (label, strength):
        control.change(draw, shown, bar, **AT_ONCE)
    speech.change(_duration(studio), speech, duration_s, **LOOK).then(draw, shown, bar, **AT_ONCE)
    return {"entries": entries, "label": label, "strength": strength}


def _settings(studio: Studio) -> dict[str, Any]:
    audio_scale, emotion_scale = studio.animator.guidance
    with gr.Accordion("More settings", open=False):
        w_a = gr.Slider(0, MAX_SCALE, audio_scale, step=0.1, label="Guidance by speech")
        w_e = gr.Slider(0, MAX_SCALE, emotion_scale, step=0.1, label="Guidance by emotion")
        seed = gr.Number(0, precision=0, minimum=0, label="Seed: another number, another performance")
        paste_back = gr.Checkbox(label="Whole picture instead of the face's square")
        mark = gr.Checkbox(label="A visible mark on every frame")
    model = gr.Dropdown([STARTED_WITH, *studio.models], value=STARTED_WITH, label="Model", elem_id="model",
                        visible=bool(studio.models))
    consent = gr.Checkbox(label="The person shown agreed, and I may use this speech.", elem_id="consent")
    return {"w_a": w_a, "w_e": w_e, "seed": seed, "paste_back": paste_back, "mark": mark, "consent": consent,
            "model": model}


def _dials() -> dict[str, Any]:
    """What is directed over time; an empty field is as the model has it."""
    with gr.Accordion("Direction over time", open=False):
        gr.Markdown("A value, or several with the second from which each holds: `1; 0@2.5`")
        dials = tuple(gr.Textbox(label=label, max_lines=1, max_length=400, elem_id=f"dial_{name}")
                      for name, label in DIALS.items())
        like = gr.Video(label="A video of the person: moves and blinks as there", sources=["upload"], height=200,
                        buttons=[])
    return {"like": like, "dials": dials}


def _faces(studio: Studio) -> Callable[..., tuple[Any, Any]]:
    """Where several faces could be meant, show them with their numbers."""
    def look(portrait):
        count, numbered = (1, None) if portrait is None else _tell_errors(lambda: studio.faces(portrait))
        choices = [LARGEST, *map(str, range(1, count + 1))]
        several = count > 1
        return (gr.update(visible=several, value=numbered if several else None),
                gr.update(visible=several, choices=choices, value=LARGEST))

    return look


def _duration(studio: Studio) -> Callable[..., float | None]:
    def look(speech):
        return None if speech is None else _tell_errors(lambda: studio.duration_s(speech))

    return look


def _animate(studio: Studio) -> Callable[..., tuple[str, str]]:
    def animate(portrait, face, speech, entries, label, strength, pose, pose_video, w_a, w_e, seed, paste_back, mark,
                consent, model, like, *dials, progress=PROGRESS) -> tuple[str, str]:
        started, chosen = time.monotonic(), None if model == STARTED_WITH else model

        def show(done: int, total: int) -> None:
            if done % 5 == 0 or done == total:
                rate = done / max(time.monotonic() - started, 1e-3)
                progress(done / total, desc=f"{rate:.1f} fps, {(total - done) / rate:.0f} s left")

        def make():
            wish = Wish(portrait, speech, shown_entries(entries, label, strength), pose, pose_video, w_a, w_e, seed,
                        paste_back, mark, consent, None if face == LARGEST else int(face), chosen,
                        {dial: text or "" for dial, text in zip(DIALS, dials, strict=True)}, like)
            return studio.film(wish, show)

        film = _tell_errors(make)
        return str(film), f"Made by model {studio.animator_of(chosen).version}, seed {int(seed)}."

    return animate


def _tell_errors(work: Callable[[], Any]) -> Any:
    """The result of `work`; its errors as messages on the page, those that no visitor can mend without their text."""
    try:
        return work()
    except (ValueError, TypeError) as error:
        raise gr.Error(html.escape(str(error)), print_exception=False) from error
    except Exception as error:
        logging.getLogger(__name__).exception("a film could not be made")
        raise gr.Error("this film could not be made; the server's log says why", print_exception=False) from error

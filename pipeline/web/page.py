"""The page's controls (Gradio) and what they call in `Studio`."""

from __future__ import annotations

import html
import logging
import time
from collections.abc import Callable, Sequence

import gradio as gr

from pipeline.web.studio import MAX_SCALE, POSES, Limits, Studio, Wish

TITLE = "Playmate"
TERMS = ("Animate only people who agreed to it, with speech that you may use. Not for deception, impersonation, "
         "harassment or as evidence. Films say in content credentials and metadata that they are synthetic.")
COLOURS = ("#9aa5b1", "#e4572e", "#7f5539", "#6a994e", "#5e548e", "#f2b705", "#3a86c8", "#d16ba5", "#2a9d8f", "#8d99ae",
           "#bc6c25")
# names of fonts only: nothing is fetched
THEME = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])

PROGRESS = gr.Progress()  # Gradio looks for it among the defaults of a function

Entry = tuple[float, str, float]


def build_page(studio: Studio) -> gr.Blocks:
    """The page, its queue limited to `studio.limits`."""
    limits, labels = studio.limits, studio.animator.labels
    audio_scale, emotion_scale = studio.animator.guidance
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown(f"# {TITLE}\n{TERMS}")
        entries = gr.State([])
        with gr.Row():
            with gr.Column():
                portrait = gr.Image(label="Portrait", sources=["upload", "webcam"], type="filepath", image_mode=None,
                                    elem_id="portrait", height=260, buttons=[])
                speech = gr.Audio(label=f"Speech, up to {limits.speech_s:g} s", sources=["upload", "microphone"],
                                  type="filepath", elem_id="speech", buttons=[])
                pose = gr.Radio(list(POSES), value=POSES[0], label="Head pose", elem_id="pose")
                pose_video = gr.Video(label="Video to follow", sources=["upload"], visible=False, height=200,
                                      buttons=[])
            with gr.Column():
                bar = gr.HTML(timeline_bar([], labels), elem_id="timeline")
                with gr.Row():
                    start = gr.Number(0, label="from second", minimum=0, maximum=limits.speech_s, elem_id="start")
                    label = gr.Dropdown(list(labels), value=labels[0], label="emotion", elem_id="emotion")
                    strength = gr.Slider(0, 1, 1, step=0.05, label="strength")
                with gr.Row():
                    add = gr.Button("Put on the timeline", elem_id="add")
                    clear = gr.Button("Clear the timeline", elem_id="clear")
                w_a = gr.Slider(0, MAX_SCALE, audio_scale, step=0.1, label="guidance by speech")
                w_e = gr.Slider(0, MAX_SCALE, emotion_scale, step=0.1, label="guidance by emotion")
                seed = gr.Number(0, precision=0, minimum=0, label="seed: another number, another performance")
                paste_back = gr.Checkbox(label="whole picture instead of the face's square")
                mark = gr.Checkbox(label="a visible mark on every frame")
                consent = gr.Checkbox(label="The person shown agreed, and I may use this speech.", elem_id="consent")
                go = gr.Button("Animate", variant="primary", elem_id="go")
            with gr.Column():
                film = gr.Video(label="Film", interactive=False, elem_id="film", autoplay=True, buttons=["download"])
                said = gr.Markdown(elem_id="said")
        hidden = {"api_visibility": "private", "queue": False}
        pose.change(lambda chosen: gr.update(visible=chosen == "video"), pose, pose_video, **hidden)
        add.click(lambda rows, *entry: _added(rows, entry, labels), [entries, start, label, strength], [entries, bar],
                  **hidden)
        clear.click(lambda: ([], timeline_bar([], labels)), None, [entries, bar], **hidden)
        go.click(_animate(studio), [portrait, speech, entries, pose, pose_video, w_a, w_e, seed, paste_back, mark,
                                    consent], [film, said], api_visibility="private", concurrency_limit=limits.jobs)
    page.queue(max_size=limits.waiting, api_open=False, default_concurrency_limit=limits.jobs)
    return page


def _added(rows: Sequence[Entry], entry: Entry, labels: Sequence[str]) -> tuple[list[Entry], str]:
    """The timeline with one more entry, which replaces one of the same start."""
    start = float(entry[0] or 0)
    rows = sorted([row for row in rows if row[0] != start] + [(start, str(entry[1]), float(entry[2]))])
    return rows, timeline_bar(rows, labels)


def timeline_bar(rows: Sequence[Entry], labels: Sequence[str]) -> str:
    """The timeline as a coloured bar; the last entry lasts to the end."""
    if not rows:
        return "<p>Timeline: no emotion is asked for.</p>"
    ends = [row[0] for row in rows[1:]] + [rows[-1][0] + 3]
    parts = []
    for (start, label, strength), end in zip(rows, ends, strict=True):
        colour = COLOURS[list(labels).index(label) % len(COLOURS)] if label in labels else COLOURS[0]
        text = html.escape(f"{start:g} s {label} {strength:g}")
        parts.append(f'<div style="flex:{max(end - start, 0.5):g};background:{colour};color:#fff;padding:4px 6px;'
                     f'font-size:13px;white-space:nowrap;overflow:hidden">{text}</div>')
    return f'<div style="display:flex;border-radius:6px;overflow:hidden">{"".join(parts)}</div>'


def _animate(studio: Studio) -> Callable[..., tuple[str, str]]:
    def animate(portrait, speech, entries, pose, pose_video, w_a, w_e, seed, paste_back, mark, consent,
                progress=PROGRESS) -> tuple[str, str]:
        wish = Wish(portrait, speech, entries, pose, pose_video, w_a, w_e, seed, paste_back, mark, consent)
        started = time.monotonic()

        def show(done: int, total: int) -> None:
            if done % 5 == 0 or done == total:
                rate = done / max(time.monotonic() - started, 1e-3)
                progress(done / total, desc=f"{rate:.1f} fps, {(total - done) / rate:.0f} s left")

        try:
            film = studio.film(wish, show)
        except (ValueError, TypeError) as error:
            raise gr.Error(html.escape(str(error)), print_exception=False) from error
        except Exception as error:
            logging.getLogger(__name__).exception("a film could not be made")
            raise gr.Error("this film could not be made; the server's log says why", print_exception=False) from error
        return str(film), f"Made by model {studio.animator.version}, seed {int(seed)}."

    return animate


__all__ = ["Limits", "build_page", "timeline_bar"]

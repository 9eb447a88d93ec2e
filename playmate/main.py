"""The command `playmate`. Every command imports what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from playmate import options as opt

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Audio-driven, emotion-controlled portrait animation: data, training, models.",
                  epilog="Exit codes: 0 done, 1 the run failed, 2 the input is wrong, 130 and 143 ended by a signal.")
weights_app = typer.Typer(no_args_is_help=True, help="The table of weight files: where each comes from, its licence.")
tracking_app = typer.Typer(no_args_is_help=True, help="MLflow: open its page, send records that were kept.")
store_app = typer.Typer(no_args_is_help=True, help="The feature store: verify, sweep, try again.")
corpora_app = typer.Typer(no_args_is_help=True, help="Dataset folders: what the pipeline would take from them.")
app.add_typer(corpora_app, name="corpora")
app.add_typer(weights_app, name="weights")
app.add_typer(store_app, name="store")
app.add_typer(tracking_app, name="tracking")


@weights_app.command("list", epilog="Example: playmate weights list --profile paper")
def weights_list(
    profile: Annotated[str | None, typer.Option(help="only what this profile needs, and what of it is lacking")] = None,
    as_json: opt.AsJson = False,
) -> None:
    """Print every weight file with its state, licence and what needs it."""
    from pipeline.weights.listing import print_weights
    from pipeline.weights.table import weights_table

    if profile is None:
        print_weights(weights_table().values(), None, as_json)
    else:
        from playmate.weights import profile_weights

        print_weights(profile_weights(profile), profile, as_json)


@weights_app.command("pull", epilog="Example: playmate weights pull --pack embedded")
def weights_pull(
    pack: opt.Pack = "embedded",
    profile: Annotated[str | None, typer.Option(help="what this profile needs, instead of a pack")] = None,
    folder: Annotated[Path | None, typer.Option("--from", help="a folder to take files from, without the net")] = None,
    url: Annotated[list[str] | None, typer.Option(help="NAME=ADDRESS of a file; may be repeated")] = None,
) -> None:
    """Fetch what is missing or altered, going on from what came before; every file is checked by its sha256."""
    from pipeline.weights.pull import pack_rows, pull

    if profile is None:
        weights = pack_rows(pack)
    else:
        from playmate.weights import profile_weights

        weights = profile_weights(profile)
    pull(weights, folder=folder, addresses=dict(item.partition("=")[::2] for item in url or []))


@weights_app.command("verify", epilog="Example: playmate weights verify")
def weights_verify(pack: opt.Pack = "embedded") -> None:
    """Check every file of a pack by content; exit 1 if one is missing or wrong."""
    from pipeline.weights.pull import pack_rows
    from pipeline.weights.table import USABLE, verify

    states = {weight.name: verify(weight) for weight in pack_rows(pack)}
    for name, state in states.items():
        typer.echo(f"{name}: {state}")
    if not set(states.values()) <= set(USABLE):
        raise typer.Exit(1)


@app.command(epilog="Example: playmate plan --price 0.5")
def plan(
    corpus: Annotated[list[str] | None, typer.Argument(help="extraction of these corpora alone")] = None,
    price: Annotated[float | None, typer.Option(help="of this machine or cluster, an hour")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="the graph as JSON")] = False,
) -> None:
    """Say what `dvc repro` would compute, with GPUs, memory, hours and disk, and what is missing: then exit 1.

    Nothing is decoded. What extraction finds in the store is counted clip by clip.
    """
    from pipeline.core.config import load_params
    from playmate.plan.shown import print_plan

    if not print_plan(load_params(), corpus, price, as_json):
        raise typer.Exit(1)


@app.command(epilog="Example: playmate status")
def status(as_json: opt.AsJson = False) -> None:
    """Say what every stage is doing or did last; run it from another shell."""
    from playmate import status as stages_status

    if as_json:
        typer.echo(stages_status.as_json())
        return
    from rich.console import Console

    stages_status.print_status(Console())


@store_app.command("verify", epilog="Example: playmate store verify")
def store_verify(corpus: Annotated[list[str] | None, typer.Argument(help="all if none is named")] = None) -> None:
    """Check every byte of committed features against their manifest; exit 1 where one is not as it was committed."""
    from playmate.store import verify_all

    if not verify_all(corpus or [], typer.echo):
        raise typer.Exit(1)


@store_app.command("gc", epilog="Example: playmate store gc")
def store_gc(yes: Annotated[bool, typer.Option("--yes", help="delete it; without, it is only listed")] = False) -> None:
    """List what killed runs and replaced code left in the store; never what a manifest names or a run holds."""
    from pipeline.core.config import load_params
    from playmate.store import collect_garbage

    collect_garbage(load_params(), yes, typer.echo)


@store_app.command("retry", epilog="Example: playmate store retry")
def store_retry() -> None:
    """Try clips again that crashed, took too long or too much memory, at the next extraction."""
    from pipeline.core.config import load_params
    from playmate.store import retry

    retry(load_params(), typer.echo)


@app.command(epilog="Example: playmate summary")
def summary() -> None:
    """Print what the pipeline made: clips, rejects, frames, losses, versions, the report's path."""
    from playmate.summary import print_summary

    print_summary()


@app.command(epilog="Example: playmate animate --portrait FACE.jpg --speech VOICE.wav --emotion happy:0.8 -o out.mp4")
def animate(
    portrait: Annotated[list[Path], typer.Option(help="an image with a face; may be given several times")],
    speech: Annotated[list[Path], typer.Option(help="a sound file; may be given several times")],
    out: Annotated[Path, typer.Option("-o", "--out", help="OUT.mp4, or a folder where there are several films")],
    emotion: opt.Emotions = None,
    pose: Annotated[str, typer.Option(help="generated | still | a video to follow")] = "generated",
    pose_scale: opt.PoseScale = None, mouth_scale: opt.MouthScale = None, blink: opt.Blink = None,
    gaze: opt.Gaze = None, like: opt.Like = None,
    audio_scale: opt.AudioScale = None, emotion_scale: opt.EmotionScale = None,
    expression_scale: opt.ExpressionScale = None, pose_guidance: opt.PoseGuidance = None, guided: opt.Guided = None,
    steps: opt.Steps = None, seed: opt.Seed = 0,
    face: Annotated[int | None, typer.Option(help="which face of a portrait with several")] = None,
    track: opt.Track = None,
    paste_back: Annotated[bool, typer.Option("--paste-back", help="the whole picture instead of 512 px")] = False,
    detector: opt.Detector = None, model: opt.Model = None,
    provider: Annotated[str, typer.Option(help="cpu | cuda | tensorrt; of an exported model")] = "cpu",
    any_sound: opt.AnySound = False, preview: opt.Preview = None, mark: opt.Mark = None,
    certificate: opt.Certificate = None, private_key: opt.PrivateKey = None,
    no_credentials: opt.NoCredentials = False,
) -> None:
    """Make portraits talk. Only people who agreed to it; the films say that they are synthetic."""
    from pipeline.animate.direction import Direction
    from playmate.animate import Settings, animate, speech_share

    direction = Direction(emotion or None, audio_scale, emotion_scale, steps, seed, not any_sound, pose_scale,
                          mouth_scale, blink, gaze, expression_scale, pose_guidance, guided, like)
    settings = Settings(direction, pose, face, track, preview, paste_back, mark, not no_credentials, certificate,
                        private_key, None if any_sound else speech_share)
    animate(portrait, speech, out, model, settings, detector, provider)


@app.command(epilog="Example: playmate export data/models/emotion/bundle -o exported")
def export(
    bundle: Annotated[Path, typer.Argument(help="a model bundle, such as data/models/emotion/bundle")],
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for the exported bundle; may be BUNDLE itself")],
) -> None:
    """Write a model's generator as ONNX graphs, checked against PyTorch: `animate --model OUT` then runs without it."""
    from pipeline.export.bundle import export_model

    for line in export_model(bundle, out):
        typer.echo(line)


@app.command(epilog="Example: playmate dub --video FILM.mp4 --speech VOICE.wav -o dubbed.mp4")
def dub(
    video: Annotated[Path, typer.Option(help="the film; picture, camera, eyes and head stay")],
    speech: Annotated[Path, typer.Option(help="the new speech: a sound file, or a film's sound")],
    out: Annotated[Path, typer.Option("-o", "--out", help="OUT.mp4, or a folder")],
    face: Annotated[int | None, typer.Option(help="whose mouth, where several people could be meant")] = None,
    fit: Annotated[str, typer.Option(help="trim | hold | loop, where speech and film are not equally long")] = "trim",
    keep_sound: Annotated[float | None, typer.Option(
        metavar="DB", help="keep the film's sound under the speech, changed by so many decibels (-12)")] = None,
    emotion: opt.Emotions = None, mouth_scale: opt.MouthScale = None,
    audio_scale: opt.AudioScale = None, emotion_scale: opt.EmotionScale = None, guided: opt.Guided = None,
    steps: opt.Steps = None, seed: opt.Seed = 0,
    track: opt.Track = None, detector: opt.Detector = None, model: opt.Model = None,
    any_sound: opt.AnySound = False, preview: opt.Preview = None, mark: opt.Mark = None,
    certificate: opt.Certificate = None, private_key: opt.PrivateKey = None,
    no_credentials: opt.NoCredentials = False,
) -> None:
    """Give a film new speech, and the mouth an emotion. Only people who agreed to it; the film says it is synthetic."""
    from pipeline.animate.direction import Direction
    from playmate.animate import speech_share
    from playmate.dub import Settings, dub

    direction = Direction(emotion or None, audio_scale, emotion_scale, steps, seed, not any_sound,
                          mouth_scale=mouth_scale, guided=guided)
    settings = Settings(face, fit, keep_sound, track, preview, mark, not no_credentials, certificate, private_key,
                        None if any_sound else speech_share, direction)
    dub(video, speech, out, model, settings, detector)


@app.command(epilog="Example: playmate web --port 7861")
def web(
    host: Annotated[str, typer.Option(help="this machine alone unless you name another address")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port of the page")] = 7860,
    model: opt.Model = None,
    upload_mb: Annotated[int, typer.Option(help="largest upload")] = 50,
    speech_s: Annotated[float, typer.Option(help="longest speech")] = 120.0,
    jobs: Annotated[int, typer.Option(help="films made at a time")] = 1,
    waiting: Annotated[int, typer.Option(help="visitors that may wait")] = 8,
    name: Annotated[list[str] | None, typer.Option(help="host name under which a proxy shows it; repeatable")] = None,
    root_path: Annotated[str, typer.Option(help="path under which a proxy shows it, such as /talk")] = "",
) -> None:
    """A page in the browser to make portraits talk, served on this machine (extra `web`)."""
    from importlib.util import find_spec

    opt.check_port(host, port)
    if find_spec("gradio") is None:
        raise ValueError("the page needs Gradio: install the extra, uv pip install 'playmate-pipeline[web]'")
    from pipeline.animate.load import load_animator
    from pipeline.animate.own_models import own_models
    from playmate.web.server import serve
    from playmate.web.studio import Limits

    animator, which = load_animator(model)
    typer.echo(f"model: {which}")
    others = {own.name: lambda name=own.name: load_animator(name)[0] for own in own_models()}
    serve(animator, host, port, Limits(upload_mb, speech_s, jobs, waiting), name or (), root_path, others)


@app.command(epilog="Example: playmate profile paper")
def profile(name: Annotated[str | None, typer.Argument(help="embedded, shipped, paper, paper_toy; none: list")] = None,
            ) -> None:
    """Write a profile's values (profiles/NAME.yaml) into params.yaml; every key can be changed afterwards."""
    from playmate.profile import apply, names

    for line in names() if name is None else apply(name) or [f"params.yaml has the values of {name} already"]:
        typer.echo(line)


@app.command(epilog="Example: playmate init talks --data recordings")
def init(
    folder: Annotated[Path, typer.Argument(help="a new or empty folder")],
    data: Annotated[list[str] | None, typer.Option(
        help="a folder of videos or datasets, or s3://bucket/prefix; may be repeated; none: small corpora made there"
    )] = None,
    profile: Annotated[str, typer.Option(help="embedded | paper")] = "embedded",
) -> None:
    """Make a project in FOLDER, in which `dvc repro` and all commands run: params.yaml, dvc.yaml, git and DVC."""
    from rich.console import Console

    from playmate.corpora import show
    from playmate.init import make_project

    found = make_project(folder, data or [], profile, typer.echo)
    if found:
        show(found, Console(), None)
    typer.echo(f"next: cd {folder} && dvc repro")


@app.command(epilog="Example: playmate finetune --data recordings --name anna")
def finetune(
    data: Annotated[list[str], typer.Option(help="a folder of videos, as for `corpora check`; may be repeated")],
    name: Annotated[str, typer.Option(help="what the model is called: playmate animate --model NAME")],
    min_gain: Annotated[float, typer.Option(help="of r on held-out clips, above which it is called better")] = 0.02,
) -> None:
    """Train the shipped model on with two to ten minutes of one person's video, or of a few people's."""
    from playmate.finetune import fine_tune

    fine_tune(data, name, min_gain, typer.echo)


@corpora_app.command("check", epilog="Example: playmate corpora check RECORDINGS")
def corpora_check(
    path: Annotated[str | None, typer.Argument(help="a folder of videos or datasets, or s3://bucket/prefix; "
                                                    "none: the corpora of params.yaml")] = None,
    sample: Annotated[int, typer.Option(help="files of a corpus whose headers are read")] = 40,
    as_json: opt.AsJson = False,
) -> None:
    """Print what would be taken from PATH, an estimate of time and disk, and the lines for params.yaml."""
    from rich.console import Console

    from pipeline.core.config import load_params, own_or_packaged_params
    from playmate import corpora as corpora_check

    params = load_params() if path is None else own_or_packaged_params()
    found = (corpora_check.check_params(params, sample) if path is None
             else corpora_check.check_path(path, params, sample))
    if as_json:
        typer.echo(corpora_check.as_json(found))
    else:
        corpora_check.show(found, Console(), None if path is None else list(params.corpora))


@app.command(epilog="Example: playmate inspect out.mp4")
def inspect(what: Annotated[str, typer.Argument(help="a clip id, its first characters, or a film made here")]) -> None:
    """Tell one clip's whole story, from source and decisions to where it was used; of a film: what made it."""
    if Path(what).is_file():
        from pipeline.animate.provenance import print_media

        print_media(Path(what))
        return
    from pipeline.core.config import load_params
    from playmate.inspect import print_clip

    print_clip(what, load_params())


@app.command(epilog="Example: playmate evaluate --generated FILMS --reference TRUE -o scores")
def evaluate(
    generated: Annotated[Path, typer.Option(help="folder of generated videos")],
    reference: Annotated[Path, typer.Option(help="folder of true videos of the same names")],
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for the results")] = Path("scores"),
    seconds: Annotated[float | None, typer.Option(help="judged of each; else evaluate.max_duration_s")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print summary.json, for scripts")] = False,
) -> None:
    """Score anyone's generated videos with the code and networks that score ours (params.yaml, section evaluate)."""
    from functools import partial

    from playmate.evaluate import evaluate_folders

    evaluate_folders(generated, reference, out, partial(typer.echo, err=as_json), seconds)
    if as_json:
        typer.echo((out / "summary.json").read_text())


@app.command(epilog="Example: playmate lineage models:/playmate@champion")
def lineage(model: Annotated[str, typer.Argument(help="NAME, models:/NAME@ALIAS or models:/NAME/VERSION")]) -> None:
    """Walk back from a registered model to its data, parameters and code."""
    from playmate.summary import print_lineage

    print_lineage(model)


@app.command(epilog="Example: playmate compare models:/playmate/1 models:/playmate/2")
def compare(first: opt.Evaluated, second: opt.Evaluated) -> None:
    """Tell whether two evaluated models differ by more than noise, clip by clip."""
    from playmate.compare import print_comparison

    print_comparison(first, second)


@app.command(epilog="Example: playmate sweep train_audio.lr=1e-4,4e-4,1e-3")
def sweep(
    changes: Annotated[list[str], typer.Argument(help="KEY=VALUE,VALUE of params.yaml; several keys make a grid")],
    stage: Annotated[str, typer.Option(help="up to which stage of dvc.yaml")] = "train_audio",
) -> None:
    """Run every combination as a DVC experiment, one after the other; MLflow and `dvc exp show` list them."""
    from playmate.sweep import run_sweep

    run_sweep(changes, stage)


@tracking_app.command("ui", epilog="Example: playmate tracking ui --port 5001")
def tracking_ui(port: Annotated[int, typer.Option(help="on 127.0.0.1")] = 5000) -> None:
    """Open MLflow's page on the project's tracking store."""
    from pipeline.tracking.runs import serve

    opt.check_port("127.0.0.1", port)
    serve(port)


@tracking_app.command("sync", epilog="Example: playmate tracking sync")
def tracking_sync() -> None:
    """Send records that were kept while the tracking server was away."""
    from pipeline.tracking import sync

    typer.echo(f"{sync()} records sent")


def main() -> None:
    """Entry point; `playmate.exits` says how it ends."""
    from playmate.exits import run

    run(app)


if __name__ == "__main__":
    main()

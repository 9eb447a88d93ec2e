"""The command `playmate`. Every command imports what it needs when it runs, so that `--help` is quick.

This is the one module of `pipeline/` that may reach up to the stages; nothing imports it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Audio-driven, emotion-controlled portrait animation: data, training, models.")
weights_app = typer.Typer(no_args_is_help=True, help="The table of weight files: where each comes from, its licence.")
tracking_app = typer.Typer(no_args_is_help=True, help="MLflow: open its page, send records that were kept.")
app.add_typer(weights_app, name="weights")
app.add_typer(tracking_app, name="tracking")

Pack = Annotated[str, typer.Option(help="embedded | paper")]


@weights_app.command("list")
def weights_list() -> None:
    """Print every weight file with its state, licence and what needs it."""
    from rich.console import Console
    from rich.table import Table

    from pipeline.weights import table_rows, weights_table

    table = Table("name", "pack", "state", "size", "licence", "needed by", "source")
    for row in table_rows(weights_table().values()):
        table.add_row(*row)
    Console().print(table)


@weights_app.command("pull")
def weights_pull(pack: Pack = "embedded") -> None:
    """Fetch what is missing or altered; every file is checked against its sha256."""
    from pipeline.weights import pull

    pull(pack)


@weights_app.command("verify")
def weights_verify(pack: Pack = "embedded") -> None:
    """Check every file of a pack by content; exit 1 if one is missing or wrong."""
    from pipeline.weights import verify, weights_table

    states = {w.name: verify(w) for w in weights_table().values() if w.pack == pack}
    for name, state in states.items():
        typer.echo(f"{name}: {state}")
    if not set(states.values()) <= {"ok", "present, not pinned"}:
        raise typer.Exit(1)


@app.command()
def summary() -> None:
    """Print what the pipeline made: clips, rejects, frames, losses, versions, the report's path."""
    from pipeline.summary import print_summary

    print_summary()


@app.command()
def animate(
    portrait: Annotated[list[Path], typer.Option(help="an image with a face; may be given several times")],
    speech: Annotated[list[Path], typer.Option(help="a sound file; may be given several times")],
    out: Annotated[Path, typer.Option("-o", "--out", help="OUT.mp4, or a folder where there are several films")],
    emotion: Annotated[list[str] | None, typer.Option(
        help="NAME, NAME:intensity, a mixture A:0.6,B:0.4, or NAME@SECONDS for from then on; may be repeated")] = None,
    pose: Annotated[str, typer.Option(help="generated | still | a video to follow")] = "generated",
    audio_scale: Annotated[float | None, typer.Option(help="w_a of eq. 8; the model's own if not given")] = None,
    emotion_scale: Annotated[float | None, typer.Option(help="w_e of eq. 8; the model's own if not given")] = None,
    steps: Annotated[int | None, typer.Option(help="sampling steps; the model's own if not given")] = None,
    seed: Annotated[int, typer.Option(help="another seed, another performance")] = 0,
    face: Annotated[int | None, typer.Option(help="which face of a portrait with several")] = None,
    model: Annotated[str | None, typer.Option(help="bundle folder or models:/playmate@champion")] = None,
    preview: Annotated[Path | None, typer.Option(help="PNG contact sheet, or a folder for several")] = None,
) -> None:
    """Make portraits talk."""
    from pipeline.animate_command import Settings, animate

    settings = Settings(emotion or (), pose, audio_scale, emotion_scale, steps, seed, face, preview)
    animate(portrait, speech, out, model, settings)


@app.command()
def lineage(model: Annotated[str, typer.Argument(help="NAME, models:/NAME@ALIAS or models:/NAME/VERSION")]) -> None:
    """Walk back from a registered model to its data, parameters and code."""
    from pipeline.summary import print_lineage

    print_lineage(model)


@tracking_app.command("ui")
def tracking_ui(port: Annotated[int, typer.Option(help="on 127.0.0.1")] = 5000) -> None:
    """Open MLflow's page on the project's tracking store."""
    from pipeline.tracking import serve

    serve(port)


@tracking_app.command("sync")
def tracking_sync() -> None:
    """Send records that were kept while the tracking server was away."""
    from pipeline.tracking import sync

    typer.echo(f"{sync()} records sent")


def main() -> None:
    """Entry point: an error that a user can mend is one line on stderr and exit code 2, without a traceback."""
    from pipeline.tracking import TrackingUnavailable
    from pipeline.weights import WeightsError

    try:
        app()
    except (WeightsError, TrackingUnavailable, FileNotFoundError, ValueError) as error:
        print(f"playmate: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()

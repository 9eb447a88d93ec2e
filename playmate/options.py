"""Options that several commands take: name, type and help are said once; and the check of a `--port`."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated

import typer

Pack = Annotated[str, typer.Option(help="embedded | paper")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON, for scripts")]
Evaluated = Annotated[str, typer.Argument(
    help="NAME, models:/NAME@ALIAS, models:/NAME/VERSION, or a folder with clips.parquet, as data/evaluation")]

# who speaks, and what is heard
Emotions = Annotated[list[str] | None, typer.Option(
    "--emotion", help="NAME, NAME:intensity, a mixture A:0.6,B:0.4, or NAME@SECONDS for from then on; may be repeated")]
AudioScale = Annotated[float | None, typer.Option(help="w_a of eq. 8; the model's own if not given")]
EmotionScale = Annotated[float | None, typer.Option(help="w_e of eq. 8; the model's own if not given")]
PoseScale = Annotated[list[str] | None, typer.Option(
    help="how far the head goes: 0 still, 1 as generated; NUMBER@SECONDS for from then on; dials may be repeated")]
MouthScale = Annotated[list[str] | None, typer.Option(help="how far the mouth goes: 0 shut, 1 as generated; @SECONDS")]
Blink = Annotated[list[str] | None, typer.Option(help="blinks a minute, or off; @SECONDS")]
Gaze = Annotated[list[str] | None, typer.Option(help="camera | free: eyes on the camera as the head turns; @SECONDS")]
ExpressionScale = Annotated[list[str] | None, typer.Option(help="w_a of eq. 8 for the expression alone; @SECONDS")]
PoseGuidance = Annotated[list[str] | None, typer.Option(help="w_a of eq. 8 for the head pose alone; @SECONDS")]
Guided = Annotated[str | None, typer.Option(metavar="FROM:TO", help="the part of sampling that eq. 8 guides (0:0.6)")]
Like = Annotated[Path | None, typer.Option(help="a video of the person: moves as far and blinks as often as there")]
Steps = Annotated[int | None, typer.Option(help="sampling steps; the model's own if not given")]
Seed = Annotated[int, typer.Option(help="another seed, another performance")]
Track = Annotated[int | None, typer.Option(help="which sound track of a file; else the one with speech")]
AnySound = Annotated[bool, typer.Option("--any-sound", help="also sound in which nobody speaks")]
Detector = Annotated[str | None, typer.Option(help="insightface | buffalo_l | mediapipe; finds the face")]
Model = Annotated[str | None, typer.Option(
    help="bundle folder, a fine-tuned model's name, models:/playmate@champion; else the champion, the newest or "
         "the shipped one")]

# what is written beside the film, and into it
Preview = Annotated[Path | None, typer.Option(help="PNG contact sheet, or a folder for several")]
Mark = Annotated[str | None, typer.Option(help="a text on every frame, such as 'AI generated'")]
Certificate = Annotated[Path | None, typer.Option(help="your chain for content credentials (PEM)")]
PrivateKey = Annotated[Path | None, typer.Option(help="its key (PEM)")]
NoCredentials = Annotated[bool, typer.Option("--no-credentials", help="no C2PA; the same bytes each time")]


def check_port(host: str, port: int) -> None:
    """Raise ValueError where `port` (1 to 65535) of `host` is taken, not allowed, or `host` is none of this machine."""
    if not 1 <= port <= 65535:
        raise ValueError(f"--port {port}: a port is a number from 1 to 65535")
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(address[0], address[1]) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address[4])
    except OSError as error:
        raise ValueError(f"port {port} of {host} cannot be used ({error.strerror or error}): choose another with "
                         "--port") from error

"""What a media file's header says: length, size, streams, and hardly anything decoded. For a guarded process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.media.container import MediaError, open_media
from pipeline.media.video import Limits, video_stream


def make_worker(settings: dict[str, Any]):
    """`settings`: max_side_px, max_source_s. The worker takes {"media": path}."""
    limits = Limits(settings["max_side_px"], settings["max_source_s"])
    return lambda task: header(Path(task["media"]), limits)


def header(path: Path, limits: Limits) -> dict[str, Any]:
    """{"seconds", "width_px", "height_px", "fps", "sound"}, or {"code": why it would be rejected}."""
    try:
        with open_media(path) as container:
            stream = video_stream(container)
            width, height = stream.codec_context.width or 0, stream.codec_context.height or 0
            seconds = (container.duration or 0) / 1e6
            sound = bool(container.streams.audio)
            fps = float(stream.average_rate or 0)
    except MediaError as error:
        return {"code": error.code}
    if max(width, height) > limits.max_side_px:
        return {"code": "too_large"}
    if seconds > limits.max_source_s:
        return {"code": "too_long"}
    return {"seconds": seconds, "width_px": width, "height_px": height, "fps": fps, "sound": sound}

"""What goes to the guarded process of preprocessing and what comes back, and their form as JSON between the two.

The record of a unit on disk is an answer in the same form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

Columns = dict[str, Any]  # of the clip table (pipeline/core/clip_table.py)


@dataclass(frozen=True)
class ClipTask:
    """One raw clip: where its files are now, what its corpus says of it, the folder that crops go to."""

    corpus: str
    key: str
    media: Path
    audio: Path | None
    folder: Path
    start_s: float | None = None
    end_s: float | None = None
    hint: tuple[float, float] | None = None                # the speaker's place, in shares of the picture
    box: tuple[float, float, float, float] | None = None   # of the face, in shares or in pixels
    box_height_px: float | None = None                     # of the picture that a box in pixels belongs to

    def message(self) -> Columns:
        """As JSON."""
        paths = {"media": str(self.media), "audio": None if self.audio is None else str(self.audio),
                 "folder": str(self.folder)}
        return asdict(self) | paths

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> ClipTask:
        task = cls(**message)
        return replace(task, media=Path(task.media), audio=None if task.audio is None else Path(task.audio),
                       folder=Path(task.folder))


@dataclass(frozen=True)
class Reason:
    """Why a clip is rejected: the columns of the clip table that say so."""

    stage: str
    code: str
    detail: str
    value: float | None = None


@dataclass(frozen=True)
class Answer:
    """What came of a clip: columns known of its file, columns of its pieces, or the reason why there are none."""

    source: Columns
    pieces: list[Columns]
    reject: Reason | None = None

    def message(self) -> Columns:
        """As JSON."""
        return asdict(self)

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Answer:
        """Of a message, or of a record, which holds more beside it."""
        values = {item.name: message[item.name] for item in fields(cls)}
        return cls(**values | {"reject": values["reject"] and Reason(**values["reject"])})

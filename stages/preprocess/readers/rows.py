"""What a corpus reader yields: clips to process and clips that the corpus itself rules out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClipRow:
    """One clip of a corpus as its manifest or folders describe it; nothing has been opened yet."""

    corpus: str
    key: str                                   # the corpus' own name of the clip
    media: str                                 # path inside the corpus folder, with forward slashes
    identity: str                              # corpus/person
    audio: str | None = None                   # separate sound file; None: the sound inside `media`
    start_s: float | None = None               # span inside `media`; None: all of it
    end_s: float | None = None
    hint: tuple[float, float] | None = None    # where the speaker's face is, as shares of width and height
    box: tuple[float, float, float, float] | None = None  # left, top, right, bottom; shares if all <= 1, else pixels
    box_height_px: float | None = None         # height of the picture that a box in pixels belongs to, where listed
    emotion: str | None = None                 # core label name
    level: int | None = None                   # MEAD intensity 1-3
    language: str | None = None
    official_split: str | None = None
    community_split: str | None = None         # of a split that later work agreed on
    youtube_id: str | None = None


@dataclass(frozen=True)
class RejectRow:
    """A clip that cannot be taken: listed and absent, present and unlisted, unusable by its description."""

    corpus: str
    key: str
    source: str                                # path inside the corpus folder, or the manifest that names it
    code: str                                  # missing_media, unlisted, unsafe_path, bad_manifest_row, view, ...
    detail: str
    identity: str | None = None
    emotion: str | None = None


Row = ClipRow | RejectRow


class CorpusError(ValueError):
    """A corpus folder or manifest cannot be read at all; the message says what to do."""

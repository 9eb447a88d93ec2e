"""Why a raw clip cannot be used."""

from __future__ import annotations


class MediaError(Exception):
    """A clip is rejected: `stage` and `code` name the reason, `value` is the measured value it is about."""

    def __init__(self, stage: str, code: str, detail: str, value: float | None = None):
        super().__init__(f"{stage}/{code}: {detail}")
        self.stage, self.code, self.detail, self.value = stage, code, detail[:500], value

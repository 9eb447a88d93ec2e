"""What sections of `params.yaml` are made of: checked kinds of numbers, and a base that is frozen and strict."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]
Gpus = Literal["auto"] | CountOrZero  # of all workers together; auto: those of this machine
UNTRAINED = "untrained"  # as a checkpoint: a seeded toy network, for tests of the whole path without weights


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

"""Measures calls on one device until the time is over (benchmarks/gpu.py)."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch

from models.liveportrait.widths import Widths
from models.transformer.motion_transformer import ModelShape


@dataclass(frozen=True)
class Size:
    """How large everything is."""

    shape: ModelShape
    widths: Widths
    speech: dict | None  # of transformers' Wav2Vec2Config; None: the toy
    vgg_width: int
    batches: tuple[int, ...]  # of a training step; the last one also compiled and in float32
    pairs: tuple[int, ...]
    frames: int  # of a clip
    render_batch: int
    steps: int  # of sampling
    requests: tuple[int, ...]
    judged: int  # inputs of a judge at once
    compiled: bool  # whether anything is: a toy would spend its time on it
    rounds: int


@dataclass(frozen=True)
class Row:
    """One measurement."""

    what: str
    setting: str
    took_s: float | None  # a call; None: there was no room
    work: float  # in `unit`, that a call does
    unit: str
    memory_gb: float | None

    def __str__(self) -> str:
        if self.took_s is None:
            return f"| {self.what} | {self.setting} | does not fit | | |"
        memory = "" if self.memory_gb is None else f"{self.memory_gb:.1f}"
        rate = f"{self.work / self.took_s:,.0f} {self.unit}"
        return f"| {self.what} | {self.setting} | {1e3 * self.took_s:.1f} | {rate} | {memory} |"


class Bench:
    """Measures calls on one device until the time is over."""

    def __init__(self, device: str, size: Size, minutes: float):
        self.device, self.size, self.end = device, size, time.monotonic() + 60 * minutes

    @property
    def half(self) -> str:
        """bf16, or fp32 on a processor that would emulate it, a hundred times slower."""
        emulated = self.device == "cpu" and "AVX512" not in torch.backends.cpu.get_cpu_capability()
        return "fp32" if emulated else "bf16"

    def row(self, what: str, setting: str, make: Callable[[], Callable[[], object]], work: float, unit: str) -> Row:
        """`make` gives the call; both may find no room."""
        try:
            if self.device == "cuda":
                gc.collect()
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            call = make()
            self._seconds(call)
            took_s = median(self._seconds(call) for _ in range(self.size.rounds))
        except torch.cuda.OutOfMemoryError:
            return Row(what, setting, None, work, unit, None)
        memory_gb = torch.cuda.max_memory_allocated() / 1e9 if self.device == "cuda" else None
        return Row(what, setting, took_s, work, unit, memory_gb)

    def _seconds(self, call: Callable[[], object]) -> float:
        began = time.perf_counter()
        call()
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

"""The clock of motion and speech: every model here counts time in frames of 40 ms and hears 640 samples in each."""

from __future__ import annotations

FPS = 25
SAMPLE_RATE_HZ = 16000

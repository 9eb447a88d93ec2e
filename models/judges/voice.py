"""Voice activity by Silero VAD (ONNX, 16 kHz)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.formats.onnx import one_thread

RATE_HZ, WINDOW, CONTEXT = 16000, 512, 64
SPEECH = 0.5  # the network's own threshold


class VoiceActivity:
    """The recurrent network of one file; stateless between calls."""

    def __init__(self, model: Path):
        options = one_thread()
        from onnxruntime import InferenceSession

        self._session = InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def probabilities(self, waveform: np.ndarray) -> np.ndarray:
        """waveform [N] float32 at 16 kHz -> probability of speech in every 32 ms [ceil(N / 512)]."""
        padded = np.pad(waveform.astype(np.float32), (CONTEXT, -len(waveform) % WINDOW))
        state, rate = np.zeros((2, 1, 128), np.float32), np.array(RATE_HZ, np.int64)
        found = []
        for start in range(0, len(padded) - CONTEXT, WINDOW):
            window = padded[None, start:start + CONTEXT + WINDOW]  # 64 samples of what came before, then 512
            chance, state = self._session.run(None, {"input": window, "state": state, "sr": rate})
            found.append(float(chance[0, 0]))
        return np.array(found)

    def speech_share(self, waveform: np.ndarray) -> float:
        """Share of windows with speech; 0 for an empty waveform."""
        found = self.probabilities(waveform)
        return float((found >= SPEECH).mean()) if len(found) else 0.0

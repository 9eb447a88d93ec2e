"""Voice activity by Silero VAD (ONNX, 16 kHz)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.formats.onnx import one_thread
from models.motion.clock import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

WINDOW, CONTEXT = 512, 64
SPEECH = 0.5  # the network's own threshold


class VoiceStream:
    """Remembers what came before; what fills no window of 512 samples waits for the next piece."""

    def __init__(self, session: InferenceSession):
        self._session, self._state = session, np.zeros((2, 1, 128), np.float32)
        self._held = np.zeros(CONTEXT, np.float32)

    def hear(self, samples: np.ndarray) -> np.ndarray:
        """samples [n] -> probability of speech in every window that they complete."""
        held, found, start = np.concatenate([self._held, samples.astype(np.float32)]), [], 0
        while start + CONTEXT + WINDOW <= len(held):
            window = held[None, start:start + CONTEXT + WINDOW]  # 64 samples of what came before, then 512
            chance, self._state = self._session.run(None, {"input": window, "state": self._state,
                                                           "sr": np.array(SAMPLE_RATE_HZ, np.int64)})
            found.append(float(chance[0, 0]))
            start += WINDOW
        self._held = held[start:]
        return np.array(found)


class VoiceActivity:
    """The recurrent network of one file; stateless between calls."""

    def __init__(self, model: Path):
        options = one_thread()
        from onnxruntime import InferenceSession

        self._session = InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def probabilities(self, waveform: np.ndarray) -> np.ndarray:
        """waveform [N] float32 at 16 kHz -> probability of speech in every 32 ms [ceil(N / 512)]."""
        return self.listen().hear(np.pad(waveform, (0, -len(waveform) % WINDOW)))

    def listen(self) -> VoiceStream:
        """A listener to speech that arrives in pieces."""
        return VoiceStream(self._session)

    def speech_share(self, waveform: np.ndarray) -> float:
        """Share of windows with speech; 0 for an empty waveform."""
        found = self.probabilities(waveform)
        return float((found >= SPEECH).mean()) if len(found) else 0.0

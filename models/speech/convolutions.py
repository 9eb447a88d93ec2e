"""What Wav2Vec2 and HuBERT have in common before their transformers: how samples become states.

Seven convolutions: receptive field 400 samples, hop 320. With 40 samples of padding on both sides, state j is
centred on (j + 0.5) 20 ms and there are exactly 50 a second. Input is z-normalised per utterance.
"""

from __future__ import annotations

import numpy as np

from models.speech.encoder import STATE_SAMPLES

RECEPTIVE_FIELD = 400
MARGIN = (RECEPTIVE_FIELD - STATE_SAMPLES) // 2
FIRST_STATE_S = 0.01
KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)
MOMENT_OUTPUTS = 32000  # of the first convolution at once: ten seconds


def normalise(waveform: np.ndarray) -> np.ndarray:
    """Zero mean, unit variance (with 1e-7 under the root, as Wav2Vec2 was trained) -> float32."""
    return ((waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7)).astype(np.float32)

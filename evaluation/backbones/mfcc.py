"""Mel-frequency cepstra as SyncNet was trained on: the numbers of python_speech_features 0.6's defaults.

25 ms windows every 10 ms without a taper, pre-emphasis 0.97, 512-point spectrum, 26 triangular mel filters from 0 to
8000 Hz, orthonormal DCT-II, lifter 22, and the log energy in place of the first cepstrum. The input is the 16-bit
scale: divided by 32768 only the first cepstrum changes, and the network answers without complaint.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import dct

RATE_HZ, WINDOW, STEP, FFT = 16000, 400, 160, 512
FILTERS, CEPSTRA, LIFTER, PRE_EMPHASIS = 26, 13, 22, 0.97
TINY = np.finfo(np.float64).eps  # in place of a zero under a logarithm


def mfcc(waveform: np.ndarray) -> np.ndarray:
    """16 kHz mono in [-1, 1], float [N] -> [columns, 13], a column every 10 ms; a last partial window is padded."""
    sound = np.rint(np.clip(np.asarray(waveform, np.float64), -1.0, 32767 / 32768) * 32768)
    power = np.square(np.abs(np.fft.rfft(_windows(sound), FFT))) / FFT  # [columns, 257]
    energy = np.maximum(power.sum(1), TINY)
    filtered = np.maximum(power @ mel_filters().T, TINY)
    cepstra = dct(np.log(filtered), type=2, axis=1, norm="ortho")[:, :CEPSTRA]
    cepstra *= 1.0 + LIFTER / 2 * np.sin(np.pi * np.arange(CEPSTRA) / LIFTER)
    cepstra[:, 0] = np.log(energy)
    return cepstra


def mel_filters() -> np.ndarray:
    """Triangles [26, 257] between whole bins, evenly spaced in mel."""
    mel = np.linspace(0.0, 2595 * np.log10(1 + RATE_HZ / 2 / 700), FILTERS + 2)
    edges = np.floor((FFT + 1) * 700 * (10 ** (mel / 2595) - 1) / RATE_HZ)
    bins = np.arange(FFT // 2 + 1)
    filters = np.zeros((FILTERS, len(bins)))
    for index, (low, middle, high) in enumerate(zip(edges[:-2], edges[1:-1], edges[2:], strict=True)):
        up, down = (bins >= low) & (bins < middle), (bins >= middle) & (bins < high)
        filters[index, up] = (bins[up] - low) / (middle - low)
        filters[index, down] = (high - bins[down]) / (high - middle)
    return filters


def _windows(sound: np.ndarray) -> np.ndarray:
    """Pre-emphasised windows [columns, 400]."""
    emphasised = np.append(sound[:1], sound[1:] - PRE_EMPHASIS * sound[:-1])
    columns = 1 + max(0, -(-(len(sound) - WINDOW) // STEP))
    padded = np.pad(emphasised, (0, max(0, (columns - 1) * STEP + WINDOW - len(sound))))
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::STEP][:columns]

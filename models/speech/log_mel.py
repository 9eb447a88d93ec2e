"""Whisper's log-mel spectrogram: 80 Slaney mel bands, 25 ms Hann windows every 10 ms, window m centred on 10 m ms."""

from __future__ import annotations

import numpy as np

from models.motion.clock import SAMPLE_RATE_HZ

N_FFT, HOP, BANDS = 400, 160, 80


def log_mel(waveform: np.ndarray, loudest: float | None = None) -> np.ndarray:
    """[N] float32 at 16 kHz, N >= 400 -> [80, N // 160] float32.

    Values (log10 of power) are clamped to 80 dB below `loudest`, then brought to about [-1, 1]. None is Whisper's way:
    the loudest of this waveform; then no piece of a longer speech has the same values as in the whole.
    """
    padded = np.pad(np.asarray(waveform, np.float32), N_FFT // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP][:len(waveform) // HOP]  # [T, 400]
    hann = np.sin(np.pi * np.arange(N_FFT) / N_FFT) ** 2
    spectrum = np.fft.rfft(windows * hann.astype(np.float32))
    mel = mel_filters().astype(np.float32) @ (spectrum.real**2 + spectrum.imag**2).T
    log = np.log10(mel.clip(min=1e-10))
    ceiling = log.max() if loudest is None else np.float32(loudest)
    return (np.maximum(log, ceiling - 8.0) + 4.0) / 4.0


def mel_filters() -> np.ndarray:
    """Triangles of unit area between 82 points evenly spaced on Slaney's mel scale, 0-8000 Hz -> [80, 201]."""
    frequencies = np.linspace(0, SAMPLE_RATE_HZ / 2, N_FFT // 2 + 1)
    edges = _mel_to_hz(np.linspace(0, _hz_to_mel(SAMPLE_RATE_HZ / 2), BANDS + 2))
    rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    area = (2 / (edges[2:] - edges[:-2]))[:, None]
    return np.maximum(0, np.minimum(rising, falling)) * area


# Slaney's scale (Auditory Toolbox, 1998): linear below 1 kHz with 200/3 Hz a mel, then 27 mels per factor of 6.4
_BREAK_HZ, _HZ_PER_MEL = 1000.0, 200.0 / 3
_BREAK_MEL, _LOG_STEP = _BREAK_HZ / _HZ_PER_MEL, np.log(6.4) / 27


def _hz_to_mel(hz: float) -> float:
    return hz / _HZ_PER_MEL if hz < _BREAK_HZ else _BREAK_MEL + np.log(hz / _BREAK_HZ) / _LOG_STEP


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL, _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL)))

"""Measures of motion that need no network: mouth curves, pose, jitter, diversity, beats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BEAT_SIGMA_S = 0.08                    # two frames at 25 fps
BEAT_MIN_GAP_S = 0.16
BEAT_SMOOTH_S = 0.4                    # of the head's speed: landmarks jitter from frame to frame


@dataclass(frozen=True)
class LagCorrelation:
    """Pearson r at the lag that makes it largest; lag > 0: the generated curve comes late."""

    r: float
    lag: int
    r_lag0: float


def pearson(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson r of two curves [T]; 0 where one does not move, because it then follows nothing."""
    a, b = first - first.mean(), second - second.mean()
    power = np.sqrt((a @ a) * (b @ b))
    still = power <= 1e-12 * max(np.abs(first).max() * np.abs(second).max() * len(first), 1e-300)
    return 0.0 if still else float(a @ b / power)


def mouth_correlation(reference: np.ndarray, generated: np.ndarray, max_lag: int) -> LagCorrelation:
    """Agreement of two mouth openings [T] over lags -max_lag..max_lag; frames that are NaN in either are left out."""
    reference, generated = np.asarray(reference, np.float64), np.asarray(generated, np.float64)
    if len(reference) != len(generated) or len(reference) <= max_lag + 2:
        raise ValueError(f"curves of one length above {max_lag + 2} are needed, got {len(reference)}, {len(generated)}")
    values = {lag: _at_lag(reference, generated, lag) for lag in sorted(range(-max_lag, max_lag + 1), key=abs)}
    best = max(values, key=values.__getitem__)
    return LagCorrelation(values[best], best, values[0])


def _at_lag(reference: np.ndarray, generated: np.ndarray, lag: int) -> float:
    count = len(reference) - abs(lag)
    a, b = reference[max(-lag, 0):][:count], generated[max(lag, 0):][:count]
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 3:
        raise ValueError("fewer than three frames have both curves")
    return pearson(a[both], b[both])


def value_range(curve: np.ndarray) -> np.ndarray:
    """5th to 95th percentile span over time of [T, ...] -> [...]; NaN frames are left out."""
    low, high = np.nanquantile(curve, [0.05, 0.95], axis=0)
    return high - low


def jitter(curve: np.ndarray) -> np.ndarray:
    """Standard deviation of the second difference over time, [T, ...] -> [...], in units per frame squared."""
    if len(curve) < 3:
        raise ValueError(f"jitter needs three frames, got {len(curve)}")
    return np.nanstd(np.diff(np.asarray(curve, np.float64), n=2, axis=0), axis=0)


def diversity(samples: np.ndarray) -> float:
    """Mean distance of points between samples of the same speech [S, T, K, 3], S >= 2, in crop half widths."""
    if len(samples) < 2:
        raise ValueError("diversity needs at least two samples")
    pairs = [np.linalg.norm(samples[i] - samples[j], axis=-1).mean()
             for i in range(len(samples)) for j in range(i)]
    return float(np.mean(pairs))


def lip_vertex_error(reference: np.ndarray, generated: np.ndarray) -> float:
    """LVE (MeshTalk, FaceFormer): largest lip point distance of every frame, mean over frames; [T, L, 3] both."""
    return float(np.linalg.norm(np.asarray(reference, np.float64) - generated, axis=-1).max(1).mean())


def beat_alignment(audio_beats: np.ndarray, motion_beats: np.ndarray, fps: float) -> float | None:
    """Mean over audio beats of exp(-d^2 / 2 sigma^2), d to the nearest motion beat (Li et al. 2021, AIST++).

    Beats are frame numbers; sigma is 0.08 s. None where either list is empty: there is nothing to align.
    """
    if len(audio_beats) == 0 or len(motion_beats) == 0:
        return None
    nearest = np.abs(np.asarray(audio_beats)[:, None] - np.asarray(motion_beats)[None]).min(1) / fps
    return float(np.exp(-np.square(nearest) / (2 * BEAT_SIGMA_S**2)).mean())


def chance_beat_alignment(audio_beats: np.ndarray, motion_beats: np.ndarray, frames: int, fps: float) -> float | None:
    """The same with the audio beats turned around the clip by every whole frame: what coincidence scores."""
    turned = (beat_alignment((np.asarray(audio_beats) + shift) % frames, motion_beats, fps) for shift in range(frames))
    known = [score for score in turned if score is not None]
    return float(np.mean(known)) if known else None


def audio_beats(waveform: np.ndarray, rate_hz: int, fps: float) -> np.ndarray:
    """Frames of sound onsets: peaks of the rise of log energy, above its mean by one standard deviation."""
    hop = round(rate_hz / fps)
    count = len(waveform) // hop
    if count < 3:  # no peak without a neighbour on both sides
        return np.zeros(0, int)
    energy = np.square(np.asarray(waveform[:count * hop], np.float64)).reshape(count, hop).mean(1)
    rise = np.maximum(np.diff(np.log(energy + 1e-6), prepend=np.log(energy[:1] + 1e-6)), 0.0)
    return _peaks(rise, rise.mean() + rise.std(), round(BEAT_MIN_GAP_S * fps))


def motion_beats(angles_deg: np.ndarray, fps: float) -> np.ndarray:
    """Frames where the head's angular speed has a local minimum: [T, 3] degrees -> frame numbers."""
    speed = np.linalg.norm(np.gradient(np.asarray(angles_deg, np.float64), axis=0), axis=1)
    half = round(BEAT_SMOOTH_S * fps / 2)
    smooth = np.convolve(np.pad(speed, half, mode="edge"), np.ones(2 * half + 1) / (2 * half + 1), mode="valid")
    return _peaks(-smooth, -np.inf, round(BEAT_MIN_GAP_S * fps))


def _peaks(curve: np.ndarray, above: float, gap: int) -> np.ndarray:
    inner = curve[1:-1]
    found = 1 + np.flatnonzero((inner > curve[:-2]) & (inner >= curve[2:]) & (inner > above))
    kept: list[int] = []
    for frame in found[np.argsort(-curve[found], kind="stable")]:
        if all(abs(frame - other) >= gap for other in kept):
            kept.append(int(frame))
    return np.array(sorted(kept), int)

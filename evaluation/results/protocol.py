"""What must be the same for two evaluations to be comparable: stamped into every result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evaluation.jobs.clip import FPS
from evaluation.metrics.judges import judge_weights
from pipeline.core.config import Evaluate

DEFINITIONS = {
    "fid": "pytorch-fid 0.3.0: Inception 2015, 2048 features, bilinear to 299 without antialiasing, covariances with "
           "ddof 1, every frame_stride-th frame of all videos",
    "fvd": "I3D Kinetics-400 logits of non-overlapping 16-frame clips at 25 fps, shorter side to 224, centre cut",
    "sync": "syncnet_v2, syncnet_python's crop around the box of the landmarks (not S3FD's), 31 shifts",
    "csim": "ArcFace w600k_r50, five-point alignment, portrait against frames of the generated video",
    "lpips_alexnet": "LPIPS v0.1, AlexNet, scalar over the picture, frames of the same time",
    "emo_a": "HSEmotion enet_b0_8_best_vgaf on the landmarks' box, percent of videos, neutral ones too",
}


def of_pairs(clips: Sequence[dict[str, Any]], section: Evaluate) -> dict[str, Any]:
    """The part that every evaluation of video pairs has; no time, host or path."""
    networks = [name for name in section.metrics if name in DEFINITIONS]
    return {"frames": sum(row["frames"] for row in clips), "fps": FPS,
            "frames_without_face": {"generated": sum(row["frames_without_face"] for row in clips),
                                    "reference": sum(row["frames_without_face_reference"] for row in clips)},
            "max_duration_s": section.max_duration_s, "frame_stride": section.frame_stride,
            "max_lag_frames": section.max_lag_frames,
            "bootstrap_draws": section.bootstrap, "emo_a": section.emo_a, "metrics": sorted(section.metrics),
            "definitions": {name: DEFINITIONS[name] for name in sorted(networks)},
            "weights_sha256": judge_weights(section.metrics)}

"""One raw clip -> its pieces: measured, cut out, written. Runs in a guarded process (`pipeline.compute.guard`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.face.detectors import FaceDetector, InsightFaceDetector, MediaPipeDetector
from models.judges.voice import VoiceActivity
from pipeline.core.config import Preprocess
from pipeline.media.container import MediaError, open_media, start_s
from pipeline.media.sound import read_sound
from pipeline.media.video import Limits, Probe, probe
from stages.preprocess.lip_sync import LipSync, load_lip_sync
from stages.preprocess.look import Seen, look
from stages.preprocess.piece import PieceMaker, clip_id, thumbnail
from stages.preprocess.shots import pieces, shots

COVERED = 0.1         # share of a frame that the last one may lack
SHORT_SOUND_S = 0.1   # sound that ends this little before the picture is filled up with silence
TRUNCATED_S, TRUNCATED_SHARE = 1.0, 0.05  # a file that ends this much before its header says is broken
MIN_SIDE_PX = 32      # smaller pictures hold no face that a detector could find


def make_worker(settings: dict[str, Any]) -> ClipWorker:
    """`settings`: params (the section `preprocess`), detector, voice and perhaps landmarks, sync (paths of weights)."""
    cv2.setNumThreads(1)
    params = Preprocess.model_validate(settings["params"])
    detector = _detector(params, Path(settings["detector"]), settings["landmarks"])
    lip_sync = load_lip_sync(Path(settings["sync"])) if settings["sync"] else None
    return ClipWorker(params, detector, VoiceActivity(Path(settings["voice"])).speech_share, lip_sync)


def _detector(params: Preprocess, path: Path, landmarks: str | None) -> FaceDetector:
    if params.detector == "mediapipe":
        return MediaPipeDetector(path)
    return InsightFaceDetector(path, params.detector_px, None if landmarks is None else Path(landmarks))


class ClipWorker:
    """Holds the networks; called with one task after another."""

    def __init__(self, params: Preprocess, detector: FaceDetector, speech_share: Callable[[np.ndarray], float],
                 lip_sync: LipSync | None = None):
        self.params, self.detector, self.speech_share, self.lip_sync = params, detector, speech_share, lip_sync
        self.limits = Limits(params.max_side_px, params.max_source_s)

    def __call__(self, task: dict[str, Any]) -> dict[str, Any]:
        """{"source": columns known of the file, "pieces": [columns], "reject": columns or None} of one clip.

        `task`: media, audio, start_s, end_s, hint, box, box_height_px, corpus, key, folder (where crops are written).
        """
        answer: dict[str, Any] = {"source": {}, "pieces": [], "reject": None}
        try:
            self._process(task, answer)
        except MediaError as error:
            answer["reject"] = {"stage": error.stage, "code": error.code, "detail": error.detail, "value": error.value}
            answer["pieces"] = []
        return json.loads(json.dumps(answer))

    def _process(self, task: dict[str, Any], answer: dict[str, Any]) -> None:
        source = probe(Path(task["media"]), self.limits, whole=task["end_s"] is None)
        answer["source"] = {"source_fps": source.fps, "source_width_px": source.width_px,
                            "source_height_px": source.height_px}
        try:
            self._read(task, source, answer)
        except MediaError:
            name = clip_id(task["corpus"], task["key"], task["start_s"], task["end_s"])
            thumbnail(Path(task["folder"]) / f"{name}.jpg", source.first)
            raise

    def _read(self, task: dict[str, Any], source: Probe, answer: dict[str, Any]) -> None:
        media, is_whole = Path(task["media"]), task["end_s"] is None
        if min(source.width_px, source.height_px) < MIN_SIDE_PX:
            raise MediaError("probe", "too_small", f"{source.width_px}x{source.height_px} px hold no face",
                             min(source.width_px, source.height_px))
        zero, length = _span(task, source, self.params.max_source_s)
        waveform = self._sound(task, media, source, zero, length)
        seen = look(media, zero, length, self.params.fps, self.detector, self.params.detect_every,
                    self.params.detector_px, not is_whole, self.params.keep_frames_gb * 2**30)
        if is_whole:
            _check_whole(media, max(seen.end_s, len(waveform) / self.params.sample_rate_hz) + float(zero))
        maker = PieceMaker(task, self.params, source, zero, waveform, seen, self.speech_share, self.lip_sync)
        for first, end in self._pieces(seen, waveform):
            answer["pieces"].append(maker.make(first, end))

    def _sound(self, task, media: Path, source: Probe, zero: Fraction, length: float) -> np.ndarray:
        if task["audio"] is None and not source.has_sound:
            raise MediaError("probe", "no_sound", "the file has no audio stream and there is no sound file beside it")
        rate = self.params.sample_rate_hz
        if task["audio"] is None:
            return read_sound(media, zero, length, rate, False, self.speech_share)
        return read_sound(Path(task["audio"]), zero - source.container_s, length, rate, True, self.speech_share)

    def _pieces(self, seen: Seen, waveform: np.ndarray) -> list[tuple[int, int]]:
        """Frames [first, end) of every piece, also of those that are too short."""
        fps = self.params.fps
        sound_s = len(waveform) / self.params.sample_rate_hz + SHORT_SOUND_S
        count = int(min(seen.end_s, sound_s) * fps + COVERED)
        if count <= 0:
            raise MediaError("decode", "too_short", "sound and picture share no time", 0.0)
        inside = seen.distances[:count - 1] + [0.0] * (count - 1 - len(seen.distances))
        longest = round(self.params.max_duration_s * fps)
        return [piece for shot in shots(inside, self.params.shot_threshold) for piece in pieces(*shot, longest)]


def _span(task: dict[str, Any], source: Probe, max_source_s: float) -> tuple[Fraction, float]:
    """Presentation time of the clip's zero and its length; a span counts from the file's own start."""
    if task["end_s"] is None:
        return source.start_s, max_source_s
    return source.container_s + Fraction(task["start_s"]).limit_denominator(10**6), task["end_s"] - task["start_s"]


def _check_whole(media: Path, end_s: float) -> None:
    with open_media(media) as container:
        declared = (container.duration or 0) / 1e6 + float(start_s(container))
    if declared - end_s > max(TRUNCATED_S, TRUNCATED_SHARE * declared):
        raise MediaError("decode", "truncated", f"ends at {end_s:.2f} s, its header says {declared:.2f} s", end_s)

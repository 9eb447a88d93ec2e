"""One raw clip -> its pieces: measured, cut out, written. Runs in a guarded process (`pipeline.compute.guard`)."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.face.face import FaceDetector
from models.face.shots import pieces, shots
from models.judges.voice import VoiceActivity
from pipeline.components.detector import DetectorFiles, make_detector
from pipeline.components.lip_sync import LipSync, load_lip_sync
from pipeline.compute.device import which_device
from pipeline.core.data_params import Preprocess
from pipeline.media.container import MediaError, open_media, start_s
from pipeline.media.sound import Tally, read_sound
from pipeline.media.video import Limits, Probe, probe
from stages.preprocess.look import Seen, look
from stages.preprocess.piece import PieceMaker, clip_id, thumbnail
from stages.preprocess.task import Answer, ClipTask, Columns, Reason

COVERED = 0.1         # share of a frame that the last one may lack
SHORT_SOUND_S = 0.1   # sound that ends this little before the picture is filled up with silence
TRUNCATED_S, TRUNCATED_SHARE = 1.0, 0.05  # a file that ends this much before its header says is broken
MIN_SIDE_PX = 32      # smaller pictures hold no face that a detector could find


def make_worker(settings: dict[str, Any]) -> Callable[[Columns], Columns]:
    """The worker of a guarded process: a task as JSON -> the answer as JSON."""
    worker = load_worker(settings)
    return lambda message: worker(ClipTask.of(message)).message()


def load_worker(settings: dict[str, Any]) -> ClipWorker:
    """`settings`: params (the section `preprocess`), and paths of weights: detector, voice and perhaps landmarks, sync,
    sync_faces."""
    cv2.setNumThreads(1)
    params = Preprocess.model_validate(settings["params"])
    landmarks = None if settings["landmarks"] is None else Path(settings["landmarks"])
    files = DetectorFiles(Path(settings["detector"]), landmarks)
    device = which_device(params.gpus_per_actor > 0)
    detector = make_detector(params.measure.detector, params.measure.detector_px, files, device)
    lip_sync = None
    if settings["sync"]:
        lip_sync = load_lip_sync(Path(settings["sync"]), Path(settings["sync_faces"]), device)
    return ClipWorker(params, detector, VoiceActivity(Path(settings["voice"])).speech_share, lip_sync)


class ClipWorker:
    """Holds the networks; called with one task after another."""

    def __init__(self, params: Preprocess, detector: FaceDetector, speech_share: Callable[[np.ndarray], float],
                 lip_sync: LipSync | None = None):
        self.measure, self.keep_bytes = params.measure, params.keep_frames_gb * 2**30
        self.detector, self.speech_share, self.lip_sync = detector, speech_share, lip_sync
        self.limits = Limits(self.measure.max_side_px, self.measure.max_source_s)

    def __call__(self, task: ClipTask) -> Answer:
        """Crops of all pieces are written to the task's folder; a clip that cannot be read is an answer, too."""
        known: Columns = {}
        try:
            source = probe(task.media, self.limits, whole=task.end_s is None)
            known = {"source_fps": source.fps, "source_width_px": source.width_px, "source_height_px": source.height_px}
            return Answer(known, self._read(task, source, known))
        except MediaError as error:
            return Answer(known, [], Reason(error.stage, error.code, error.detail, error.value))

    def _read(self, task: ClipTask, source: Probe, known: Columns) -> list[Columns]:
        try:
            return self._pieces_of(task, source, known)
        except MediaError:
            name = clip_id(task.corpus, task.key, task.start_s, task.end_s)
            thumbnail(task.folder / f"{name}.jpg", source.first)
            raise

    def _pieces_of(self, task: ClipTask, source: Probe, known: Columns) -> list[Columns]:
        """Columns of the pieces; what is learned of the file on the way goes into `known`, of a rejected clip too."""
        media, is_whole = task.media, task.end_s is None
        if min(source.width_px, source.height_px) < MIN_SIDE_PX:
            raise MediaError("probe", "too_small", f"{source.width_px}x{source.height_px} px hold no face",
                             min(source.width_px, source.height_px))
        zero, length = _span(task, source, self.measure.max_source_s)
        tally = Tally()
        waveform = self._sound(task, source, zero, length, tally)
        known |= {"sound_damaged_s": tally.damaged_s, "sound_missing_s": tally.missing_s}
        seen = look(media, zero, length, self.measure.fps, self.detector, self.measure.detect_every,
                    self.measure.detector_px, not is_whole, self.keep_bytes)
        if is_whole:
            _check_whole(media, max(seen.end_s, len(waveform) / self.measure.sample_rate_hz) + float(zero))
        maker = PieceMaker(task, self.measure, source, zero, waveform, seen, self.speech_share, self.lip_sync)
        return [maker.make(first, end) for first, end in self._spans(seen, waveform)]

    def _sound(self, task: ClipTask, source: Probe, zero: Fraction, length: float, tally: Tally) -> np.ndarray:
        if task.audio is None and not source.has_sound:
            raise MediaError("probe", "no_sound", "the file has no audio stream and there is no sound file beside it")
        rate = self.measure.sample_rate_hz
        if task.audio is None:
            return read_sound(task.media, zero, length, rate, False, self.speech_share, tally)
        return read_sound(task.audio, zero - source.container_s, length, rate, True, self.speech_share, tally)

    def _spans(self, seen: Seen, waveform: np.ndarray) -> list[tuple[int, int]]:
        """Frames [first, end) of every piece, also of those that are too short."""
        fps = self.measure.fps
        sound_s = len(waveform) / self.measure.sample_rate_hz + SHORT_SOUND_S
        count = int(min(seen.end_s, sound_s) * fps + COVERED)
        if count <= 0:
            raise MediaError("decode", "too_short", "sound and picture share no time", 0.0)
        inside = seen.distances[:count - 1] + [0.0] * (count - 1 - len(seen.distances))
        longest = round(self.measure.max_duration_s * fps)
        return [piece for shot in shots(inside, self.measure.shot_threshold) for piece in pieces(*shot, longest)]


def _span(task: ClipTask, source: Probe, max_source_s: float) -> tuple[Fraction, float]:
    """Presentation time of the clip's zero and its length; a span counts from the file's own start."""
    if task.start_s is None or task.end_s is None:
        return source.start_s, max_source_s
    return source.container_s + Fraction(task.start_s).limit_denominator(10**6), task.end_s - task.start_s


def _check_whole(media: Path, end_s: float) -> None:
    with open_media(media) as container:
        start = 0.0 if "matroska" in container.format.name else float(start_s(container))   # counted in its duration
        declared = (container.duration or 0) / 1e6 + start
    if declared - end_s > max(TRUNCATED_S, TRUNCATED_SHARE * declared):
        raise MediaError("decode", "truncated", f"ends at {end_s:.2f} s, its header says {declared:.2f} s", end_s)

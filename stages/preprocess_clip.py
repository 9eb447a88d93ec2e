"""One raw clip -> its pieces: measured, cut out, written. Runs in a guarded process (`stages.media.guard`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.crop import Square, cut, driving_square
from models.detectors import FaceDetector, InsightFaceDetector, MediaPipeDetector, yaw_deg
from pipeline.atomic import write_bytes
from pipeline.config import Preprocess
from pipeline.fingerprint import digest, file_sha256
from pipeline.media import write_video, write_wav
from stages.faces.looking import Seen, look
from stages.faces.quality import blur, brightness, verdict
from stages.faces.tracks import boxes_per_frame, link, speaker
from stages.faces.voice import VoiceActivity
from stages.media.cropping import crop_frames
from stages.media.errors import MediaError
from stages.media.shots import pieces, shots
from stages.media.sound import read_sound
from stages.media.video import Limits, Probe, container_start, opened, probe

COVERED = 0.1         # share of a frame that the last one may lack
SHORT_SOUND_S = 0.1   # sound that ends this little before the picture is filled up with silence
TRUNCATED_S, TRUNCATED_SHARE = 1.0, 0.05  # a file that ends this much before its header says is broken
THUMBNAIL_PX = 128


def make_worker(settings: dict[str, Any]) -> ClipWorker:
    """`settings`: params (the section `preprocess`), detector and voice (paths of weights)."""
    cv2.setNumThreads(1)
    params = Preprocess.model_validate(settings["params"])
    detector = InsightFaceDetector(Path(settings["detector"]), params.detector_px) \
        if params.detector != "mediapipe" else MediaPipeDetector(Path(settings["detector"]))
    return ClipWorker(params, detector, VoiceActivity(Path(settings["voice"])).speech_share)


class ClipWorker:
    """Holds the networks; called with one task after another."""

    def __init__(self, params: Preprocess, detector: FaceDetector, speech_share: Callable[[np.ndarray], float]):
        self.params, self.detector, self.speech_share = params, detector, speech_share
        self.limits = Limits(params.max_side_px, params.max_source_s)

    def __call__(self, task: dict[str, Any]) -> dict[str, Any]:
        """{"source": columns known of the file, "pieces": [columns], "reject": columns or None} of one clip.

        `task`: media, audio, start_s, end_s, hint, box, corpus, key, folder (where crops are written).
        """
        answer: dict[str, Any] = {"source": {}, "pieces": [], "reject": None}
        try:
            self._process(task, answer)
        except MediaError as error:
            answer["reject"] = {"stage": error.stage, "code": error.code, "detail": error.detail, "value": error.value}
            answer["pieces"] = []
        return json.loads(json.dumps(answer))

    def _process(self, task: dict[str, Any], answer: dict[str, Any]) -> None:
        media, is_whole = Path(task["media"]), task["end_s"] is None
        source = probe(media, self.limits, whole=is_whole)
        answer["source"] = {"source_fps": source.fps, "source_width_px": source.width_px,
                            "source_height_px": source.height_px}
        if min(source.width_px, source.height_px) < self.params.min_face_px:
            raise MediaError("probe", "too_small", f"{source.width_px}x{source.height_px} px hold no face of "
                             f"{self.params.min_face_px:g} px", min(source.width_px, source.height_px))
        zero, length = _span(task, media, source, self.params.max_source_s)
        waveform = self._sound(task, media, source, zero, length)
        seen = look(media, zero, length, self.params.fps, self.detector, self.params.detect_every,
                    self.params.detector_px, seek=not is_whole)
        if is_whole:
            _check_whole(media, max(seen.end_s, len(waveform) / self.params.sample_rate_hz) + float(zero))
        for first, end in self._pieces(seen, waveform):
            answer["pieces"].append(self._piece(task, source, zero, waveform, seen, first, end))

    def _sound(self, task, media: Path, source: Probe, zero: Fraction, length: float) -> np.ndarray:
        if task["audio"] is None and not source.has_sound:
            raise MediaError("probe", "no_sound", "the file has no audio stream and there is no sound file beside it")
        rate = self.params.sample_rate_hz
        if task["audio"] is None:
            return read_sound(media, zero, length, rate, own_clock=False)
        with opened(media) as container:
            start = container_start(container)
        return read_sound(Path(task["audio"]), zero - start, length, rate, own_clock=True)

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

    def _piece(self, task, source: Probe, zero: Fraction, waveform, seen: Seen, first: int,
               end: int) -> dict[str, Any]:
        fps, samples = self.params.fps, self.params.sample_rate_hz // self.params.fps
        offset = task["start_s"] or 0.0
        start_s, end_s = round(offset + first / fps, 3), round(offset + end / fps, 3)
        clip_id = digest(task["corpus"], task["key"], round(start_s * 1000), round(end_s * 1000))
        row: dict[str, Any] = {"clip_id": clip_id, "start_s": start_s, "end_s": end_s, "frames": end - first}
        if end - first < self.params.min_duration_s * fps:
            seconds = (end - first) / fps
            return row | {"reject": {"stage": "decode", "code": "too_short", "value": seconds, "detail":
                                     f"{seconds:g} s, wanted at least {self.params.min_duration_s:g} s"}}
        sound = waveform[first * samples:end * samples]
        sound = np.pad(sound, (0, (end - first) * samples - len(sound)))
        row["speech_share"] = self.speech_share(sound)
        square = self._face(row, task, source, seen, first, end)
        folder = Path(task["folder"])
        if square is None:
            _thumbnail(folder / f"{row['clip_id']}.jpg", seen.first)
            return row
        frames = crop_frames(Path(task["media"]), zero, fps, first, end, square, self.params.crop_px)
        self._write(row, frames, sound, folder)
        return row

    def _face(self, row, task, source: Probe, seen: Seen, first: int, end: int) -> Square | None:
        """Measure the speaker's face and set its square; None without a face."""
        at = [frame for frame in seen.looks if first <= frame < end]
        looks = [seen.looks[frame] for frame in at]
        row["faces"] = float(np.mean([len(faces) for faces in looks])) if looks else 0.0
        track = speaker(link(looks), len(looks), _target(task, source))
        row["detection_share"] = len(track.looks) / len(looks) if track else 0.0
        if track is None:
            return None
        row["face_px"] = float(np.median([np.max(face.box[2:] - face.box[:2]) for face in track.faces]))
        row["yaw_p95_deg"] = float(np.percentile([abs(yaw_deg(face.points)) for face in track.faces], 95))
        boxes = boxes_per_frame(track, [frame - first for frame in at], end - first)
        square = driving_square(boxes, self.params.crop_scale, self.params.crop_shift_y)
        row |= {"crop_x_px": square.x, "crop_y_px": square.y, "crop_side_px": square.side}
        return square

    def _write(self, row: dict[str, Any], frames, sound: np.ndarray, folder: Path) -> None:
        """Write the crop where no threshold rules it out, and measure it on the way."""
        measured: list[tuple[float, float]] = []
        thumbnail = folder / f"{row['clip_id']}.jpg"
        frames = self._measured(frames, measured, thumbnail, row["frames"])
        video, speech = folder / f"{row['clip_id']}.mp4", folder / f"{row['clip_id']}.wav"
        wanted = verdict(row, self.params) is None
        if wanted:
            write_video(video, frames, self.params.fps, sound, self.params.sample_rate_hz, self.params.crf)
        else:
            for _ in frames:
                pass
        row["blur"] = float(np.median([value for value, _ in measured]))
        row["brightness"] = float(np.mean([value for _, value in measured]))
        if wanted and verdict(row, self.params) is None:
            write_wav(speech, sound, self.params.sample_rate_hz)
            row |= {"crop_sha256": file_sha256(video), "speech_sha256": file_sha256(speech)}
        else:
            video.unlink(missing_ok=True)

    def _measured(self, frames, measured: list, thumbnail: Path, count: int):
        for index, crop in enumerate(frames):
            if index % self.params.detect_every == 0:
                measured.append((blur(crop), brightness(crop)))
            if index == count // 2:
                _thumbnail(thumbnail, crop)
            yield crop


def _span(task, media: Path, source: Probe, max_source_s: float) -> tuple[Fraction, float]:
    """Presentation time of the clip's zero and its length; a span counts from the file's own start."""
    if task["end_s"] is None:
        return source.start_s, max_source_s
    with opened(media) as container:
        start = container_start(container)
    return start + Fraction(task["start_s"]).limit_denominator(10**6), task["end_s"] - task["start_s"]


def _check_whole(media: Path, end_s: float) -> None:
    with opened(media) as container:
        declared = (container.duration or 0) / 1e6 + float(container_start(container))
    if declared - end_s > max(TRUNCATED_S, TRUNCATED_SHARE * declared):
        raise MediaError("decode", "truncated", f"ends at {end_s:.2f} s, its header says {declared:.2f} s", end_s)


def _target(task, source: Probe) -> np.ndarray | None:
    """Where the manifest puts the speaker [2], in pixels."""
    size = np.array([source.width_px, source.height_px], np.float64)
    if task["box"] is not None:
        box = np.array(task["box"], np.float64)
        centre = (box[:2] + box[2:]) / 2
        return centre * size if box.max() <= 1.0 else centre
    return np.array(task["hint"]) * size if task["hint"] is not None else None


def _thumbnail(path: Path, image: np.ndarray) -> None:
    height, width = image.shape[:2]
    small = cut(image, Square(width / 2, height / 2, max(width, height)), THUMBNAIL_PX)
    write_bytes(path, cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())

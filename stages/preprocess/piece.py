"""One piece of a clip: the speaker's face is found, its square is cut out and written, everything is measured.

No threshold is asked here: what was measured and cut is kept for every piece with a face, so that a threshold can
be changed later without decoding anything again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from models.face.driving_crop import Square, cut, driving_square
from models.face.face import align_face, roll_deg, yaw_deg
from models.face.tracks import Track, boxes_per_frame, link, speaker
from models.judges.identity import mean_identity
from models.motion.face_space import FaceNotFound
from pipeline.components.lip_sync import LipSync
from pipeline.core.atomic import write_bytes
from pipeline.core.data_params import Measure
from pipeline.core.fingerprint import digest, file_sha256
from pipeline.media.crops import write_wav
from pipeline.media.film import write_video
from pipeline.media.video import Probe
from stages.preprocess.cropping import crop_frames, crop_kept
from stages.preprocess.likeness import moments, picture_hash, sound_hash
from stages.preprocess.look import Seen
from stages.preprocess.quality import blur, brightness, inside_share, score_p05
from stages.preprocess.task import ClipTask, Columns

THUMBNAIL_PX = 128
KNOWN_BY = 8   # faces of a piece, spread over it, that say who it is


def clip_id(corpus: str, key: str, start_s: float | None, end_s: float | None) -> str:
    """The id of a clip: its source and its time span in ms."""
    return digest(corpus, key, *(None if time is None else round(time * 1000) for time in (start_s, end_s)))


def thumbnail(path: Path, image: np.ndarray) -> None:
    """Write a small square JPEG."""
    height, width = image.shape[:2]
    small = cut(image, Square(width / 2, height / 2, max(width, height)), THUMBNAIL_PX)
    write_bytes(path, cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())


class PieceMaker:
    """Makes the pieces of one clip."""

    def __init__(self, task: ClipTask, measure: Measure, source: Probe, zero: Fraction, waveform: np.ndarray,
                 seen: Seen, speech_share: Callable[[np.ndarray], float], lip_sync: LipSync | None = None,
                 identity: Callable[[np.ndarray], np.ndarray] | None = None):
        self._task, self._measure, self._source, self._zero = task, measure, source, zero
        self._waveform, self._seen, self._speech_share, self._lip_sync = waveform, seen, speech_share, lip_sync
        self._folder, self._identity = task.folder, identity

    def make(self, first: int, end: int) -> Columns:
        """Write the crop of output frames [first, end) and return its columns; too short a piece has `reject`."""
        measure, offset = self._measure, self._task.start_s or 0.0
        start_s, end_s = round(offset + first / measure.fps, 3), round(offset + end / measure.fps, 3)
        name = clip_id(self._task.corpus, self._task.key, start_s, end_s)
        row: Columns = {"clip_id": name, "start_s": start_s, "end_s": end_s, "frames": end - first}
        if end - first < measure.min_duration_s * measure.fps:
            thumbnail(self._folder / f"{name}.jpg", self._source.first)
            return row | {"reject": _too_short((end - first) / measure.fps, measure.min_duration_s)}
        sound = self._sound(first, end)
        row |= {"speech_share": self._speech_share(sound), "sound_hash": sound_hash(sound, measure.sample_rate_hz)}
        track = self._face(row, first, end)
        if track is None:
            thumbnail(self._folder / f"{name}.jpg", self._source.first)
            return row
        at = [frame - first for frame in self._seen.looks if first <= frame < end]
        square = driving_square(boxes_per_frame(track, at, end - first), measure.crop_scale, measure.crop_shift_y)
        row |= {"crop_x_px": square.x, "crop_y_px": square.y, "crop_side_px": square.side}
        crops: Iterable[np.ndarray] = self._crops(first, end, square)
        if self._lip_sync is not None:
            crops = list(crops)
            sound = self._in_sync(row, first, end, np.stack(crops), sound)
        faces = self._points_in_crop(track, at, square) if self._identity is not None else {}
        self._write(row, crops, sound, faces)
        return row

    def _in_sync(self, row: Columns, first: int, end: int, crops: np.ndarray, sound: np.ndarray) -> np.ndarray:
        """The piece's sound with the measured offset taken off, which `sound_moved_samples` records."""
        assert self._lip_sync is not None
        try:
            found = self._lip_sync(crops, sound)
        except FaceNotFound as error:
            row["reject"] = {"stage": "face", "code": "face_lost", "value": 0.0, "detail": str(error)}
            return sound
        frames = found.offset   # above zero the sound comes first: it is moved back
        row |= {"sync_confidence": found.confidence, "sync_offset_frames": float(frames)}
        row["sound_moved_samples"] = frames * (self._measure.sample_rate_hz // self._measure.fps)
        return self._sound(first - frames, end - frames)

    def _sound(self, first: int, end: int) -> np.ndarray:
        """Of output frames [first, end), silent where the source has none."""
        samples = self._measure.sample_rate_hz // self._measure.fps
        start, stop = first * samples, end * samples
        sound = self._waveform[max(start, 0):max(stop, 0)]
        before = min(max(-start, 0), stop - start)
        return np.pad(sound, (before, stop - start - before - len(sound)))

    def _points_in_crop(self, track: Track, at: list[int], square: Square) -> dict[int, np.ndarray]:
        """Frame of the piece -> the face's five points [5, 2] in its crop."""
        corner = np.array([square.x, square.y]) - square.side / 2
        chosen = np.unique(np.linspace(0, len(track.faces) - 1, KNOWN_BY).round().astype(int))
        return {at[track.looks[index]]: (track.faces[index].points - corner) * self._measure.crop_px / square.side
                for index in chosen}

    def _face(self, row: Columns, first: int, end: int) -> Track | None:
        """Measure the speaker's face; None without one."""
        looks = [faces for frame, faces in self._seen.looks.items() if first <= frame < end]
        row["faces"] = float(np.mean([len(faces) for faces in looks])) if looks else 0.0
        track = speaker(link(looks), len(looks), _target(self._task, self._source))
        row["detection_share"] = len(track.looks) / len(looks) if track else 0.0
        if track is None:
            return None
        row["face_px"] = float(np.median([np.max(face.box[2:] - face.box[:2]) for face in track.faces]))
        row["yaw_p95_deg"] = float(np.percentile([abs(yaw_deg(face.points)) for face in track.faces], 95))
        row["roll_deg"] = float(np.median([abs(roll_deg(face.points)) for face in track.faces]))
        row["score_p05"] = score_p05(track.faces)
        row["inside_share"] = inside_share(track.faces, self._source.width_px, self._source.height_px)
        return track

    def _crops(self, first: int, end: int, square: Square) -> Iterator[np.ndarray]:
        seen, size_px = self._seen, self._measure.crop_px
        if seen.frames is not None:
            return crop_kept(seen.frames, seen.upright, first, end, square, size_px)
        return crop_frames(self._task.media, self._zero, self._measure.fps, first, end, square, size_px)

    def _write(self, row: Columns, crops: Iterable[np.ndarray], sound: np.ndarray,
               faces: dict[int, np.ndarray]) -> None:
        """Write crop and speech, and measure the crop on the way; `faces`: points in the frames that say who it is."""
        measure, name = self._measure, row["clip_id"]
        video, speech = self._folder / f"{name}.mp4", self._folder / f"{name}.wav"
        measured: list[tuple[float, float]] = []
        hashes: list[str] = []
        known: list[np.ndarray] = []
        crops = self._measure_crops(crops, row["frames"], measured, hashes, self._folder / f"{name}.jpg")
        crops = _collect_faces(crops, faces, known)
        write_video(video, crops, measure.fps, sound, measure.sample_rate_hz, measure.crf)
        write_wav(speech, sound, measure.sample_rate_hz)
        row |= {"blur": float(np.median([value for value, _ in measured])),
                "brightness": float(np.mean([value for _, value in measured])), "picture_hash": "".join(hashes),
                "crop_sha256": file_sha256(video), "speech_sha256": file_sha256(speech)}
        if self._identity is not None:
            row["identity_vector"] = mean_identity(self._identity(np.stack(known)))

    def _measure_crops(self, crops, frames: int, measured: list, hashes: list, picture: Path) -> Iterator[np.ndarray]:
        hashed = set(moments(frames))
        for index, crop in enumerate(crops):
            if index % self._measure.detect_every == 0:
                measured.append((blur(crop), brightness(crop)))
            if index in hashed:
                hashes.append(picture_hash(crop))
            if index == frames // 2:
                thumbnail(picture, crop)
            yield crop


def _collect_faces(crops: Iterable[np.ndarray], faces: dict[int, np.ndarray], known: list) -> Iterator[np.ndarray]:
    """The crops as they are; aligned faces of those in `faces` are added to `known` on the way."""
    for index, crop in enumerate(crops):
        if index in faces:
            known.append(align_face(crop, faces[index]))
        yield crop


def _too_short(seconds: float, wanted: float) -> Columns:
    return {"stage": "decode", "code": "too_short", "value": seconds,
            "detail": f"{seconds:g} s, wanted at least {wanted:g} s"}


def _target(task: ClipTask, source: Probe) -> np.ndarray | None:
    """Where the manifest puts the speaker [2], in pixels of the upright picture."""
    size = np.array([source.width_px, source.height_px], np.float64)
    if task.box is not None:
        box = np.array(task.box, np.float64)
        centre = (box[:2] + box[2:]) / 2
        if box.max() <= 1.0:
            return centre * size
        # pixels of the picture that the list was made from, which may be of another height than this file
        return centre * (source.height_px / task.box_height_px if task.box_height_px else 1.0)
    return np.array(task.hint) * size if task.hint is not None else None

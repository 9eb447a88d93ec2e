"""What actors hand to each other where decoding, forward passes and writing have processes of their own.

A batch of clips is one row: its positions, its decoded pictures and waveforms, later its finished objects.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from feature_store.manifest import Reject
from models.motion.face_space import FaceNotFound
from models.motion.motion import Motion
from pipeline.storage import ObjectMissing
from stages.extract.clip import ClipError, CropFiles, Extracts

PICTURES, WAVEFORM = "pictures", "waveform"
MEDIUM = pa.struct([("path", pa.string()), ("kind", pa.string()), ("dtype", pa.string()),
                    ("shape", pa.list_(pa.int32())), ("fault", pa.string()), ("lost", pa.bool_())])
DECODED = pa.schema([("positions", pa.list_(pa.int32())), ("media", pa.list_(MEDIUM)),
                     ("data", pa.list_(pa.large_binary()))])
FINISHED = pa.schema([("keys", pa.list_(pa.string())), ("data", pa.list_(pa.large_binary())),
                      ("statuses", pa.string())])


@dataclass(frozen=True)
class Medium:
    """A decoded array of one clip, or the reason why there is none; `lost`: its processes died, others raised."""

    path: Path
    kind: str
    array: np.ndarray | None
    fault: Reject | None = None
    lost: bool = False


def decoded_row(positions: np.ndarray, media: list[Medium]) -> pa.Table:
    """One batch as a table of one row."""
    about = [{"path": str(medium.path), "kind": medium.kind, "lost": medium.lost,
              "dtype": "" if medium.array is None else medium.array.dtype.str,
              "shape": [] if medium.array is None else list(medium.array.shape),
              "fault": json.dumps(asdict(medium.fault)) if medium.fault else ""} for medium in media]
    data = [b"" if medium.array is None else medium.array.tobytes() for medium in media]
    return pa.table({"positions": [positions.tolist()], "media": [about], "data": [data]}, schema=DECODED)


class CarriedMedia(CropFiles):
    """The media of one `decoded_row`, without a copy; raises what decoding raised."""

    def __init__(self, row: pa.Table):
        data = row["data"].combine_chunks().flatten()
        self._media = {(about["path"], about["kind"]): _medium(about, data[i].as_buffer())
                       for i, about in enumerate(row["media"][0].as_py())}

    def pictures(self, path: Path) -> np.ndarray:
        return self._get(path, PICTURES)

    def waveform(self, path: Path) -> np.ndarray:
        return self._get(path, WAVEFORM)

    def fault_of(self, path: Path) -> Reject | None:
        """Why the clip was given up by the decoders, where it was."""
        return next((medium.fault for medium in self._media.values() if medium.path == path and medium.lost), None)

    def all_pictures(self) -> list[np.ndarray]:
        """Pictures of all clips of the batch that could be decoded."""
        return [medium.array for medium in self._media.values() if medium.kind == PICTURES and medium.array is not None]

    def _get(self, path: Path, kind: str) -> np.ndarray:
        medium = self._media[str(path), kind]
        if medium.fault is not None:
            raise ClipError(medium.fault.code, medium.fault.detail, medium.fault.value)
        assert medium.array is not None
        return medium.array


def _medium(about: dict, data: pa.Buffer) -> Medium:
    fault = Reject(**json.loads(about["fault"])) if about["fault"] else None
    array = None if fault else np.frombuffer(data, about["dtype"]).reshape(about["shape"])
    return Medium(Path(about["path"]), about["kind"], array, fault, about["lost"])


@dataclass
class Outbox:
    """A store of what a batch has finished: the writers put it into the real one."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        if key in self.objects:
            return False
        self.objects[key] = data
        return True

    def put(self, key: str, data: bytes) -> None:
        self.objects[key] = data

    def size(self, key: str) -> int:
        if key not in self.objects:
            raise ObjectMissing(key)
        return len(self.objects[key])


def result_row(objects: dict[str, bytes], statuses: list[dict]) -> pa.Table:
    """What the writers get of one batch."""
    return pa.table({"keys": [list(objects)], "data": [list(objects.values())], "statuses": [json.dumps(statuses)]},
                    schema=FINISHED)


class BatchedSpace:
    """A face space that computes all clips of a batch in one forward pass, where it can (`extract_many`)."""

    def __init__(self, space: Extracts):
        self.space, self._ready = space, dict[int, Motion]()
        self.seconds_per_frame = 0.0  # that `prepare` took

    def prepare(self, clips: list[np.ndarray]) -> None:
        """Compute `clips`, each [T, H, W, 3]; `extract` of the very same arrays then costs nothing."""
        began = time.monotonic()
        if hasattr(self.space, "extract_many"):
            results = self.space.extract_many(clips)
            self._ready = {id(frames): result for frames, result in zip(clips, results, strict=True)}
        self.seconds_per_frame = (time.monotonic() - began) / max(sum(map(len, clips)), 1)

    def extract(self, frames: np.ndarray) -> Motion:
        result = self._ready.pop(id(frames), None)
        if isinstance(result, FaceNotFound):
            raise result
        return self.space.extract(frames) if result is None else result

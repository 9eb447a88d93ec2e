"""The canonical face of MediaPipe: a neutral frontal mesh, read from the landmarker's own `.task` file.

The member `geometry_pipeline_metadata_landmarks.binarypb` is a protobuf message GeometryPipelineMetadata
(mediapipe/tasks/cc/vision/face_geometry/proto): field 1 is Mesh3d (field 3: floats x, y, z, u, v per vertex,
field 4: triangle indices). It is turned into the axes of `models.motion.camera` (x right, y down, z away from the
viewer) and into units of the face's width.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MEMBER = "geometry_pipeline_metadata_landmarks.binarypb"
NUM_VERTICES = 468
_LIMIT_BYTES = 1 << 20  # the member has 19 kB; anything much larger is another file

# points that speech and expression hardly move: eye corners, nose bridge and upper nose, forehead, face sides
RIGID_POINTS = (33, 133, 362, 263, 168, 6, 197, 195, 10, 109, 338, 67, 297, 103, 332, 54, 284, 127, 356, 234,
                454)


@dataclass(frozen=True)
class Template:
    """Canonical face: `vertices` [468, 3] float64 in face widths, `triangles` [n, 3] int."""

    vertices: np.ndarray
    triangles: np.ndarray


def read_template(task_path: Path) -> Template:
    """Read the canonical face of a `.task` file; raises ValueError where the file does not hold one."""
    try:
        with zipfile.ZipFile(task_path) as archive:
            if archive.getinfo(MEMBER).file_size > _LIMIT_BYTES:
                raise ValueError("the member is too large")
            message = archive.read(MEMBER)
        floats, triangles = _mesh(message)
    except (zipfile.BadZipFile, KeyError, IndexError, StopIteration, ValueError) as error:
        detail = f"{task_path} holds no canonical face mesh ({error}): pull the weights again"
        raise ValueError(detail) from error
    return Template(_to_camera_axes(floats.reshape(-1, 5)[:, :3]), triangles.reshape(-1, 3))


def _to_camera_axes(vertices: np.ndarray) -> np.ndarray:
    turned = vertices * [1, -1, -1]  # the file has y up and z towards the viewer
    return turned / np.linalg.norm(turned[454] - turned[234])  # jaw hinge to jaw hinge


def _mesh(message: bytes) -> tuple[np.ndarray, np.ndarray]:
    numbers, indices = bytearray(), list[int]()
    mesh = next(value for field, value in _fields(message) if field == 1 and isinstance(value, bytes))
    for field, value in _fields(mesh):
        if field == 3 and isinstance(value, bytes):
            numbers += value  # one, or many packed
        if field == 4:
            indices += [value] if isinstance(value, int) else _varints(value)
    floats = np.frombuffer(numbers, "<f4").astype(np.float64)
    if len(floats) != NUM_VERTICES * 5 or len(indices) % 3 or max(indices, default=-1) >= NUM_VERTICES:
        raise ValueError(f"{len(floats)} coordinates, {len(indices)} triangle corners")
    return floats, np.array(indices)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of a protobuf message; varints as int, everything else as bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        field, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield field, value
            continue
        if wire not in (1, 2, 5):
            raise ValueError(f"wire type {wire}")
        size, at = _varint(message, at) if wire == 2 else ({1: 8, 5: 4}[wire], at)
        if at + size > len(message):
            raise ValueError("the message is cut short")
        yield field, message[at:at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    if data[at] < 0x80:   # as nearly all are
        return data[at], at + 1
    value = shift = 0
    while shift < 64:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("a number has no end")


def _varints(data: bytes) -> list[int]:
    at, values = 0, []
    while at < len(data):
        value, at = _varint(data, at)
        values.append(value)
    return values

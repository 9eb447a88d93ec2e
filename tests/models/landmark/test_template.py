"""The canonical face inside a `.task` file: wire format by hand, damaged files."""

from __future__ import annotations

import struct
import zipfile

import numpy as np
import pytest

from models.landmark.template import MEMBER, NUM_VERTICES, read_template


def field(number: int, wire: int, payload: bytes) -> bytes:
    return bytes([number << 3 | wire]) + payload


def varint(value: int) -> bytes:
    head = b""
    while value > 127:
        head += bytes([value & 127 | 128])
        value >>= 7
    return head + bytes([value])


def block(number: int, payload: bytes) -> bytes:
    return field(number, 2, varint(len(payload)) + payload)


def vertices() -> np.ndarray:
    values = np.random.default_rng(1).normal(size=(NUM_VERTICES, 5))
    values[234, :3], values[454, :3] = [-2, 1, 0], [2, 1, 0]  # the face is 4 wide
    return values.astype(np.float32)


def task_file(tmp_path, mesh: bytes):
    path = tmp_path / "face.task"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, block(1, mesh) + field(3, 0, varint(1)))
    return path


def test_unpacked_and_packed_numbers_read_the_same(tmp_path):
    values, corners = vertices(), [0, 300, 467, 1, 2, 3]
    unpacked = b"".join(field(3, 5, struct.pack("<f", value)) for value in values.ravel())
    unpacked += b"".join(field(4, 0, varint(corner)) for corner in corners)
    packed = block(3, values.tobytes()) + block(4, b"".join(map(varint, corners)))
    for mesh in (unpacked, packed):
        template = read_template(task_file(tmp_path, mesh))
        assert template.triangles.tolist() == [[0, 300, 467], [1, 2, 3]]
        np.testing.assert_allclose(template.vertices, values[:, :3] * [0.25, -0.25, -0.25], rtol=1e-6)


@pytest.mark.parametrize("mesh", [b"", block(3, b"\0" * 40), block(3, vertices().tobytes()) + block(4, varint(468)),
                                  b"\x1a\xff\xff\xff\x7f", b"\x1b", b"\xff" * 12])
def test_damaged_meshes_are_refused_with_the_file_named(tmp_path, mesh):
    with pytest.raises(ValueError, match=r"face\.task holds no canonical face"):
        read_template(task_file(tmp_path, mesh))


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "face.task"
    path.write_bytes(b"not a zip")
    with pytest.raises(ValueError, match="holds no canonical face"):
        read_template(path)

"""Read weights from a CTranslate2 `model.bin` (binary version 6) without that library.

Little-endian: u32 version; string spec; u32 revision; u32 count; then for each variable a string name, u8 rank,
u32 sizes, u8 type, u32 bytes and the data; then u32 count of aliases, pairs of strings. A string is u16
length with its final zero byte. An int8 or int16 `NAME` has its scales in `NAME_scale`: value = stored / scale,
one scale for each row. Nothing is executed; every length is checked against the file.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

VERSION = 6
MAX_VARIABLES = 100_000
TYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}


def read_variables(path: Path, prefix: str = "") -> dict[str, np.ndarray]:
    """Variables whose name starts with `prefix`, floats and quantised ones as float32; raises ValueError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            found = _read(file, size, prefix)
        except (struct.error, UnicodeDecodeError, ValueError) as error:
            raise ValueError(f"{path} is not a CTranslate2 model of version {VERSION}: {error}") from error
    return _dequantise(found)


def _read(file: BinaryIO, size: int, prefix: str) -> dict[str, np.ndarray]:
    version = _number(file, "I")
    if version != VERSION:
        raise ValueError(f"its version is {version}")
    _string(file)
    _number(file, "I")  # revision of the model's specification
    count = _number(file, "I")
    if count > MAX_VARIABLES:
        raise ValueError(f"{count} variables")
    found = {}
    for _ in range(count):
        name, shape, kind, nbytes = _header(file)
        if file.tell() + nbytes > size:
            raise ValueError(f"{name} is cut short")
        if name.startswith(prefix):
            found[name] = _values(name, shape, kind, file.read(nbytes))
        else:
            file.seek(nbytes, 1)
    return found


def _header(file: BinaryIO) -> tuple[str, tuple[int, ...], int, int]:
    name = _string(file)
    shape = tuple(_number(file, "I") for _ in range(_number(file, "B")))
    return name, shape, _number(file, "B"), _number(file, "I")


def _values(name: str, shape: tuple[int, ...], kind: int, data: bytes) -> np.ndarray:
    if kind not in TYPES:
        raise ValueError(f"{name} has the unknown type {kind}")
    dtype = np.dtype(TYPES[kind])
    count = 1
    for length in shape:
        count *= length
    if count * dtype.itemsize != len(data):
        raise ValueError(f"{name} {shape} does not fit its {len(data)} bytes")
    return np.frombuffer(data, dtype).reshape(shape)


def _dequantise(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    scales = {name: found[f"{name}_scale"] for name in found if f"{name}_scale" in found}
    values = {}
    for name, value in found.items():
        if name in scales:
            rows = scales[name].astype(np.float32).reshape(-1, *[1] * (value.ndim - 1))
            values[name] = value.astype(np.float32) / rows
        elif name.removesuffix("_scale") not in scales:
            values[name] = value.astype(np.float32) if value.dtype.kind == "f" else value
    return values


def _number(file: BinaryIO, code: str) -> int:
    return struct.unpack(f"<{code}", file.read(struct.calcsize(code)))[0]


def _string(file: BinaryIO) -> str:
    length = _number(file, "H")
    data = file.read(length)
    if len(data) != length or not data.endswith(b"\0"):
        raise ValueError("a string has no end")
    return data[:-1].decode()

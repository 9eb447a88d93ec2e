"""The reader of CTranslate2 weights, on files made here."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from models.formats.ctranslate2 import TYPES, read_variables


def string(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def variable(name: str, value: np.ndarray) -> bytes:
    code = {dtype: code for code, dtype in TYPES.items()}[value.dtype.str.replace("|", "<")]
    sizes = b"".join(struct.pack("<I", n) for n in value.shape)
    return (string(name) + struct.pack("<B", value.ndim) + sizes + struct.pack("<BI", code, value.nbytes)
            + value.tobytes())


def model(*variables: bytes, version: int = 6) -> bytes:
    head = struct.pack("<I", version) + string("WhisperSpec") + struct.pack("<II", 3, len(variables))
    return head + b"".join(variables) + struct.pack("<I", 0)


@pytest.fixture
def write(tmp_path):
    def write(data: bytes):
        path = tmp_path / "model.bin"
        path.write_bytes(data)
        return path

    return write


def test_floats_come_back(write):
    half, single = np.array([[1.5, -2.0]], np.float16), np.array([0.1, 3e5], np.float32)
    found = read_variables(write(model(variable("a", half), variable("b", single))))
    np.testing.assert_array_equal(found["a"], [[1.5, -2.0]])
    np.testing.assert_array_equal(found["b"], single)
    assert found["a"].dtype == found["b"].dtype == np.float32


def test_int8_is_divided_by_the_scale_of_its_row(write):
    stored, scale = np.array([[127, -127], [10, 5]], np.int8), np.array([127.0, 2.0], np.float32)
    found = read_variables(write(model(variable("w", stored), variable("w_scale", scale))))
    np.testing.assert_array_equal(found["w"], [[1.0, -1.0], [5.0, 2.5]])
    assert set(found) == {"w"}


def test_int16_has_one_scale(write):
    data = model(variable("w", np.array([100, -50], np.int16)), variable("w_scale", np.array(1000.0, np.float32)))
    np.testing.assert_allclose(read_variables(write(data))["w"], [0.1, -0.05])


def test_other_variables_are_passed_over(write):
    path = write(model(variable("decoder/x", np.ones(3, np.float32)), variable("encoder/n", np.array(6, np.int16))))
    found = read_variables(path, "encoder/")
    assert set(found) == {"encoder/n"} and int(found["encoder/n"]) == 6


@pytest.mark.parametrize(("data", "reason"), [
    (b"", "unpack"), (b"\x80\x04pickle", "version"), (model(version=5), "version is 5"),
    (model(variable("w", np.ones(4, np.float32)))[:-10], "cut short"),
    (model(variable("w", np.ones(4, np.float32)).replace(struct.pack("<I", 4), struct.pack("<I", 5), 1)), "fit"),
    (model(variable("w", np.ones(4, np.float32)).replace(b"w\0", b"ww")), "no end"),
    (struct.pack("<I", 6) + string("x") + struct.pack("<II", 3, 2**31), "2147483648 variables"),
])
def test_a_file_that_is_no_model_is_refused(write, data, reason):
    with pytest.raises(ValueError, match=reason):
        read_variables(write(data))

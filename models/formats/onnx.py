"""ONNX Runtime on one thread, without its telemetry.

Some of its builds (1.32 from PyPI) write a device id and an event database into the home folder as soon as they are
imported, and upload it: the switch must be there before.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import SessionOptions


def one_thread() -> SessionOptions:
    """Options of a session that uses one core."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return options

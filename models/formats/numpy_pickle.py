"""Pickles that hold NumPy arrays and nothing else, read without giving the file any power.

Unpickling can call any importable object; here four names resolve, every other one raises.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct

_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not a NumPy array: refused")
        return _ALLOWED[module, name]


def read_numpy_pickle(path: Path) -> Any:
    """Nested dicts and lists of arrays of `path`; raises ValueError for anything else in it."""
    try:
        return _Reader(io.BytesIO(path.read_bytes())).load()
    except (pickle.UnpicklingError, EOFError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ValueError(f"{path} is not a pickle of NumPy arrays ({error})") from error

"""One module of a large package without all else that the package imports, for starts that take no longer than need be.

`import scipy.spatial` for its Delaunay triangulation alone brings SciPy's sparse matrices, linear algebra and NumPy's
Fortran compiler; MediaPipe's face landmarker brings sound devices, text and matplotlib. Together they were a third of
the time to a film's first frame.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec

_lock = threading.RLock()


@contextmanager
def bare(*packages: str) -> Iterator[None]:
    """While this lasts, `packages` (dotted names, outer ones first) that nobody has imported are there as folders of
    modules alone: their own `__init__` does not run.

    Afterwards they, and what was imported of them, count as never imported: whoever asks for such a package later gets
    the whole of it. Keep what was imported. Raises ModuleNotFoundError.
    """
    with _lock:
        before = set(sys.modules)
        placed = [name for name in packages if name not in before]
        try:
            for name in placed:
                spec = find_spec(name)
                if spec is None:
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
                sys.modules[name] = module_from_spec(spec)
            yield
        finally:
            for name in set(sys.modules) - before:
                if any(f"{name}.".startswith(f"{package}.") for package in placed):
                    del sys.modules[name]

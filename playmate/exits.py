"""How a command ends: 0 done; 1 the run failed (a full disk, a server that is away); 2 the input is wrong, mend it and
run again; 130 and 143 somebody ended it. Errors with such a code are one line on stderr, all others a traceback and 1.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType

FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130
WRONG = ("pipeline.weights.table.WeightsError",)
RUN_FAILED = ("pipeline.compute.ray_session.RayError", "pipeline.compute.resources.ResourcesMissing",
              "pipeline.storage.lease.LeaseLost", "pipeline.storage.lease.Unsafe", "pipeline.storage.lease.Busy",
              "pipeline.tracking.client.TrackingUnavailable")
# package -> the extra that brings it
EXTRAS = {"mediapipe": "demo", "espeakng_loader": "demo", "ai_edge_litert": "demo", "skimage": "demo"}
NAMES_WRONG = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError, FileExistsError)


def run(command: Callable[[], object]) -> None:
    """Run `command`; whatever it wrote half is taken away and its processes end, also where it is ended by a signal."""
    for stream in (sys.stdout, sys.stderr):   # names that are no text, and terminals that know ASCII alone
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end_by_signal)
    try:
        command()
    except KeyboardInterrupt:
        _leave("interrupted", INTERRUPTED)
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        _leave(in_words(error), code)


def exit_code(error: Exception) -> int | None:
    """1 or 2 for an error that a user can do something about; None for a mistake of ours."""
    if isinstance(error, (ValueError, *NAMES_WRONG, *_imported_classes(WRONG))):
        return WRONG_INPUT
    failed = isinstance(error, (OSError, MemoryError, *_imported_classes(RUN_FAILED))) or _extra(error) is not None
    return FAILED if failed else None


def _extra(error: Exception) -> str | None:
    """The extra that brings the package which an import did not find."""
    return EXTRAS.get((error.name or "").partition(".")[0]) if isinstance(error, ModuleNotFoundError) else None


def _imported_classes(names: tuple[str, ...]) -> list[type[Exception]]:
    """Classes of those modules that were imported: no other can have been raised, and importing takes seconds."""
    found = ((sys.modules.get(name.rpartition(".")[0]), name.rpartition(".")[2]) for name in names)
    return [getattr(module, name) for module, name in found if module is not None]


def in_words(error: Exception) -> str:
    """One line or more, with the file's name where the system names one."""
    extra = _extra(error)
    if extra:
        return f"{error}: install the extra `{extra}`, as in `pip install 'playmate-pipeline[{extra}]'`"
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def _end_by_signal(number: int, frame: FrameType | None) -> None:
    print(f"playmate: ended by {signal.Signals(number).name}", file=sys.stderr)
    sys.exit(128 + number)


def _leave(words: str, code: int) -> None:
    print(f"playmate: {words}", file=sys.stderr)
    sys.exit(code)

"""How commands end: codes that a script can rely on, one line, nothing half written, nothing loaded in vain."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import soundfile

from pipeline.storage.lease import Busy
from pipeline.tracking import TrackingUnavailable
from pipeline.weights.table import WeightsError
from playmate import exits
from playmate.options import check_port


def command(*arguments, **options):
    """`playmate ...` in a process of its own, and whether it loaded torch."""
    code = ("import sys, playmate.main as m, atexit\n"
            "atexit.register(lambda: print('torch loaded' if 'torch' in sys.modules else 'no torch'))\n"
            f"sys.argv = ['playmate', *{[str(part) for part in arguments]!r}]\nm.main()")
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize(("error", "code", "words"), [
    (ValueError("the portrait is damaged"), 2, "the portrait is damaged"),
    (WeightsError("not there"), 2, "not there"),
    (PermissionError(errno.EACCES, "Permission denied", "/a/b"), 2, "/a/b: Permission denied"),
    (OSError(errno.ENOSPC, "No space left on device", "/a/b"), 1, "/a/b: No space left on device"),
    (ModuleNotFoundError("No module named 'mediapipe'", name="mediapipe.tasks"), 1,
     "No module named 'mediapipe': install the extra `demo`, as in `pip install 'playmate-pipeline[demo]'`"),
    (TrackingUnavailable("away"), 1, "away"), (Busy("another"), 1, "another"), (MemoryError(), 1, "MemoryError")])
def test_the_code_says_whose_turn_it_is(capsys, error, code, words):
    def fail():
        raise error

    with pytest.raises(SystemExit) as ended:
        exits.run(fail)
    assert ended.value.code == code and capsys.readouterr().err == f"playmate: {words}\n"


def test_a_mistake_of_ours_shows_where_it_came_from():
    with pytest.raises(KeyError):
        exits.run(lambda: {}["a"])


def test_ctrl_c_is_a_line(capsys):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        exits.run(interrupt)
    assert ended.value.code == 130 and capsys.readouterr().err == "playmate: interrupted\n"


@pytest.mark.processes
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_terminal_takes_any_name(encoding):
    code = "import os; from playmate.exits import run; run(lambda: print('…', os.fsdecode(b'\\xff')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False,
                          env={**os.environ, "PYTHONIOENCODING": encoding})
    assert done.returncode == 0 and b"\\udcff" in done.stdout


def test_ports():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=r"port \d+ of 127.0.0.1 cannot be used .*in use.*--port"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)
    for wrong in (80000, 0, -1):
        with pytest.raises(ValueError, match="from 1 to 65535"):
            check_port("127.0.0.1", wrong)
    with pytest.raises(ValueError, match=r"of 192\.0\.2\.1"):   # an address of nobody (RFC 5737)
        check_port("192.0.2.1", 7860)


@pytest.mark.processes
@pytest.mark.parametrize("arguments", [["tracking", "ui"], ["web"]])
def test_a_taken_port_is_a_line_before_anything_is_loaded(tmp_path, arguments):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = command(*arguments, "--port", taken.getsockname()[1], cwd=tmp_path, timeout=60)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and done.stdout == "no torch\n"


@pytest.mark.processes
@pytest.mark.parametrize(("portrait", "speech", "out", "said"), [
    ("none.png", "voice.wav", "o.mp4", "none.png: the portrait"), ("face.png", "none.wav", "o.mp4", "none.wav"),
    ("face.png", "voice.wav", "face.png/o.mp4", "o.mp4 cannot be written: "),
    ("face.png", "voice.wav", "o.avi", "must end in .mp4")])
def test_what_can_be_checked_is_checked_before_torch_is_loaded(tmp_path, picture, portrait, speech, out, said):
    from PIL import Image

    Image.fromarray(picture).save(tmp_path / "face.png")
    soundfile.write(tmp_path / "voice.wav", 0.3 * np.sin(np.arange(16000) * 0.2), 16000)
    done = command("animate", "--portrait", portrait, "--speech", speech, "-o", out, cwd=tmp_path, timeout=120)
    assert done.returncode == 2 and said in done.stderr and done.stdout == "no torch\n"


def hear_ctrl_c() -> None:
    """What runs in the background of a shell, as these tests may, ignores it, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_half_written_stays_and_no_process(tmp_path, picture, project, number):
    from PIL import Image

    Image.fromarray(picture).save(tmp_path / "face.png")
    soundfile.write(tmp_path / "voice.wav", 0.3 * np.sin(np.arange(16000 * 300) * 0.2), 16000)
    made = subprocess.Popen([sys.executable, "-m", "playmate", "animate", "--portrait", "face.png", "--speech",
                             "voice.wav", "--any-sound", "-o", "films/o.mp4", "--model",
                             project / "pretrained/embedded"], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
                            preexec_fn=hear_ctrl_c)  # noqa: PLW1509
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("films/.o*")) and made.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert made.poll() is None, made.stderr.read()
    children = psutil.Process(made.pid).children(recursive=True)
    made.send_signal(number)
    said = made.communicate(timeout=60)[1]
    assert made.returncode == 128 + number, said
    assert not list((tmp_path / "films").iterdir()) and "Traceback" not in said
    assert not [child for child in psutil.wait_procs(children, timeout=10)[1]]

"""The built wheel in a fresh environment and an empty folder: all commands work without the clone."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from PIL import Image

from pipeline.media.crops import write_wav
from pipeline.weights.table import WeightsError, weight_path

pytestmark = [pytest.mark.slow, pytest.mark.processes]


@pytest.fixture(scope="module")
def installed(project, tmp_path_factory) -> Path:
    """`bin` of an environment with the wheel; libraries are this environment's, our own code is not."""
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    if not Path(uv).is_file():
        pytest.skip("there is no uv to build the wheel with")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([uv, "build", "--quiet", "--no-build-isolation", "--python", sys.executable, "-o", folder, project],
                   check=True)   # by a source distribution: what an earlier build left in build/ is in neither
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    python = folder / "env/bin/python"
    [wheel] = folder.glob("*.whl")
    subprocess.run([uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel], check=True)
    site = next((folder / "env").glob("lib/python*/site-packages"))
    libraries = [entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
    (site / "libraries.pth").write_text("\n".join(libraries))   # only the paths: what is editable there stays away
    return folder / "env/bin"


@pytest.fixture(scope="module")
def empty(installed, tmp_path_factory, picture):
    """An empty folder with a portrait and half a second of noise; run(command...) runs the wheel's there."""
    for name in ("scrfd", "face_landmarker", "whisper_tiny_en", "silero_vad"):
        try:
            weight_path(name)
        except WeightsError as error:
            pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("empty")
    Image.fromarray(picture).save(folder / "face.png")
    write_wav(folder / "voice.wav", np.random.default_rng(1).normal(0, 0.1, 8000).astype(np.float32), 16000)
    return folder


def environment(installed: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{installed}:{os.environ['PATH']}"}


def run(installed: Path, folder: Path, *command: str) -> str:
    done = subprocess.run([installed / command[0], *command[1:]], cwd=folder, capture_output=True, text=True,
                          timeout=300, check=False, env=environment(installed))
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def test_a_film_is_made_inspected_and_evaluated(installed, empty):
    home = run(installed, empty, "python", "-c", "import pipeline.animate as a; print(a.__file__)")
    assert str(installed.parent) in home   # not the clone
    said = run(installed, empty, "playmate", "animate", "--portrait", "face.png", "--speech", "voice.wav",
               "--any-sound", "-o", "out.mp4")
    assert "shipped with the project" in said and (empty / "out.mp4").is_file()
    assert "synthetic" in run(installed, empty, "playmate", "inspect", "out.mp4").lower()
    for name in ("made", "true"):
        (empty / name).mkdir()
        shutil.copy(empty / "out.mp4", empty / name / "1.mp4")
    run(installed, empty, "playmate", "evaluate", "--generated", "made", "--reference", "true", "-o", "scores")
    assert "mouth" in (empty / "scores/report.md").read_text()


def test_weights_and_checks_need_no_project(installed, empty):
    assert "silero_vad" in run(installed, empty, "playmate", "weights", "list", "--json")
    assert "silero_vad" in run(installed, empty, "playmate", "weights", "list", "--profile", "embedded", "--json")
    (empty / "films").mkdir()
    shutil.copy(empty / "face.png", empty / "films/1.mp4")   # no film: its header says so
    assert "reader: clips" in run(installed, empty, "playmate", "corpora", "check", "films")


def test_an_upgrade_recomputes_what_it_changed_and_nothing_else(installed, empty):
    run(installed, empty, "playmate", "init", "project", "--profile", "embedded")
    run(installed, empty / "project", "python", "-m", "dvc", "repro", "code")
    before = {path.name: path.read_text() for path in (empty / "project/data/code").iterdir()}
    [module] = installed.parent.glob("lib/python*/site-packages/stages/split.py")
    text = module.read_text()
    try:
        module.write_text(text.replace("SHOWN = 5 ", "SHOWN = 6 "))
        run(installed, empty / "project", "python", "-m", "dvc", "repro", "code")
    finally:
        module.write_text(text)
    after = {path.name: path.read_text() for path in (empty / "project/data/code").iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"split.txt"}


def test_the_page_is_served(installed, empty):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([installed / "playmate", "web", "--port", str(port)], cwd=empty, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=environment(installed)) as process:
        try:
            assert b"<html" in answer(f"http://127.0.0.1:{port}/", process)
        finally:
            process.kill()


def answer(address: str, process: subprocess.Popen) -> bytes:
    """What the page says, as soon as it says something; fails after two minutes, or where the server has ended."""
    for _ in range(240):
        assert process.poll() is None, process.communicate()[0]
        with suppress(URLError, ConnectionError), urllib.request.urlopen(address, timeout=5) as page:
            return page.read()
        time.sleep(0.5)
    raise AssertionError(f"{address} does not answer")

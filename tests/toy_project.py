"""A copy of the project in a fresh folder with other parameters, and its commands run there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tests.chosen import change

BIN = Path(sys.executable).parent
FEW_DIALS = {"pose_scale": [2.0], "mouth_scale": [], "blink": [40.0], "expression_scale": [], "pose_guidance": [],
             "gaze": []}
TOY = {
    "corpora": {"celebv_text": None, "acappella": None, "mafw": None},   # without these
    "embedded": {"identities": 5, "sentences": 16, "talking": 0, "speaker": "espeak", "render_px": 256},
    "split": {"validation_share": 0.12},   # with these people: one of stage 1's and one of stage 2's
    "face_space": {"max_clips": 6},
    "model": {"dim": 32, "layers": 1, "window": 25, "previous": 5},
    "train_audio": {"init": "none", "steps": 12, "batch": 8, "validate_every": 6, "log_every": 2,
                    "trainer": {"checkpoint_every": 6}},
    "train_emotion": {"steps": 8, "batch": 8, "validate_every": 4, "log_every": 2,
                      "trainer": {"checkpoint_every": 4, "workers": 0}},  # Ray Train is stage 1's
    "sample": {"steps": 4},
    "evaluate": {"max_clips": 1, "max_duration_s": 3.0, "samples": 1, "bootstrap": 50,
                 "emotions": ["neutral", "happy"], "dials": FEW_DIALS},
    "ablate": {"audio_scales": [1.0, 1.5], "emotion_scales": [1.5], "max_clips": 1, "max_duration_s": 3.0,
               "long_s": 6.0},
}


def copy_project(project: Path, folder: Path, changed: dict) -> Path:
    """The files that git would track, in `folder`, a repository of its own; sections of params.yaml are `changed`."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=project, capture_output=True,
                            text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (project / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(project / name, folder / name)
    (folder / "dvc.lock").unlink(missing_ok=True)
    change_params(folder, changed)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


def change_params(folder: Path, changed: dict) -> None:
    """Change keys in sections of the folder's params.yaml; a corpus that becomes None is taken out."""
    values = yaml.safe_load((folder / "params.yaml").read_text())
    change(values, changed)
    values["corpora"] = {name: corpus for name, corpus in values["corpora"].items() if corpus is not None}
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))


def environment() -> dict[str, str]:
    """The test's own, with the environment's commands in front."""
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}


def run(folder: Path, *command: str, timeout_s: int = 1800) -> str:
    """Run one command of the environment in `folder`; its output is in the failure."""
    done = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=folder, capture_output=True, text=True,
                          timeout=timeout_s, check=False, env=environment())
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout + done.stderr

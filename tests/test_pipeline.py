"""The whole pipeline at toy size in a fresh folder: `dvc repro` twice, push and pull, and a talking portrait."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.e2e
BIN = Path(sys.executable).parent
TOY = {
    "corpora": ["avspeech", "mead", "hdtf"],
    "embedded": {"identities": 4, "sentences": 14, "render_px": 256},
    "face_space": {"max_clips": 6},
    "model": {"dim": 32, "layers": 1, "window": 25, "previous": 5},
    "train_audio": {"init": "none", "steps": 12, "batch": 8, "checkpoint_every": 6, "validate_every": 6, "log_every": 2,
                    "corpora": ["avspeech"]},
    "train_emotion": {"steps": 8, "batch": 8, "checkpoint_every": 4, "validate_every": 4, "log_every": 2,
                      "corpora": ["mead"]},
    "sample": {"steps": 4},
    "evaluate": {"max_clips": 1, "max_duration_s": 3.0, "samples": 1, "bootstrap": 50,
                 "emotions": ["neutral", "happy"]},
    "ablate": {"audio_scales": [1.0, 1.5], "emotion_scales": [1.5], "max_clips": 1, "max_duration_s": 3.0},
}


def run(folder: Path, *command: str, timeout_s: int = 900) -> str:
    """Run one command of the environment in `folder`; its output is in the failure."""
    done = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=folder, capture_output=True, text=True,
                          timeout=timeout_s, check=False, env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"})
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def toy(tmp_path_factory, project) -> Path:
    """A copy of the project's tracked files with toy parameters, run once."""
    folder = tmp_path_factory.mktemp("toy")
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=project, capture_output=True,
                            text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (project / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(project / name, folder / name)
    (folder / "dvc.lock").unlink(missing_ok=True)
    values = yaml.safe_load((folder / "params.yaml").read_text())
    for section, keys in TOY.items():
        values[section] = {**values[section], **keys} if isinstance(keys, dict) else keys
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    run(folder, "dvc", "repro")
    return folder


def test_every_stage_left_what_it_promises(toy):
    for name in ("data/split/split.json", "data/models/emotion/metrics.json", "data/evaluation/metrics.json",
                 "data/registration.json", "reports/index.html", "dvc.lock"):
        assert (toy / name).stat().st_size > 0, name


def test_every_clip_seen_is_kept_or_has_a_reason(toy):
    from pipeline.clip_table import read_clip_table

    rows = [row for path in sorted(toy.glob("data/crops/*/clips.parquet")) for row in read_clip_table(path)]
    kept = [row for row in rows if row["status"] == "kept"]
    assert len(kept) >= 6
    assert all(row["code"] and row["detail"] and row["stage"] for row in rows if row["status"] == "rejected")


def test_a_second_repro_does_nothing(toy):
    before = (toy / "dvc.lock").read_bytes()
    start = time.monotonic()
    output = run(toy, "dvc", "repro")
    print(f"second dvc repro: {time.monotonic() - start:.1f} s")
    assert "Running stage" not in output and "up to date" in output
    assert (toy / "dvc.lock").read_bytes() == before


def test_outputs_come_back_from_a_remote(toy, tmp_path):
    run(toy, "dvc", "remote", "add", "-f", "-d", "local", str(tmp_path / "remote"))
    run(toy, "dvc", "push")
    shutil.rmtree(toy / "data/statistics")
    shutil.rmtree(toy / ".dvc/cache")
    run(toy, "dvc", "pull")
    assert any((toy / "data/statistics").iterdir())


def test_metrics_and_plots_are_declared(toy):
    assert "data/evaluation/metrics.json" in run(toy, "dvc", "metrics", "show", "--json")
    run(toy, "dvc", "plots", "show")
    assert (toy / "dvc_plots/index.html").exists()


def test_the_registered_model_animates_a_portrait(toy, tmp_path):
    import av
    from PIL import Image
    from skimage.data import astronaut

    Image.fromarray(astronaut()).save(tmp_path / "face.jpg")
    speech = next(toy.glob("data/crops/hdtf/*.wav"))
    out = tmp_path / "out.mp4"
    run(toy, "playmate", "animate", "--portrait", str(tmp_path / "face.jpg"), "--speech", str(speech),
        "--emotion", "happy", "-o", str(out))
    with av.open(str(out)) as media:
        video, sound = media.streams.video[0], media.streams.audio[0]
        assert (video.width, video.height, video.average_rate) == (512, 512, 25)
        assert abs(float(video.duration * video.time_base) - float(sound.duration * sound.time_base)) < 0.1


def test_lineage_leads_back_to_the_data(toy):
    registered = json.loads((toy / "data/registration.json").read_text())
    assert registered
    output = run(toy, "playmate", "lineage", "playmate")
    assert "params" in output

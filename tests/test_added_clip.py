"""One more training clip through the whole toy pipeline costs one clip: the face space stays, nothing else is computed.

Its speaker is a new person, whom a fit anew would take into its basis.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from pipeline.core.clip_table import read_clip_table
from pipeline.core.split_table import TRAIN, read_split
from stages.split import _share
from tests.toy_project import change_params, run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
NEW = "abcdefghij{}_0.000000-4.000000.mp4"   # as AVSpeech's files are named


def units(folder: Path) -> set[str]:
    """Finished clips of both families."""
    return {str(path.relative_to(folder)) for family in ("motion", "speech")
            for path in (folder / ".playmate/store" / family).rglob("*.parquet")}


def crops(folder: Path) -> set[str]:
    return {str(path) for path in (folder / ".playmate/work/preprocess").glob("*/*/record.json")}


def space(folder: Path) -> bytes:
    return (folder / "data/face_space/face_space.safetensors").read_bytes()


def clips(folder: Path) -> list[dict]:
    return read_clip_table(folder / "data/crops/avspeech/clips.parquet")


@pytest.fixture(scope="module")
def own(toy_run, tmp_path_factory) -> Path:
    """The toy run's folder with AVSpeech's clips in a folder of the user's, run to the features."""
    folder = tmp_path_factory.mktemp("added") / "project"
    shutil.copytree(toy_run, folder, ignore=shutil.ignore_patterns("mlflow.db", "mlartifacts"), symlinks=True)
    shutil.copytree(folder / "data/embedded/avspeech", folder / "raw/avspeech")
    corpora = yaml.safe_load((folder / "params.yaml").read_text())["corpora"]
    # its people are variants of few portraits, which faces alone would call one person
    change_params(folder, {"corpora": {"avspeech": corpora["avspeech"] | {"path": "raw/avspeech"}},
                           "preprocess": {"identity": "none"}})
    run(folder, "dvc", "repro", "statistics")
    return folder


def add(folder: Path) -> str:
    """A film of another corpus, which the toy run leaves out, under a name that the split puts into training."""
    film = max((folder / "data/embedded/mafw").rglob("*.mp4"), key=lambda path: path.stat().st_size)
    seed = yaml.safe_load((folder / "params.yaml").read_text())["seed"]
    letter = next(letter for letter in "klmnop" if _share(f"avspeech/abcdefghij{letter}", seed) > 0.5)
    shutil.copy(film, folder / "raw/avspeech" / NEW.format(letter))
    with (folder / "raw/avspeech/avspeech_train.csv").open("a") as listed:
        listed.write(f"abcdefghij{letter},0.0,4.0,0.5,0.5\n")
    return f"avspeech/abcdefghij{letter}"


def test_one_more_training_clip_is_one_unit_of_each_family(own):
    before, looked, basis = units(own), crops(own), space(own)
    identity = add(own)
    said = run(own, "dvc", "repro", "statistics")
    split = read_split(own / "data/split")
    [clip_id] = [row["clip_id"] for row in clips(own) if row["identity"] == identity and row["status"] == "kept"]
    assert split[clip_id] == TRAIN
    assert len(crops(own) - looked) == 1
    new = units(own) - before
    assert sorted(Path(path).parts[2] for path in new) == ["motion", "speech"]
    assert all(Path(path).name.startswith(clip_id) for path in new)
    assert space(own) == basis and "face_space: as it was fitted on" in said


def test_asked_for_it_is_fitted_again_on_the_clips_of_now(own):
    before, basis = units(own), space(own)
    change_params(own, {"face_space": {"refit": 1}})
    run(own, "dvc", "repro", "statistics")
    assert space(own) != basis
    new = [Path(path).parts[2] for path in units(own) - before]
    kept = sum(json.loads(path.read_text())["clips"] for path in own.glob("data/features/*/manifest.json"))
    assert new == ["motion"] * kept

"""Where everything lies, relative to the project folder. `dvc.yaml` says the same; a test holds them together."""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

DATA = Path("data")
OUTPUTS_CHECKED = DATA / "outputs.json"
CODE = DATA / "code"
EMBEDDED = DATA / "embedded"   # the corpora that the project makes itself
SOURCES = DATA / "sources"     # what lies in every corpus' folder
CROPS = DATA / "crops"
SPLIT = DATA / "split"
FACE_SPACE = DATA / "face_space"
FEATURES = DATA / "features"
STATISTICS = DATA / "statistics"
MODELS = DATA / "models"
AUDIO_MODEL = MODELS / "audio"
EMOTION_MODEL = MODELS / "emotion"
AUDIO_BUNDLE = AUDIO_MODEL / "bundle"
EMOTION_BUNDLE = EMOTION_MODEL / "bundle"
EVALUATION = DATA / "evaluation"
ABLATION = DATA / "ablation"
REGISTRATION = DATA / "registration.json"
REPORTS = Path("reports")


def work_folder(folder: Path) -> Path:
    """Where the project that is run in `folder` keeps its resumable state: `.playmate`.

    DVC runs queued experiments in copies below `.dvc/tmp/exps`, which it deletes: they use the project's own, so that
    their MLflow records stay and their trainings go on after a kill.
    """
    for parent in folder.parents:
        if parent.parts[-3:] == (".dvc", "tmp", "exps"):
            return parent.parents[2] / ".playmate"
    return Path(".playmate")


WORK = work_folder(Path.cwd())      # never a DVC output, because DVC deletes those before a run
MLFLOW_DB = WORK / "mlflow.db"
MLFLOW_ARTIFACTS = WORK / "mlartifacts"
SHIPPED = Path("pretrained") / "embedded"   # the small joint bundle that comes with the project, with its face space
# what a new project is made of, in the installed package; in the clone links to the same files
PACKAGED = Path(__file__).resolve().parents[2] / "playmate" / "project"


def initial_bundle(init: str, key: str) -> Path | None:
    """The bundle folder that `init` (none | shipped | folder) means for `key` of params.yaml; None: from scratch.

    Raises ValueError for a named folder that is not there; the shipped one may be absent.
    """
    if init == "none":
        return None
    folder = SHIPPED if init == "shipped" else Path(init)
    if folder.is_dir():
        return folder
    if init != "shipped":
        raise ValueError(f"{key} {init}: there is no such bundle folder")
    log.warning("no shipped bundle at %s: %s starts from scratch", folder, key.partition(".")[0])
    return None


def models_folder() -> Path:
    """Folder of a user's fine-tuned models, a project each: $PLAYMATE_MODELS, else ~/.local/share/playmate/models."""
    root = os.environ.get("PLAYMATE_MODELS")
    return Path(root) if root else home("PLAYMATE_MODELS") / ".local" / "share" / "playmate" / "models"


def weights_cache() -> Path:
    """Folder of downloaded weights: $PLAYMATE_CACHE, else ~/.cache/playmate; shared by all clones of a user."""
    return cache_folder() / "weights"


def cache_folder() -> Path:
    """$PLAYMATE_CACHE, else ~/.cache/playmate; raises FileNotFoundError where this user has no home folder."""
    root = os.environ.get("PLAYMATE_CACHE")
    return Path(root) if root else home("PLAYMATE_CACHE") / ".cache" / "playmate"


def home(instead: str) -> Path:
    """This user's home folder; raises FileNotFoundError that names the variable to set where there is none."""
    try:
        return Path.home()
    except RuntimeError as error:
        raise FileNotFoundError(f"this user has no home folder: set {instead} to a folder") from error

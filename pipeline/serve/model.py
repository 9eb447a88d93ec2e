r"""The registered model as MLflow loads it: a portrait, or a film, and speech as bytes in, the bytes of an MP4 out.

    model = mlflow.pyfunc.load_model("models:/playmate@champion")
    video = model.predict(pandas.DataFrame([{"portrait": jpeg_bytes, "speech": wav_bytes, "emotion": "happy"}]))
    dubbed = model.predict(pandas.DataFrame([{"video": mp4_bytes, "speech": wav_bytes, "fit": "hold"}]))

Served over HTTP, bytes travel as base64:

    MLFLOW_TRACKING_URI=sqlite:///.playmate/mlflow.db mlflow models serve -m models:/playmate@champion \
        --env-manager local --port 5001
    echo "{\"dataframe_records\": [{\"portrait\": \"$(base64 -w0 face.jpg)\", \"speech\": \"$(base64 -w0 a.wav)\"}]}" |
        curl -s http://127.0.0.1:5001/invocations -H "Content-Type: application/json" --data @- |
        python -c "import base64, json, sys; open('out.mp4', 'wb').write(
            base64.b64decode(json.load(sys.stdin)['predictions'][0]['video']))"

Emotions and dials are texts, with ; between entries: "neutral; happy:0.8@3.5", "1; 0@2".

`portrait_path`, `video_path`, `speech_path` and `like_path` are taken instead of bytes only below a folder that the one
who runs the model names, with `model_config={"allowed_root": "/srv/media"}` or, for a served model, the environment
variable PLAYMATE_ALLOWED_ROOT; links that lead out of it are refused. Without one no request reaches the file system.
Films carry content credentials; `model_config={"credentials": False}` leaves them out, and the same request gives the
same bytes.
"""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel
from mlflow.types import ColSpec, DataType, Schema

OPTIONS = {"audio_scale": float, "emotion_scale": float, "steps": int, "seed": int, "face": int, "paste_back": bool,
           "mark": str, "pose_scale": str, "mouth_scale": str, "blink": str, "gaze": str, "expression_scale": str,
           "pose_guidance": str, "guided": str, "fit": str, "keep_sound_db": float}
OF_A_FILM = frozenset({"fit", "keep_sound_db"})   # what a portrait does not take
OF_A_PORTRAIT = frozenset({"pose", "paste_back", "pose_scale", "blink", "gaze", "pose_guidance", "like", "like_path"})
ROOT_VARIABLE = "PLAYMATE_ALLOWED_ROOT"
MAX_STEPS = 1000


class RequestError(MlflowException, ValueError):
    """A film cannot be made as asked; a served model answers 400 and says why, which MLflow does for its own
    exceptions alone."""

    def __init__(self, error: ValueError):
        super().__init__(str(error), error_code=INVALID_PARAMETER_VALUE)


def signature() -> ModelSignature:
    """Columns of a request; all but speech and one of portrait and video (or their paths) may be left out."""
    texts = ("portrait_path", "speech_path", "video_path", "like_path", "emotion", "pose")
    kinds = {bytes: DataType.binary, str: DataType.string, float: DataType.double, int: DataType.long,
             bool: DataType.boolean}
    columns = dict.fromkeys(("portrait", "speech", "video", "like"), bytes) | dict.fromkeys(texts, str) | OPTIONS
    return ModelSignature(Schema([ColSpec(kinds[kind], name, required=False) for name, kind in columns.items()]),
                          Schema([ColSpec(DataType.binary, "video")]))


class PlaymateModel(PythonModel):
    """Loads the bundle once; every row of a request becomes one video."""

    def load_context(self, context) -> None:
        try:
            import cv2  # noqa: F401
        except ImportError as error:   # insightface and mediapipe bring builds that want a display's libraries
            raise ImportError(f"OpenCV does not load here ({error}): `pip install --force-reinstall --no-deps "
                              "opencv-python-headless` in this environment, or install the library") from error
        from pipeline.animate.animator import Animator
        from pipeline.components.film_space import IDENTITY
        from pipeline.components.model import weights_of
        from pipeline.weights.pull import pull
        from pipeline.weights.table import weights_table

        given = context.model_config or {}
        root = given.get("allowed_root") or os.environ.get(ROOT_VARIABLE)
        self.root = Path(root).resolve(strict=True) if root else None
        self.credentials = bool(given.get("credentials", True))
        needed = [weights_table()[name] for name in (*weights_of(Path(context.artifacts["bundle"])), IDENTITY)]
        missing = [row for row in needed if not row.path.exists()]
        if missing:   # the first time on a machine: by their checksums, into the folder of weights
            pull(missing)
        self.animator = Animator.from_bundle(Path(context.artifacts["bundle"]), Path(context.artifacts["face_space"]))

    def predict(self, context, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One film per row; raises RequestError for the first one that cannot be made."""
        rows = [{name: value for name, value in row.items() if not (value is None or _missing(value))}
                for row in model_input.to_dict("records")]
        try:
            return pd.DataFrame({"video": [self._video(row) for row in rows]})
        except ValueError as error:
            raise RequestError(error) from error

    def _video(self, row: dict[str, Any]) -> bytes:
        options = {name: kind(row[name]) for name, kind in OPTIONS.items() if name in row}
        if not 1 <= options.get("steps", 1) <= MAX_STEPS:
            raise ValueError(f"steps {options['steps']}: 1 to {MAX_STEPS}")
        film = is_dub(row)
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "video.mp4"
            (self._dub if film else self._animate)(row, options, out)
            return out.read_bytes()

    def _animate(self, row: dict[str, Any], options: dict[str, Any], out: Path) -> None:
        pose = row.get("pose", "generated")
        if pose not in ("generated", "still"):
            raise ValueError(f"pose {pose!r}: a request takes generated or still")
        if "like" in row or "like_path" in row:
            options["like"] = self._input(row, "like")
        self.animator.animate_to_file(self._input(row, "portrait"), self._input(row, "speech"), out, pose=pose,
                                      emotion=row.get("emotion"), credentials=self.credentials, **options)

    def _dub(self, row: dict[str, Any], options: dict[str, Any], out: Path) -> None:
        from pipeline.animate.animator import DIRECTED
        from pipeline.animate.direction import Direction
        from pipeline.dub.dubber import SeveralPeopleError, dub_to_file

        direction = {name: options.pop(name) for name in DIRECTED & options.keys()}
        try:
            dub_to_file(self.animator, self._input(row, "video"), self._input(row, "speech"), out,
                        direction=Direction(row.get("emotion"), **direction), credentials=self.credentials, **options)
        except SeveralPeopleError as error:
            raise ValueError(f"{error}: `face` says whose mouth, 1 is who takes most of the film") from error

    def _input(self, row: dict[str, Any], name: str) -> bytes | Path:
        if name in row:
            if not isinstance(row[name], bytes):  # a text would be read as a path
                raise ValueError(f"{name} must be bytes (base64 over HTTP)")
            return row[name]
        if f"{name}_path" not in row:
            raise ValueError(f"the request has no {name}")
        return allowed_path(self.root, row[f"{name}_path"], name)


def is_dub(row: dict[str, Any]) -> bool:
    """Whether a request gives a film new speech; raises ValueError where it does not say, or for what does not fit."""
    film, portrait = (bool({name, f"{name}_path"} & row.keys()) for name in ("video", "portrait"))
    if film and portrait:
        raise ValueError("the request has both a portrait and a video: send the one that is to speak")
    strange = sorted((OF_A_PORTRAIT if film else OF_A_FILM) & row.keys())
    if strange:
        raise ValueError(f"{', '.join(strange)}: " + (
            "a video that gets new speech takes no such option, head and eyes are its own" if film
            else "only a video that gets new speech takes that"))
    return film


def allowed_path(root: Path | None, path: str, name: str) -> Path:
    """The file that a request names, below `root`; raises ValueError, which says nothing about files outside."""
    if root is None:
        raise ValueError(f"{name}_path is not allowed here: send the bytes as {name}")
    found = (root / path).resolve()
    if not found.is_relative_to(root) or not found.is_file():
        raise ValueError(f"{name}_path {path!r} is no file of the folder that requests may read")
    return found


def _missing(value: Any) -> bool:
    return value is pd.NA or (isinstance(value, float) and math.isnan(value))


if not __name__.startswith("pipeline."):  # MLflow runs this file under a name of its own
    mlflow.models.set_model(PlaymateModel())

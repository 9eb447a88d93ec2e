r"""The registered model as MLflow loads it: portrait and speech as bytes in, the bytes of an MP4 out.

    model = mlflow.pyfunc.load_model("models:/playmate@champion")
    video = model.predict(pandas.DataFrame([{"portrait": jpeg_bytes, "speech": wav_bytes, "emotion": "happy"}]))

Served over HTTP, bytes travel as base64:

    MLFLOW_TRACKING_URI=sqlite:///.playmate/mlflow.db mlflow models serve -m models:/playmate@champion \
        --env-manager local --port 5001
    echo "{\"dataframe_records\": [{\"portrait\": \"$(base64 -w0 face.jpg)\", \"speech\": \"$(base64 -w0 a.wav)\"}]}" |
        curl -s http://127.0.0.1:5001/invocations -H "Content-Type: application/json" --data @- |
        python -c "import base64, json, sys; open('out.mp4', 'wb').write(
            base64.b64decode(json.load(sys.stdin)['predictions'][0]['video']))"

Paths are taken instead of bytes only where the one who loads the model allows it (`model_config={"allow_paths":
True}`): a served model must not read files that a request names.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

OPTIONS = ("audio_scale", "emotion_scale", "steps", "seed")


def signature() -> ModelSignature:
    """Columns of a request; all but portrait and speech (or their paths) may be left out."""
    columns = [("portrait", DataType.binary), ("speech", DataType.binary), ("portrait_path", DataType.string),
               ("speech_path", DataType.string), ("emotion", DataType.string), ("pose", DataType.string),
               ("audio_scale", DataType.double), ("emotion_scale", DataType.double), ("steps", DataType.long),
               ("seed", DataType.long)]
    return ModelSignature(Schema([ColSpec(kind, name, required=False) for name, kind in columns]),
                          Schema([ColSpec(DataType.binary, "video")]))


def input_example() -> pd.DataFrame:
    """A request by path; a request over HTTP carries base64 in `portrait` and `speech` instead."""
    return pd.DataFrame([{"portrait_path": "portrait.jpg", "speech_path": "speech.wav", "emotion": "happy", "seed": 0}])


class PlaymateModel(mlflow.pyfunc.PythonModel):
    """Loads the bundle once; every row of a request becomes one video."""

    def load_context(self, context) -> None:
        from pipeline.animator import Animator

        self.allow_paths = bool((context.model_config or {}).get("allow_paths"))
        self.animator = Animator.from_bundle(Path(context.artifacts["bundle"]), Path(context.artifacts["face_space"]))

    def predict(self, context, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        rows = [{name: value for name, value in row.items() if not (value is None or _missing(value))}
                for row in model_input.to_dict("records")]
        return pd.DataFrame({"video": [self._video(row) for row in rows]})

    def _video(self, row: dict[str, Any]) -> bytes:
        options = {name: row[name] for name in OPTIONS if name in row}
        for name in ("steps", "seed"):
            if name in options:
                options[name] = int(options[name])
        pose = row.get("pose", "generated")
        if pose not in ("generated", "still"):
            raise ValueError(f"pose {pose!r}: a request takes generated or still")
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "video.mp4"
            self.animator.animate_to_file(self._input(row, "portrait"), self._input(row, "speech"), out,
                                          emotion=row.get("emotion"), pose=pose, **options)
            return out.read_bytes()

    def _input(self, row: dict[str, Any], name: str) -> bytes | Path:
        if name in row:
            return row[name]
        if f"{name}_path" not in row:
            raise ValueError(f"the request has no {name}")
        if not self.allow_paths:
            raise ValueError(f"{name}_path is not allowed here: send the bytes as {name}")
        return Path(row[f"{name}_path"])


def _missing(value: Any) -> bool:
    return value is pd.NA or (isinstance(value, float) and math.isnan(value))


if not __name__.startswith("pipeline."):  # MLflow runs this file under a name of its own
    mlflow.models.set_model(PlaymateModel())

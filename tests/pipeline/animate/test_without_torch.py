"""The shipped model makes films, streams, answers requests and dubs in a process that never imports PyTorch, and films
without other libraries that take long to import."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pipeline.animate.animator import Animator
from pipeline.components.graphs import GRAPHS
from pipeline.core.paths import SHIPPED
from pipeline.media.film import write_video
from tests.needs import weight

FILM = """
import io, sys
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from pipeline.animate.animator import Animator

folder, out = sys.argv[1:]
speech = np.load(out + "/speech.npy")
animator = Animator.from_bundle(Path(folder))
source = animator.portrait(Path(out, "picture.png"))
np.save(out + "/film.npy", np.stack(list(animator.animate(source, speech, emotion="happy"))))
slow = {"av", "insightface", "matplotlib", "onnx", "pillow_heif", "pydantic", "scipy.sparse", "scipy.spatial"}
assert not slow & set(sys.modules), f"imported before the first frame: {slow & set(sys.modules)}"

import av, pandas, soundfile
from PIL import Image
from pipeline.animate import AnimatorStream
from pipeline.serve.model import PlaymateModel

picture = np.asarray(Image.open(out + "/picture.png"))
with AnimatorStream(animator, source, emotion="happy", window=10) as stream:
    assert stream.push(speech) and stream.finish()
jpeg, wav = io.BytesIO(), io.BytesIO()
Image.fromarray(picture).save(jpeg, "jpeg")
soundfile.write(wav, speech, 16000, format="wav")
served = PlaymateModel()
artifacts = {"bundle": folder, "face_space": folder + "/face_space"}
served.load_context(SimpleNamespace(model_config={"credentials": False}, artifacts=artifacts))
request = pandas.DataFrame([{"portrait": jpeg.getvalue(), "speech": wav.getvalue()}])
assert served.predict(None, request)["video"][0][4:8] == b"ftyp"
film = Path(out, "own.mp4").read_bytes()
request = {"video": film, "speech": wav.getvalue(), "keep_sound_db": -12.0, "emotion": "happy", "mouth_scale": "0.8"}
[made] = served.predict(None, pandas.DataFrame([request]))["video"]
with av.open(io.BytesIO(made)) as dubbed:
    [own, sound] = dubbed.streams
    assert (own.frames, own.width, own.height, sound.rate) == (5, 402, 400, 48000)
    assert '"edited": "mouth and sound"' in dubbed.metadata["comment"]
assert not {"torch", "torchvision", "transformers"} & set(sys.modules), "PyTorch was imported"
"""


@pytest.mark.slow
@pytest.mark.processes
def test_films_streams_requests_and_dubs_without_pytorch(tmp_path):
    from skimage.data import astronaut

    for name in ("whisper_tiny_en", "scrfd", "face_landmarker", "silero_vad", "mobilefacenet"):
        weight(name)
    random = np.random.default_rng(0)
    speech = np.repeat(random.random(20), 800).astype(np.float32) * random.standard_normal(16000, np.float32) * 0.1
    Image.fromarray(astronaut()).save(tmp_path / "picture.png")
    np.save(tmp_path / "speech.npy", speech)
    write_video(tmp_path / "own.mp4", 5 * [astronaut()[:400, 20:422]], 25, np.zeros(3200, np.float32))
    subprocess.run([sys.executable, "-c", FILM, str(SHIPPED), str(tmp_path)], check=True, timeout=300)
    shutil.copytree(SHIPPED, tmp_path / "torch", ignore=shutil.ignore_patterns(GRAPHS))
    animator = Animator.from_bundle(tmp_path / "torch")
    theirs = np.stack(list(animator.animate(astronaut(), speech, emotion="happy"))).astype(int)
    apart = np.abs(np.load(tmp_path / "film.npy") - theirs)
    assert (apart > 1).mean() < 1e-6  # an edge of the mesh may fall on the other side of a pixel

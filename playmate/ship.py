"""Make the checkpoint that comes with the project from the trained models: `python -m playmate.ship`.

Takes the joint bundle and the face space of this folder's pipeline, stores the weights in float16 in `pretrained/`,
with the graphs by which ONNX Runtime runs it (the speech encoder's weights come from the weights table).
How the present one was trained stands in docs/LOG.md.
"""

from __future__ import annotations

import shutil

from pipeline.components.bundle import load_bundle, save_bundle
from pipeline.core.paths import EMOTION_BUNDLE, FACE_SPACE, SHIPPED
from pipeline.export.bundle import export_bundle


def main() -> None:
    """Replace `pretrained/embedded`; raises BundleError where there is no trained model."""
    bundle = load_bundle(EMOTION_BUNDLE)
    shutil.rmtree(SHIPPED, ignore_errors=True)
    save_bundle(SHIPPED, bundle.config, bundle.model.state_dict(), bundle.statistics, half=True)
    shutil.copytree(FACE_SPACE, SHIPPED / "face_space")
    export_bundle(SHIPPED, SHIPPED, speech_weights=False)
    print(f"{SHIPPED}: {sum(f.stat().st_size for f in SHIPPED.rglob('*') if f.is_file()) / 2**20:.1f} MB")


if __name__ == "__main__":
    main()

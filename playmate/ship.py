"""Make the checkpoint that comes with the project from the trained models: `python -m playmate.ship [--emotion-alone]`.

Takes the joint bundle and the face space of this folder's pipeline, stores the weights in float16 in `pretrained/`,
with the graphs by which ONNX Runtime runs it (the speech encoder's weights come from the weights table). With
`--emotion-alone` the emotion-control module alone is taken: stage 1, statistics and face space stay, so that what is
made without an emotion stays, bit for bit. How the present one was trained stands in docs/LOG.md.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace

from pipeline.components.bundle import Bundle, BundleError, load_bundle, save_bundle
from pipeline.core.paths import EMOTION_BUNDLE, FACE_SPACE, SHIPPED
from pipeline.export.bundle import export_bundle

EMOTION = "emotion."  # what the names of the module's weights begin with


def main() -> None:
    """Replace `pretrained/embedded`; raises BundleError where there is no trained model, or one of another shape."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emotion-alone", action="store_true", help="stage 1, statistics and face space stay")
    alone = parser.parse_args().emotion_alone
    bundle = load_bundle(EMOTION_BUNDLE)
    if alone:
        bundle = with_emotion_of(load_bundle(SHIPPED), bundle)
    else:
        shutil.rmtree(SHIPPED, ignore_errors=True)
        shutil.copytree(FACE_SPACE, SHIPPED / "face_space")
    save_bundle(SHIPPED, bundle.config, bundle.model.state_dict(), bundle.statistics, half=True)
    export_bundle(SHIPPED, SHIPPED, speech_weights=False)
    print(f"{SHIPPED}: {sum(f.stat().st_size for f in SHIPPED.rglob('*') if f.is_file()) / 2**20:.1f} MB")


def with_emotion_of(shipped: Bundle, trained: Bundle) -> Bundle:
    """`shipped` with the emotion-control module of `trained`, how that samples and what it was made from.

    Raises BundleError where their shapes or labels differ.
    """
    if (shipped.config.model, shipped.config.labels) != (trained.config.model, trained.config.labels):
        raise BundleError(f"{EMOTION_BUNDLE} and {SHIPPED} are of different shapes or labels")
    module = {name: value for name, value in trained.model.state_dict().items() if name.startswith(EMOTION)}
    shipped.model.load_state_dict(module, strict=False)
    return replace(shipped, config=replace(shipped.config, sample=trained.config.sample,
                                           fingerprints=trained.config.fingerprints))


if __name__ == "__main__":
    main()

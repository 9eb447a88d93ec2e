"""LivePortrait's bundle: the released or untrained networks, tuned by eq. 2-4 where that is asked for.

Writes data/face_space/{face_space.json, face_space.safetensors}; the tensors are those of `Networks.state_dict()`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from models.liveportrait.checkpoint import official_files
from models.liveportrait.widths import NUM_KEYPOINTS
from pipeline.components.face_space import FACE_SPACE_JSON, FACE_SPACE_TENSORS, liveportrait_folder, make_networks
from pipeline.core.atomic import atomic_path, write_json
from pipeline.core.config import FaceSpace, Params
from pipeline.core.fingerprint import code_of, digest, file_sha256
from pipeline.core.paths import FACE_SPACE

RUNTIME = {"precision": "precision", "channels_last": "channels_last", "compile": "compile", "batch": "render_batch",
           "stitching": "stitching"}


def freeze(params: Params, say: Callable[[str], None]) -> None:
    """Write the bundle; raises WeightsError, CheckpointError."""
    section = params.face_space
    state, record = make_networks(section, params.seed).state_dict(), None
    if section.tune.steps:
        from training.decoupling.fit import tune

        state, found = tune(params, say)
        record = asdict(found)
    say(f"face_space: liveportrait, {sum(value.numel() for value in state.values()) / 1e6:.1f} M values"
        f"{', untrained toy' if section.untrained else ''}")
    write(state, record, params)


def write(state: dict, record: dict | None, params: Params) -> None:
    """`state` of `Networks`, `record` of the tuning (None: none)."""
    from safetensors.torch import save_file

    section = params.face_space
    FACE_SPACE.mkdir(parents=True, exist_ok=True)
    path = FACE_SPACE / FACE_SPACE_TENSORS
    with atomic_path(path) as temporary:
        save_file({name: value.contiguous().cpu() for name, value in state.items()}, temporary)
    runtime = {name: getattr(section, key) for name, key in RUNTIME.items()}
    write_json(FACE_SPACE / FACE_SPACE_JSON, {
        "kind": "liveportrait", "num_keypoints": NUM_KEYPOINTS, "untrained": section.untrained,
        "weights": weights(section), "runtime": runtime, "tune": record,
        "fingerprint": digest(file_sha256(path), runtime)})


def weights(section: FaceSpace) -> dict[str, str]:
    """sha256 of every released file; of an untrained space the digest of the code that seeds it."""
    if section.untrained:
        return {"untrained": code_of("models.liveportrait.networks")}
    return {path.name: file_sha256(path) for path in official_files(liveportrait_folder(section)).values()}

"""LivePortrait's bundle: the released or untrained networks, tuned by eq. 2-4 where that is asked for.

Writes data/face_space/{face_space.json, face_space.safetensors}; the tensors are those of `Networks.state_dict()`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict

from models.liveportrait.widths import NUM_KEYPOINTS
from pipeline.components.face_space import FACE_SPACE_JSON, FACE_SPACE_TENSORS, make_networks
from pipeline.core.atomic import atomic_path, write_json
from pipeline.core.config import Params
from pipeline.core.fingerprint import digest, file_sha256
from pipeline.core.paths import FACE_SPACE
from stages.face_space.frozen import fit_digest, read_fit, released_sha256, sentence

RUNTIME = {"precision": "precision", "channels_last": "channels_last", "compile": "compile", "batch": "render_batch",
           "stitching": "stitching"}


def freeze(params: Params, say: Callable[[str], None]) -> None:
    """Write the bundle, with the networks that were tuned before if they were; raises WeightsError, CheckpointError."""
    section = params.face_space
    if found := read_fit(FACE_SPACE, fit_digest(params)):
        describe(found["tune"], found["motion"], params)   # how the networks run may have changed
        say(sentence(found))
        return
    state, record = make_networks(section, params.seed).state_dict(), None
    if section.tune.steps:
        from training.decoupling.fit import tune

        state, tuned = tune(params, say)
        record = asdict(tuned)
    say(f"face_space: liveportrait, {sum(value.numel() for value in state.values()) / 1e6:.1f} M values"
        f"{', untrained toy' if section.untrained else ''}")
    write(state, record, params)


def write(state: dict, record: dict | None, params: Params) -> None:
    """`state` of `Networks`, `record` of the tuning (None: none)."""
    from safetensors.torch import save_file

    FACE_SPACE.mkdir(parents=True, exist_ok=True)
    state = {name: value.contiguous().cpu() for name, value in state.items()}
    with atomic_path(FACE_SPACE / FACE_SPACE_TENSORS) as temporary:
        save_file(state, temporary)
    describe(record, _sha256_of({name: value for name, value in state.items() if name.startswith("motion.")}), params)


def describe(record: dict | None, motion: str, params: Params) -> None:
    """face_space.json; `motion` is the digest of M's weights, all that a row of motion depends on."""
    section = params.face_space
    runtime, tensors = ({name: getattr(section, key) for name, key in RUNTIME.items()},
                        file_sha256(FACE_SPACE / FACE_SPACE_TENSORS))
    write_json(FACE_SPACE / FACE_SPACE_JSON, {
        "kind": "liveportrait", "num_keypoints": NUM_KEYPOINTS, "untrained": section.untrained,
        "weights": released_sha256(section), "runtime": runtime, "tune": record, "asked": fit_digest(params),
        "tensors": tensors, "fingerprint": digest(tensors, runtime), "motion": motion})


def _sha256_of(state: dict) -> str:
    """Of tensors by name."""
    found = hashlib.sha256()
    for name, value in sorted(state.items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        found.update(value.numpy().tobytes())
    return found.hexdigest()

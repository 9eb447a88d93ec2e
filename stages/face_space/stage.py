"""Freeze the face space, by its kind, or keep that of a bundle: `python -m stages.face_space.stage`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from pipeline.components.face_space import FACE_SPACE_JSON, FACE_SPACE_TENSORS, face_space_near
from pipeline.core.atomic import write_bytes, write_json
from pipeline.core.config import load_params
from pipeline.core.paths import FACE_SPACE, initial_bundle
from pipeline.core.stage import run_as_stage


def main(say: Callable[[str], None] = print) -> None:
    """Fit, freeze or keep the face space of `params.face_space` and write its bundle."""
    params = load_params()
    bundle = initial_bundle(params.face_space.init, "face_space.init")
    if bundle is not None:
        keep(bundle, params.face_space.kind, say)
    elif params.face_space.kind == "landmark":
        from stages.face_space.landmark import fit

        fit(params, say)
    else:
        from stages.face_space.liveportrait import freeze

        freeze(params, say)


def keep(bundle: Path, kind: str, say: Callable[[str], None]) -> None:
    """Take the face space that lies inside or beside a bundle; its fingerprint stays, its rejects are of other clips.

    Raises ValueError for one of another kind.
    """
    folder = face_space_near(bundle)
    described = json.loads((folder / FACE_SPACE_JSON).read_text())
    if described["kind"] != kind:
        raise ValueError(f"face_space.init {bundle}: its face space is {described['kind']}, face_space.kind {kind}")
    if kind == "landmark":  # there motion depends on all of it, which older bundles did not say
        described.setdefault("motion", described["fingerprint"])
    write_bytes(FACE_SPACE / FACE_SPACE_TENSORS, (folder / FACE_SPACE_TENSORS).read_bytes())
    write_json(FACE_SPACE / FACE_SPACE_JSON, described | ({"rejects": []} if "rejects" in described else {}))
    say(f"face_space: {kind}, kept from {bundle}")


if __name__ == "__main__":
    run_as_stage(main)

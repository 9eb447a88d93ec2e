"""Freeze the face space, by its kind: `python -m stages.face_space.stage`."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.core.config import load_params
from pipeline.core.stage import run_as_stage


def main(say: Callable[[str], None] = print) -> None:
    """Fit or freeze the face space of `params.face_space` and write its bundle."""
    params = load_params()
    if params.face_space.kind == "landmark":
        from stages.face_space.landmark import fit

        fit(params, say)
    else:
        from stages.face_space.liveportrait import freeze

        freeze(params, say)


if __name__ == "__main__":
    run_as_stage(main)

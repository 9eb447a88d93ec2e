"""Stage `corpora`: make the embedded corpora, or check that the user's dataset folders are there.

Finished clips are kept under `.playmate/work/corpora/<digest>/` by what they are (code, weights, plan), because DVC
deletes `data/raw` before a run: a killed stage goes on where it was, and ends the same.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2

from pipeline.compute.progress import Progress
from pipeline.compute.work import run
from pipeline.core.atomic import write_json
from pipeline.core.config import Params, load_params
from pipeline.core.fingerprint import code_of, digest
from pipeline.core.paths import RAW, WORK
from pipeline.core.stage import run_as_stage
from pipeline.storage.s3_raw import raw_objects
from pipeline.weights.table import weight_path, weight_sha256
from stages.corpora.clip import make_clip, media_path
from stages.corpora.identities import PORTRAITS, make_identities
from stages.corpora.layouts import LAYOUTS, finished
from stages.corpora.plan import ClipPlan, make_plans


class MissingCorpora(ValueError):
    """Folders of the user's datasets are not where params.yaml says."""


def main() -> None:
    params = load_params()
    if params.raw.embedded:
        make_embedded(params, RAW)
    else:
        check = check_remote if params.raw.root.startswith("s3://") else check_external
        write_json(RAW / "external.json", check(params.raw.root, params.corpora))


def check_remote(root: str, corpora: Sequence[str]) -> dict[str, dict[str, int]]:
    """Objects and bytes of every corpus below an S3 prefix; raises MissingCorpora that names those that are absent."""
    sizes = {name: [entry.bytes for entry in raw_objects(f"{root.rstrip('/')}/{name}").entries()] for name in corpora}
    missing = [name for name, found in sizes.items() if not found]
    if missing:
        raise MissingCorpora(f"nothing for {', '.join(missing)} below raw.root = {root}: put each dataset at "
                             f"{root.rstrip('/')}/<corpus>, or take it out of `corpora` in params.yaml")
    return {name: {"files": len(found), "bytes": sum(found)} for name, found in sizes.items()}


def check_external(root: str | Path, corpora: Sequence[str]) -> dict[str, dict[str, int]]:
    """Files and bytes of every corpus folder below `root`; raises MissingCorpora that names those that are absent."""
    root = Path(root)
    missing = [name for name in corpora if not (root / name).is_dir()]
    if missing:
        raise MissingCorpora(
            f"no folder for {', '.join(missing)} in raw.root = {root}: put each dataset at {root}/<corpus>, take it "
            "out of `corpora` in params.yaml, or set raw.root to data/raw for the corpora made here")
    return {name: _size(root / name) for name in corpora}


def _size(folder: Path) -> dict[str, int]:
    sizes = [os.stat(Path(parent) / name).st_size for parent, _, names in os.walk(folder) for name in names
             if (Path(parent) / name).is_file()]
    return {"files": len(sizes), "bytes": sum(sizes)}


def make_embedded(params: Params, raw: Path) -> None:
    """Make all six corpora below `raw` and `embedded.json`, which says what they are."""
    identities = make_identities(params.embedded.identities, params.seed)
    plans = make_plans(identities, params.embedded.sentences, params.embedded.render_px, params.seed)
    work = work_folder()
    make_clips(plans, work)
    for corpus, lay_out in LAYOUTS.items():
        shutil.rmtree(raw / corpus, ignore_errors=True)
        lay_out([finished(work, plan) for plan in plans if plan.corpus == corpus], raw / corpus)
    write_json(raw / "embedded.json", {
        "what": "synthetic: made by Playmate's corpora stage; nobody shown has said any of it",
        "identities": params.embedded.identities, "seed": params.seed,
        "clips": {corpus: sum(plan.corpus == corpus for plan in plans) for corpus in LAYOUTS}})


def work_folder() -> Path:
    """Where finished clips of this code and these weights are kept; raises WeightsError for an absent weight."""
    weights = ["face_landmarker", *(portrait.weight for portrait in PORTRAITS.values() if portrait.weight)]
    for name in weights:
        weight_path(name)
    sha256s = [weight_sha256(name) for name in weights]
    return WORK / "work" / "corpora" / digest(code_of("stages.corpora.clip"), sha256s)


class ClipMaker:
    """A worker of the stage (`pipeline.compute.work`): writes clips under `work`, on one thread."""

    def __init__(self, work: Path):
        cv2.setNumThreads(1)
        self.work = work

    def __call__(self, plan: ClipPlan) -> int:
        """The clip's number of frames."""
        return make_clip(plan, self.work)


def make_clips(plans: list[ClipPlan], work: Path) -> None:
    """Make the clips that are not there yet, one process per core; the first failure stops the stage."""
    todo = [plan for plan in plans if not media_path(work, plan).exists()]
    print(f"corpora: {len(plans)} clips, {len(plans) - len(todo)} there already", file=sys.stderr)
    for stale in (work / "clips").glob(".*") if todo else ():  # left by a killed run
        stale.unlink()
    todo.sort(key=lambda plan: plan.identity.number)  # a worker prepares a portrait once
    progress = Progress("corpora", len(todo), "clips", partial(print, file=sys.stderr))
    for _, frames in run(todo, partial(ClipMaker, work), os.cpu_count() or 1):
        progress.add(frames)


if __name__ == "__main__":
    run_as_stage(main)

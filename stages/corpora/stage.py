"""Stage `corpora`: make the embedded corpora, where params.yaml wants any.

Finished clips are kept under `.playmate/work/corpora/<digest>/` by what they are (code, weights, plan), because DVC
deletes `data/embedded` before a run: a killed stage goes on where it was, and ends the same.
"""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from pathlib import Path

import cv2

from pipeline.compute.progress import Progress
from pipeline.compute.resources import Actors
from pipeline.compute.work import run
from pipeline.core.atomic import write_json
from pipeline.core.config import Params, load_params
from pipeline.core.fingerprint import code_of, digest
from pipeline.core.paths import EMBEDDED, WORK
from pipeline.core.stage import run_as_stage
from pipeline.weights.table import weight_path, weight_sha256
from stages.corpora import kokoro
from stages.corpora.clip import make_clip, media_path
from stages.corpora.identities import PORTRAITS, make_identities
from stages.corpora.layouts import LAYOUTS, read_clip
from stages.corpora.plan import ClipPlan, make_plans
from stages.corpora.voices import Speaker


def main() -> None:
    params = load_params()
    if any(corpus.is_embedded for corpus in params.corpora.values()):
        make_embedded(params, EMBEDDED)
    else:
        write_json(EMBEDDED / "embedded.json", {"what": "nothing: params.yaml names no corpus here"})


def make_embedded(params: Params, folder: Path) -> None:
    """Make all six corpora below `folder` and `embedded.json`, which says what they are."""
    identities = make_identities(params.embedded.identities, params.seed)
    plans = make_plans(identities, params.embedded.sentences, params.embedded.talking, params.embedded.render_px,
                       params.seed, params.embedded.speaker)
    work = work_folder(params.embedded.speaker)
    make_clips(plans, work)
    for corpus, lay_out in LAYOUTS.items():
        shutil.rmtree(folder / corpus, ignore_errors=True)
        lay_out([read_clip(work, plan) for plan in plans if plan.corpus == corpus], folder / corpus)
    write_json(folder / "embedded.json", {
        "what": "synthetic: made by Playmate's corpora stage; nobody shown has said any of it",
        "identities": params.embedded.identities, "seed": params.seed, "made_by": work.name,
        "clips": {corpus: sum(plan.corpus == corpus for plan in plans) for corpus in LAYOUTS}})


def work_folder(speaker: Speaker) -> Path:
    """Where finished clips of this code and these weights are kept; raises WeightsError for an absent weight."""
    weights = ["face_landmarker", *(portrait.weight for portrait in PORTRAITS.values() if portrait.weight)]
    weights += kokoro.WEIGHTS if speaker == "kokoro" else ()
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
    for _, frames in run(todo, partial(ClipMaker, work), Actors("embedded", os.cpu_count() or 1)):
        progress.add(frames)


if __name__ == "__main__":
    run_as_stage(main)

"""Stage `corpora`: make the embedded corpora, or check that the user's dataset folders are there.

Finished clips are kept under `.playmate/work/corpora/<digest>/` by what they are (code, weights, plan), because DVC
deletes `data/raw` before a run: a killed stage goes on where it was, and ends the same.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from pipeline.core.atomic import write_json
from pipeline.core.config import Params, load_params
from pipeline.core.fingerprint import code_of, digest
from pipeline.core.paths import RAW, WORK
from pipeline.core.stage import run_as_stage
from pipeline.storage.s3_raw import raw_objects
from pipeline.weights.table import weight_path, weight_sha256
from stages.corpora import kokoro
from stages.corpora.clip import make_clip, media_path, start_worker
from stages.corpora.identities import PORTRAITS, make_identities
from stages.corpora.layouts import LAYOUTS, finished
from stages.corpora.plan import ClipPlan, make_plans
from stages.corpora.voices import Speaker

SAY_EVERY_S = 5.0


class MissingCorpora(ValueError):
    """Folders of the user's datasets are not where params.yaml says."""


def main() -> None:
    params = load_params()
    if params.raw.embedded:
        make_embedded(params, RAW)
    else:
        check = check_remote if params.raw.root.startswith("s3://") else check_external
        write_json(RAW / "external.json", check(params.raw.root, params.corpora))


def check_remote(root: str, corpora: list[str]) -> dict[str, dict[str, int]]:
    """Objects and bytes of every corpus below an S3 prefix; raises MissingCorpora that names those that are absent."""
    sizes = {name: [entry.bytes for entry in raw_objects(f"{root.rstrip('/')}/{name}").entries()] for name in corpora}
    missing = [name for name, found in sizes.items() if not found]
    if missing:
        raise MissingCorpora(f"nothing for {', '.join(missing)} below raw.root = {root}: put each dataset at "
                             f"{root.rstrip('/')}/<corpus>, or take it out of `corpora` in params.yaml")
    return {name: {"files": len(found), "bytes": sum(found)} for name, found in sizes.items()}


def check_external(root: str | Path, corpora: list[str]) -> dict[str, dict[str, int]]:
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
    plans = make_plans(identities, params.embedded.sentences, params.embedded.render_px, params.seed,
                       params.embedded.speaker)
    work = work_folder(params.embedded.speaker)
    make_clips(plans, work)
    for corpus, lay_out in LAYOUTS.items():
        shutil.rmtree(raw / corpus, ignore_errors=True)
        lay_out([finished(work, plan) for plan in plans if plan.corpus == corpus], raw / corpus)
    write_json(raw / "embedded.json", {
        "what": "synthetic: made by Playmate's corpora stage; nobody shown has said any of it",
        "identities": params.embedded.identities, "seed": params.seed,
        "clips": {corpus: sum(plan.corpus == corpus for plan in plans) for corpus in LAYOUTS}})


def work_folder(speaker: Speaker) -> Path:
    """Where finished clips of this code and these weights are kept; raises WeightsError for an absent weight."""
    weights = ["face_landmarker", *(portrait.weight for portrait in PORTRAITS.values() if portrait.weight)]
    weights += kokoro.WEIGHTS if speaker == "kokoro" else ()
    for name in weights:
        weight_path(name)
    sha256s = [weight_sha256(name) for name in weights]
    return WORK / "work" / "corpora" / digest(code_of("stages.corpora.clip"), sha256s)


def make_clips(plans: list[ClipPlan], work: Path) -> None:
    """Make the clips that are not there yet, one process per core; the first failure stops the stage."""
    todo = [plan for plan in plans if not media_path(work, plan).exists()]
    print(f"corpora: {len(plans)} clips, {len(plans) - len(todo)} there already", file=sys.stderr)
    if not todo:
        return
    for stale in (work / "clips").glob(".*"):  # left by a killed run
        stale.unlink()
    os.environ["OMP_NUM_THREADS"] = "1"  # before the workers load their libraries
    todo.sort(key=lambda plan: plan.identity.number)  # a worker prepares a portrait once
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, start_worker) as pool:
        jobs = {pool.submit(make_clip, plan, work): plan for plan in todo}
        try:
            _follow(jobs)
        except BrokenProcessPool as error:
            raise RuntimeError("a worker of the corpora stage was killed (out of memory?): run the stage again, "
                               "finished clips are kept") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _follow(jobs: dict) -> None:
    """Wait for the clips and say how far it is; raises what a clip raised."""
    began = said = time.monotonic()
    frames = 0
    for done, job in enumerate(as_completed(jobs), start=1):
        frames += job.result()
        now = time.monotonic()
        if now - said > SAY_EVERY_S or done == len(jobs):
            left = (now - began) / done * (len(jobs) - done)
            print(f"corpora: {done}/{len(jobs)} clips, {frames / (now - began):.0f} frames/s, {left:.0f} s left",
                  file=sys.stderr)
            said = now


if __name__ == "__main__":
    run_as_stage(main)

"""Stage `outputs`, the first of every `dvc repro`: stops where a file of somebody's lies in an output folder, or where
the run lacks something. One process that imports little: it is most of what a run with nothing to do costs beside DVC.

`python -m playmate.outputs clean` (make clean) deletes what the pipeline made, with its working folder, and refuses as
the stage does where anything else lies there.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from pipeline.core.atomic import write_json
from pipeline.core.config import load_params
from pipeline.core.outputs import check, outputs
from pipeline.core.paths import OUTPUTS_CHECKED, WORK
from pipeline.core.stage import run_as_stage
from playmate.plan.reach import load_stages, standing, targeted_stages


def main() -> None:
    check()
    params, stages = load_params(), load_stages()
    unfinished = set(targeted_stages(stages)) - standing(stages)
    if unfinished:
        from playmate.plan.needs import check_run

        check_run(params, unfinished)
    write_json(OUTPUTS_CHECKED, {"what": "every file in the outputs was made by a stage"})


def clean() -> None:
    """Delete all outputs and `.playmate`; raises NotOurs before anything is deleted."""
    check()
    for out in [out for outs in outputs().values() for out in outs]:
        if Path(out).is_dir() and not Path(out).is_symlink():
            shutil.rmtree(out)
        else:
            Path(out).unlink(missing_ok=True)
    shutil.rmtree(WORK, ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["clean"]:
        try:
            clean()
        except ValueError as error:
            sys.exit(f"clean: {error}")
    else:
        run_as_stage(main)

"""Evaluation jobs over processes of one machine, or over the Ray cluster that `ray.address` names.

Every job commits its result to a folder of its own, named by all that enters it; what is there already is not computed
again. On a cluster the project's folder must be on a disk that all nodes share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from evaluation.jobs.saved import fresh_folder, has_result, save_result
from evaluation.results.files import Failure, Result
from models.motion.face_space import FaceNotFound
from pipeline.compute.device import which_device
from pipeline.compute.progress import Progress
from pipeline.compute.resources import Actors
from pipeline.compute.work import run
from pipeline.core.config import Params
from pipeline.core.fingerprint import code_of, digest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Job(Protocol):
    """One video or more to make and measure; knows how."""

    @property
    def name(self) -> str:
        """Id of its clip."""

    @property
    def stage(self) -> str:
        """What is done with the clip: no two jobs have the same name and stage."""

    def inputs(self) -> list[Any]:
        """JSON of all that enters its result, beside the spec and the code."""

    def run(self, parts: Any, settings: Any, folder: Path) -> Result[DataclassInstance]:
        """With what a worker has loaded; films go to `folder`."""


class Spec(Protocol):
    """What a worker loads once, and how its jobs are measured."""

    @property
    def settings(self) -> Any: ...

    def inputs(self) -> list[Any]:
        """JSON of all that enters every result."""

    def load(self, device: str) -> Any:
        """The `parts` of the jobs, their networks on `device`."""


@dataclass(frozen=True)
class Task:
    """A job and the folder of its result."""

    job: Job
    folder: Path


class Worker:
    """Parts in memory; runs and commits task after task (`pipeline.compute.work`)."""

    def __init__(self, spec: Spec, on_gpu: bool = False, parts: Any = None):
        self.spec = spec
        self.parts = parts if parts is not None else spec.load(which_device(on_gpu))

    def __call__(self, task: Task) -> Failure | None:
        """A clip that cannot be done is reported, not raised."""
        folder, job = fresh_folder(task.folder), task.job
        try:
            save_result(folder, job.run(self.parts, self.spec.settings, folder))
        except FaceNotFound as error:
            return Failure(job.name, job.stage, "face_not_found", str(error))
        except (ValueError, OSError, RuntimeError) as error:
            return Failure(job.name, job.stage, type(error).__name__, str(error))
        return None


def make_tasks(jobs: Sequence[Job], spec: Spec, root: Path) -> list[Task]:
    """Every job with its folder below `root`."""
    modules = {type(one).__module__ for one in (spec, *jobs)}
    base = digest(code_of(__name__, *sorted(modules)), spec.inputs())
    return [Task(job, root / digest(base, job.stage, job.inputs())) for job in jobs]


def run_missing(tasks: Sequence[Task], spec: Spec, params: Params, actors: Actors, say: Callable[[str], None],
                unit: str = "videos") -> list[Failure]:
    """Run the tasks that have no result yet; those that gave none, in the order of the tasks.

    Raises ResourcesMissing where `actors` want GPUs that are not there.
    """
    name, todo = actors.section, [task for task in tasks if not has_result(task.folder)]
    say(f"{name}: {len(tasks)} {unit}, {len(tasks) - len(todo)} there already")
    ray = params.ray if params.ray.address is not None else None
    failures: dict[Path, Failure] = {}
    progress = Progress(name, len(todo), unit, say)
    for task, failure in run(todo, partial(Worker, spec, actors.gpus_per_actor > 0), actors, ray, say=say):
        progress.add(rejected=failure is not None)
        if failure is not None:
            say(f"{name}: {failure.clip_id}, {failure.stage}: {failure.code}, {failure.detail}")
            failures[task.folder] = failure
    return [failures[task.folder] for task in todo if task.folder in failures]

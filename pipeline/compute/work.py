"""Independent items, computed by several workers at once: here, or on the Ray cluster.

A *worker* is anything that can be called with one task and gives its answer. `make` makes one, is called once in every
process, thread or actor, and must be importable there (a class, a function, a `functools.partial` of either). Answers
come in any order, each with its task, so that what is computed never depends on how many workers there are.

Three places, one interface:

* spawned processes (the default): one thread each, they end with us even where we are killed;
* threads, for workers that only wait for a process of their own (`guard.GuardedWorker` around hostile media): such a
  worker is closed at the end, and a task that kills its child is the worker's answer, not the engine's error;
* Ray, where a section of parameters is given: an actor a core, or its share of a GPU. The first one is waited for
  (`ray.max_wait_s`). An actor that dies (a node is taken away) is started again and its task tried again. More actors
  are asked for while tasks wait, so that a cluster may grow.

Processes with a share of a GPU see one GPU each and no other; which device that is, a worker asks of `which_device`.

An exception that a worker raises ends the run: what a bad item may do to itself alone, its worker turns into an answer.
Results are saved by the workers, by what enters them; a run that is killed goes on by leaving finished tasks out.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Generic, TypeVar

from pipeline.compute.device import gpu_places
from pipeline.compute.ray_session import ray_session
from pipeline.compute.resources import Actors, actors_request, check_share, places, wait_for
from pipeline.core.data_params import Ray

Task = TypeVar("Task")
Answer = TypeVar("Answer")
Make = Callable[[], Callable[[Task], Answer]]
RETRIES = 3  # of a task whose actor died


class WorkerDied(RuntimeError):
    """A worker process ended without an answer."""


def run(tasks: Sequence[Task], make: Make[Task, Answer], actors: Actors, ray: Ray | None = None,
        threads: bool = False, say: Callable[[str], None] = print) -> Iterator[tuple[Task, Answer]]:
    """Yield every task with its answer when it is done; at most `actors.workers` at once.

    Raises what a worker raised; WorkerDied where a process was killed; ResourcesMissing where GPUs or nodes that are
    asked for are not there.
    """
    if not tasks:
        return
    if ray is None or ray.address is None:
        check_share(actors)
    if ray is not None:
        yield from _on_ray(tasks, make, actors, ray, say)
        return
    gpus = gpu_places(actors.gpus_per_actor) if actors.gpus_per_actor else []
    workers = min(actors.workers, len(tasks), len(gpus) or actors.workers)
    if threads:
        yield from _in_threads(tasks, make, workers)
    else:
        os.environ["OMP_NUM_THREADS"] = "1"  # before the children load their libraries
        # not forked: threads that libraries have started do not survive a fork
        spawned = multiprocessing.get_context("spawn")
        free = spawned.SimpleQueue()
        for gpu in gpus[:workers]:
            free.put(gpu)
        pool = ProcessPoolExecutor(workers, spawned, _start, (make, free if gpus else None))
        yield from _answers(tasks, pool, _call)


def _answers(tasks: Sequence[Task], pool: Executor, call: Callable[[Task], Answer]) -> Iterator[tuple[Task, Answer]]:
    try:
        futures = {pool.submit(call, task): task for task in tasks}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise WorkerDied("a worker process was killed (out of memory?): run it again, what is finished is kept") \
            from error
    finally:
        pool.shutdown(cancel_futures=True)


class _Kept(Generic[Task, Answer]):
    """Makes its worker at the first task, so that an error of making it is raised like any other."""

    def __init__(self, make: Make[Task, Answer]):
        self.make = make
        self.worker: Callable[[Task], Answer] | None = None

    def __call__(self, task: Task) -> Answer:
        if self.worker is None:
            self.worker = self.make()
        return self.worker(task)


_kept: list[_Kept] = []  # of this process


def _start(make: Make, gpus: Any) -> None:
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus.get()  # before anything asks CUDA
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    _kept.append(_Kept(make))


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _call(task: Any) -> Any:
    return _kept[0](task)


def _in_threads(tasks: Sequence[Task], make: Make[Task, Answer], workers: int) -> Iterator[tuple[Task, Answer]]:
    here = threading.local()
    everyone: list[_Kept[Task, Answer]] = []

    def call(task: Task) -> Answer:
        if not hasattr(here, "kept"):
            here.kept = _Kept(make)
            everyone.append(here.kept)
        return here.kept(task)

    try:
        yield from _answers(tasks, ThreadPoolExecutor(workers), call)
    finally:
        for kept in everyone:
            if kept.worker is not None:
                kept.worker.close()  # type: ignore[attr-defined]  # a worker for threads has it


class _Actor(_Kept):
    def ready(self) -> None:
        """Returns when the actor has found a place."""


def _on_ray(tasks: Sequence[Task], make: Make[Task, Answer], actors: Actors, section: Ray,
            say: Callable[[str], None]) -> Iterator[tuple[Task, Answer]]:
    with ray_session(section) as ray:
        request = actors_request(actors, ray, section)
        wait_for(ray, request, section.max_wait_s, say)
        actor = ray.remote(num_cpus=request.cpus_per_worker, num_gpus=request.gpus_per_worker, max_restarts=-1,
                           max_task_retries=RETRIES)(_Actor)
        left, made, started, done = list(reversed(tasks)), ray.put(make), 0, 0
        busy: dict[Any, tuple[Any, list[Task]]] = {}  # what is waited for -> actor, its task if it has one
        there, most = places(request, ray), min(actors.workers, len(tasks))
        while done < len(tasks):
            while started < most and (started < there or not _waits(busy)) and left:
                one = actor.remote(made)
                busy[one.ready.remote()] = one, []
                started += 1
            [first], _ = ray.wait(list(busy), num_returns=1)
            one, task = busy.pop(first)
            try:
                answer = ray.get(first)
            except ray.exceptions.RayActorError as error:
                raise WorkerDied(f"a Ray actor died {RETRIES + 1} times on one task: {error}") from error
            if task:
                done += 1
                yield task[0], answer
            if left:
                task = [left.pop()]
                busy[one.__call__.remote(task[0])] = one, task


def _waits(busy: dict[Any, tuple[Any, list]]) -> bool:
    """Whether an actor is asked for that has no place yet."""
    return any(not task for _, task in busy.values())

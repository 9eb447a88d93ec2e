"""Extraction on Ray Data: batches of clips stream through pools of actors that store what they finish.

Without GPUs one pool does it all, one process a core. With `extract.gpus_per_actor` above 0 decoding (CPU nodes),
forward passes (GPU nodes) and writing are pools of their own, and Ray Data holds the decoders back where the GPUs
do not keep up. Ray carries positions out and short statuses back; a lost actor costs what it had in hand.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from types import ModuleType

import numpy as np

from pipeline.components.face_space import make_face_space
from pipeline.components.speech import make_speech_encoder
from pipeline.compute.device import which_device
from pipeline.compute.ray_session import is_started, quiet_datasets, ray_session
from pipeline.compute.resources import Actors, actors_request, check_share, places, wait_for
from pipeline.core.config import Params
from pipeline.core.paths import FACE_SPACE, WORK
from pipeline.storage import Storage
from stages.extract.actor import ATTEMPTS, ExtractionActor, Maker, Work
from stages.extract.attempts import sweep
from stages.extract.clip import ClipExtractor
from stages.extract.gpu_actors import Decoder, Forward, Writer
from stages.extract.jobs import batch_tables, make_batches, spool
from stages.extract.one_process import compute_few
from stages.extract.plan import Clip, without_ray

JOBS = WORK / "jobs"
MAX_BLOCKS = 1000  # tasks of the first step; Ray's driver holds some 20 KB of each


def make_extractor(params: Params, storage: Storage) -> ClipExtractor:
    """Load the models that `params` names: on the GPU that Ray gave this process, else for one core."""
    import torch

    torch.set_num_threads(1)
    device = which_device(params.extract.gpus_per_actor > 0)
    return ClipExtractor(make_face_space(params.face_space.kind, FACE_SPACE, device),
                         make_speech_encoder(params.speech, device), storage, params.preprocess.measure.fps)


def compute(jobs: Iterable[tuple[Clip, list[str]]], params: Params, store: str,
            make: Maker = make_extractor) -> Iterator[dict]:
    """Compute the missing families of every clip; yield its status when it is finished. Longest clips first.

    Fewer than `extract.ray_min_clips` clips are no work for Ray, unless its cluster or GPUs are asked for.
    """
    sweep(ATTEMPTS)
    sweep(JOBS)  # those of a run that was killed; there is one run at a time
    run = uuid.uuid4().hex[:12]
    path = JOBS / f"{run}.arrow"
    with spool(jobs, path) as frames:
        work = Work(params, store, run, os.getcwd(), path, make)
        if without_ray(params, len(frames)):
            yield from compute_few(work, len(frames))
        else:
            yield from _on_ray(work, frames)
    sweep(ATTEMPTS)


def _on_ray(work: Work, frames: np.ndarray) -> Iterator[dict]:
    """Statuses of the jobs of the job file, whose clips have `frames` [N]; raises ResourcesMissing."""
    section, place = work.params.extract, work.params.ray
    actors = Actors("extract", section.actors, section.gpus_per_actor)
    if place.address is None and not is_started():
        check_share(actors)
    with ray_session(place) as ray:
        request = actors_request(actors, ray, place, feeders=1 if section.gpus_per_actor else 0)
        wait_for(ray, request, place.max_wait_s, print)
        batches = make_batches(frames, section.batch_clips, section.batch_frames)
        data = quiet_datasets()
        rows = data.from_blocks(batch_tables(batches, min(MAX_BLOCKS, len(batches))))
        most = None if place.address else (int(ray.cluster_resources()["CPU"]), places(request, ray))
        yield from _graph(data, rows, work, len(batches), most).iter_rows()


def _graph(data: ModuleType, rows, work: Work, batches: int, most: tuple[int, int] | None):
    """The pools; the cores of this machine and its places for `actors` bound them (`most`), on a cluster the autoscaler
    brings what is asked for."""
    section = work.params.extract
    cores, room = most or (MAX_BLOCKS, MAX_BLOCKS)

    def step(dataset, actor, size: int, **options):
        pool = data.ActorPoolStrategy(size=max(1, min(size, batches)))
        return dataset.map_batches(actor, fn_constructor_args=(work,), batch_size=1, compute=pool, **options)

    if not section.gpus_per_actor:
        return step(rows, ExtractionActor, min(section.actors, room), num_cpus=1)
    decoded = step(rows, Decoder, min(section.decode_actors, cores), num_cpus=1)
    # no core is asked for below: decoders that hold all cores would starve what waits for their output
    finished = step(decoded, Forward, min(section.actors, room), num_cpus=0,
                    num_gpus=section.gpus_per_actor, batch_format="pyarrow")
    return step(finished, Writer, min(section.writers, cores), num_cpus=0, batch_format="pyarrow")

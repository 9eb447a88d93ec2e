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
from pipeline.compute.ray_session import quiet_datasets, ray_session
from pipeline.core.config import Params
from pipeline.core.paths import FACE_SPACE, WORK
from pipeline.storage import Storage
from stages.extract.actor import ATTEMPTS, ExtractionActor, Maker, Work
from stages.extract.attempts import sweep
from stages.extract.clip import ClipExtractor
from stages.extract.gpu_actors import Decoder, Forward, Writer
from stages.extract.jobs import batch_tables, make_batches, spooled
from stages.extract.one_process import compute_few
from stages.extract.plan import Clip, without_ray

JOBS = WORK / "jobs"
MAX_BLOCKS = 1000  # tasks of the first step; Ray's driver holds some 20 KB of each


def make_extractor(params: Params, storage: Storage) -> ClipExtractor:
    """Load the models that `params` names: on the GPU that Ray gave this process, else for one core."""
    import torch

    torch.set_num_threads(1)
    parts = [make_face_space(params.face_space.kind, FACE_SPACE), make_speech_encoder(params.speech)]
    if params.extract.gpus_per_actor and torch.cuda.is_available():
        parts = [part.to("cuda") if hasattr(part, "to") else part for part in parts]
    return ClipExtractor(*parts, storage, params.preprocess.measure.fps)


def compute(jobs: Iterable[tuple[Clip, list[str]]], params: Params, store: str,
            make: Maker = make_extractor) -> Iterator[dict]:
    """Compute the missing families of every clip; yield its status when it is finished. Longest clips first.

    Fewer than `extract.ray_min_clips` clips are no work for Ray, unless its cluster or GPUs are asked for.
    """
    sweep(ATTEMPTS)
    sweep(JOBS)  # those of a run that was killed; there is one run at a time
    run = uuid.uuid4().hex[:12]
    path = JOBS / f"{run}.arrow"
    with spooled(jobs, path) as frames:
        work = Work(params, store, run, os.getcwd(), path, make)
        if without_ray(params, len(frames)):
            yield from compute_few(work, len(frames))
        else:
            yield from _on_ray(work, frames)
    sweep(ATTEMPTS)


def _on_ray(work: Work, frames: np.ndarray) -> Iterator[dict]:
    """Statuses of the jobs of the job file, whose clips have `frames` [N]."""
    with ray_session(work.params.ray) as ray:
        batches = make_batches(frames, work.params.extract.batch_clips, work.params.extract.batch_frames)
        data = quiet_datasets()
        rows = data.from_blocks(batch_tables(batches, min(MAX_BLOCKS, len(batches))))
        cores = None if work.params.ray.address else int(ray.cluster_resources()["CPU"])
        yield from _graph(data, rows, work, len(batches), cores).iter_rows()


def _graph(data: ModuleType, rows, work: Work, batches: int, cores: int | None):
    """The pools; `cores` of this machine bound them, on a cluster the autoscaler brings what is asked for."""
    section = work.params.extract

    def pool(size: int):
        return data.ActorPoolStrategy(size=max(1, min(size, batches, cores or size)))

    def step(dataset, actor, size: int, **options):
        return dataset.map_batches(actor, fn_constructor_args=(work,), batch_size=1, compute=pool(size), **options)

    if not section.gpus_per_actor:
        return step(rows, ExtractionActor, section.actors, num_cpus=1)
    decoded = step(rows, Decoder, section.decode_actors, num_cpus=1)
    # no core is asked for below: decoders that hold all cores would starve what waits for their output
    finished = step(decoded, Forward, section.actors, num_cpus=0, num_gpus=section.gpus_per_actor,
                    batch_format="pyarrow")
    return step(finished, Writer, section.writers, num_cpus=0, batch_format="pyarrow")

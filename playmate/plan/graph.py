"""The whole graph of dvc.yaml, stage by stage: what is computed, with which processes, memory, hours and disk."""

from __future__ import annotations

import configparser
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from models.motion.motion import RHO_DIM
from pipeline.compute.device import gpus_are_counted, machine_gpus
from pipeline.compute.resources import Ask
from pipeline.core.config import Params
from pipeline.core.paths import FACE_SPACE
from pipeline.weights.table import WeightsError
from playmate.plan import costs
from playmate.plan.amounts import Amount, amounts, total
from playmate.plan.counted import KEYPOINTS, SPEECH_DIM, StepCost, audio_step, emotion_step
from playmate.plan.needs import Lack, actors, asks, lacks
from playmate.plan.reach import load_stages, standing
from stages.face_space.frozen import fit_digest, read_fit

CHECKPOINTS = 3   # kept of a training: the newest two and the best
LINKS = {"reflink", "hardlink", "symlink"}


@dataclass(frozen=True)
class StagePlan:
    """One stage. None: not known, or not asked for."""

    stage: str
    work: str
    cores: int
    gpus: float = 0
    gpu_gb: float | None = None   # of each
    fits: int | None = None       # of what `gpu_gb` is of, at once on such a GPU
    hours: float | None = None    # of the stage on the clock, with those cores or GPUs
    disk_gb: float = 0.0
    stands: bool = False          # made already with these parameters
    source: str = ""              # of the figures


@dataclass(frozen=True)
class Graph:
    """All stages, and what the run lacks."""

    stages: list[StagePlan]
    lacks: list[Lack]
    free_gb: float
    gpu_gb: float | None   # memory of this machine's first GPU

    @property
    def disk_gb(self) -> float:
        """What the stages that do not stand will write."""
        return sum(stage.disk_gb for stage in self.stages if not stage.stands)


def plan_graph(params: Params) -> Graph:
    """What `dvc repro` would do now."""
    stages = load_stages()
    stand, gpu_gb = standing(stages), _gpu_gb()
    rows = [replace(row, stands=row.stage in stand) for row in _rows(params, gpu_gb or costs.GPU_GB.value)]
    found = lacks(params, set(stages) - stand)
    free_gb = shutil.disk_usage(".").free / 1e9
    need_gb = sum(row.disk_gb for row in rows if not row.stands)
    if need_gb > free_gb:
        found.append(Lack("preprocess", "disk", f"about {need_gb:,.0f} GB will be written and {free_gb:,.0f} GB are "
                          "free here"))
    return Graph(rows, found, free_gb, gpu_gb)


def _rows(params: Params, gpu_gb: float) -> Iterator[StagePlan]:
    found, cores = amounts(params), params.ray.num_cpus or os.cpu_count() or 1
    everything, copies = total(found), 1 + dvc_copies()
    yield _corpora(params, found, cores)
    yield _preprocess(params, found, cores, copies)
    yield StagePlan("split", f"{everything.clips:,} clips", 1, source="")
    yield _face_space(params, everything, cores, gpu_gb)
    yield _extract(params, everything, cores, copies)
    yield StagePlan("statistics", f"{total(found, params.used_for('audio')).frames:,} frames", 1)
    steps = {"train_audio": audio_step(params), "train_emotion": emotion_step(params)}
    for name, step in steps.items():
        if name in asks(params):   # stage 2 of no steps is what it starts from
            yield _training(name, params, step, cores, gpu_gb)
    yield _evaluate(params, cores)
    yield _ablate(params, steps["train_audio"], cores)


def _corpora(params: Params, found: dict[str, Amount], cores: int) -> StagePlan:
    made = total(found, [name for name, corpus in params.corpora.items() if corpus.is_embedded])
    figure = costs.EMBEDDED_MS
    work = f"{made.clips:,} embedded clips, {made.frames:,} frames" if made.clips else "none"
    return StagePlan("corpora", work, cores, hours=made.frames * figure.value / 3.6e6 / cores,
                     source=figure.source if made.clips else "")


def _preprocess(params: Params, found: dict[str, Amount], cores: int, copies: int) -> StagePlan:
    """All that is listed, as if all of it were kept: what is rejected was looked at, cut and stored, too."""
    frames, section = total(found).frames, params.preprocess
    figures = [(frames, costs.LOOK_MS)]
    if section.measure.detector == "buffalo_l":
        figures.append((frames, costs.BUFFALO_MS))
    if section.sync_filter:
        names = [name for name, corpus in params.corpora.items() if corpus.sync]
        figures.append((total(found, names).frames, costs.SYNC_MS))
    size = frames * (costs.CROP_BYTES.value + costs.SPEECH_BYTES.value)
    return StagePlan("preprocess", _work(total(found)), cores,
                     hours=sum(count * figure.value for count, figure in figures) / 3.6e6 / cores,
                     disk_gb=size * copies / 1e9, source="; ".join(figure.source for _, figure in figures))


def _work(amount: Amount) -> str:
    unknown = " and corpora that are not there" if amount.known == "unknown" else ""
    return f"{amount.clips:,} clips, {amount.frames:,} frames{unknown}"


def _face_space(params: Params, everything: Amount, cores: int, gpu_gb: float) -> StagePlan:
    """Fitted once; where it was, what another fit would cost."""
    fit = _fit(params, everything, cores, gpu_gb)
    try:
        if not read_fit(FACE_SPACE, fit_digest(params)):
            return fit
    except WeightsError:
        return fit
    again, extract = fit.hours or 0.0, _extract(params, everything, cores, 1).hours or 0.0
    return StagePlan("face_space", f"as it was fitted; another face_space.refit: {again:.2g} h, and at most "
                     f"{extract:.2g} h of extract for all motion", 1, hours=0.0)


def _fit(params: Params, everything: Amount, cores: int, gpu_gb: float) -> StagePlan:
    section = params.face_space
    if section.kind == "landmark":
        mean = everything.frames / everything.clips if everything.clips else 0.0
        frames = round(min(section.max_clips, everything.clips) * mean / section.frame_stride)
        return StagePlan("face_space", f"a basis of {frames:,} frames", cores,
                         hours=frames * costs.LANDMARK_MS.value / 3.6e6 / cores, source=costs.LANDMARK_MS.source)
    if not section.tune.steps or section.untrained:
        return StagePlan("face_space", "the networks as they are", 1)
    pairs, ask = section.tune.steps * section.tune.batch, asks(params)["face_space"]
    workers = max(ask.workers, 1)
    return StagePlan("face_space", f"{section.tune.steps:,} steps of {section.tune.batch} pairs", workers, _gpus(ask),
                     section.tune.batch / workers * costs.TUNE_PAIR_GB.value, int(gpu_gb / costs.TUNE_PAIR_GB.value),
                     pairs * costs.TUNE_GFLOP.value / _gflops(ask, cores) / 3600,
                     source=f"{costs.TUNE_GFLOP.source}; {_rate(ask).source}")


def _extract(params: Params, everything: Amount, cores: int, copies: int) -> StagePlan:
    section = params.extract
    size = 4 * (3 * KEYPOINTS[params.face_space.kind] + RHO_DIM) + 2 * SPEECH_DIM[params.speech.kind]
    disk_gb = everything.frames * size * (1 + copies) / 1e9   # units and shards; DVC links or copies the shards
    work, gpus = _work(everything), section.gpus_per_actor * section.actors
    if gpus:
        hours = everything.frames * costs.EXTRACT_GFLOP.value / costs.EXTRACT_GFLOPS.value / gpus / 3600
        return StagePlan("extract", work, section.actors + section.decode_actors, gpus, hours=hours, disk_gb=disk_gb,
                         source=f"{costs.EXTRACT_GFLOP.source}; {costs.EXTRACT_GFLOPS.source}")
    figure = costs.LANDMARK_MS if params.face_space.kind == "landmark" else costs.LIVEPORTRAIT_MS
    actors = min(section.actors, cores)
    return StagePlan("extract", work, actors, hours=everything.frames * figure.value / 3.6e6 / actors, disk_gb=disk_gb,
                     source=figure.source)


def _training(name: str, params: Params, step: StepCost, cores: int, gpu_gb: float) -> StagePlan:
    section, ask = getattr(params, name), asks(params)[name]
    workers = max(ask.workers, 1)
    windows = -(-section.batch // workers // section.accumulate)
    return StagePlan(name, f"{section.steps:,} steps of {section.batch} windows, {step.parameters / 1e6:.1f} M weights",
                     workers, _gpus(ask), step.memory_gb(windows) if _gpus(ask) else None,
                     step.fits(gpu_gb) if _gpus(ask) else None,
                     section.steps * section.batch * step.gflop / _gflops(ask, cores) / 3600,
                     CHECKPOINTS * step.parameters * 20 / 1e9,
                     source=f"{step.gflop:.3g} GFLOP a window, counted; {_rate(ask).source}")


def _gpus(ask: Ask) -> int:
    """What a training asks for; `auto`: what is here."""
    workers = max(ask.workers, 1)
    return min(workers, machine_gpus()) if ask.gpus == "auto" else ask.gpus


def _rate(ask: Ask) -> costs.Figure:
    return costs.GPU_GFLOPS if _gpus(ask) else costs.CORE_GFLOPS


def _gflops(ask: Ask, cores: int) -> float:
    """Of all workers a second."""
    return _rate(ask).value * (_gpus(ask) or min(max(ask.workers, 1), cores))


def _evaluate(params: Params, cores: int) -> StagePlan:
    from evaluation.jobs.shown import POSES

    section = params.evaluate
    clip = section.max_duration_s * costs.FPS
    frames = round(section.max_clips * clip * (1 + 1 / section.control_stride)
                   + (section.emotion_clips * len(section.emotions) + len(POSES) + section.seeds)
                   * section.emotion_duration_s * costs.FPS
                   + len(section.dials.shown) * section.dials.duration_s * costs.FPS)
    return _plan_films("evaluate", frames, f"{section.max_clips} clips at most", params, cores)


def _ablate(params: Params, step: StepCost, cores: int) -> StagePlan:
    section = params.ablate
    models = len(section.variants) + 1 if section.variants else 0
    settings = len(section.audio_scales) + len(section.emotion_scales) + models   # each with the wrong speech, too
    frames = round(2 * section.max_clips * section.max_duration_s * costs.FPS * settings / section.frame_stride)
    plan = _plan_films("ablate", frames, f"{settings} settings", params, cores)
    if not models:
        return plan
    figure = costs.GPU_GFLOPS if plan.gpus else costs.CORE_GFLOPS   # each model in one process
    gflop = models * section.variant_steps * params.train_audio.batch * step.gflop
    hours = (plan.hours or 0.0) + gflop / figure.value / min(models, params.evaluate.workers) / 3600
    return replace(plan, hours=hours, work=f"{plan.work}; {models} models of {section.variant_steps:,} steps",
                   source=f"{plan.source}; {figure.source}")


def _plan_films(name: str, frames: int, work: str, params: Params, cores: int) -> StagePlan:
    """Films, judged: on CPU cores, or on shares of GPUs."""
    workers, liveportrait = params.evaluate.workers, params.face_space.kind == "liveportrait"
    gpus = workers * actors(params)[name].gpus_per_actor
    figure = (costs.JUDGED_MS if not liveportrait else costs.GPU_RENDER_MS if gpus else costs.LIVEPORTRAIT_RENDER_MS)
    return StagePlan(name, f"{work}, {frames:,} frames", min(workers, cores), gpus,
                     hours=frames * figure.value / 3.6e6 / (gpus or min(workers, cores)), source=figure.source)


def dvc_copies() -> int:
    """How often DVC keeps an output beside the workspace's: not again where its cache is linked."""
    config = configparser.ConfigParser(strict=False, interpolation=None)
    config.read([Path(".dvc/config"), Path(".dvc/config.local")])
    types = {kind.strip() for kind in config.get("cache", "type", fallback="reflink,copy").strip('"').split(",")}
    return 0 if types & (LINKS - {"reflink"}) else 1


def _gpu_gb() -> float | None:
    import torch

    return torch.cuda.get_device_properties(0).total_memory / 1e9 if machine_gpus() and not gpus_are_counted() else None


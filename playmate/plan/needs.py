"""What a run needs and has not got: asked by `playmate plan`, and by the first stage of every `dvc repro`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from models.motion.emotions import LABEL_SETS
from pipeline.compute.device import ResourcesMissing, gpus_are_counted
from pipeline.compute.resources import Actors, Ask, check_machine, check_share
from pipeline.core.clip_table import KEPT, read_clip_table
from pipeline.core.config import Params
from pipeline.core.data_params import Corpus, Use
from pipeline.core.paths import CROPS
from pipeline.core.split_table import TEST, TRAIN
from pipeline.weights.table import Weight, weights_table
from playmate.weights import weights_of_stages
from stages.sources import MissingCorpora, check_places
from stages.split import divide


@dataclass(frozen=True)
class Lack:
    """One thing without which `stage` cannot succeed, and what to do."""

    stage: str
    kind: str   # data | clips | gpus | weights | disk
    text: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.text}"


class CannotSucceed(ValueError):
    """A run that would end in an error; the message names everything that it lacks."""


def check_run(params: Params, unfinished: set[str]) -> None:
    """For the first stage: raises CannotSucceed where one of the `unfinished` stages lacks something."""
    found = lacks(params, unfinished)
    if found:
        raise CannotSucceed(refusal(found))


def refusal(found: Iterable[Lack]) -> str:
    """The words of both."""
    return "\n".join(["this run cannot succeed:", *(f"  {lack}" for lack in found)])


def lacks(params: Params, unfinished: set[str]) -> list[Lack]:
    """What these stages lack; those that stand as they are (`playmate.plan.reach.standing`) lack nothing."""
    found = [*_data(params), *_uses(params), *_clips(params), *_gpus(params), *_weights(params)]
    return [lack for lack in found if lack.stage in unfinished]


def _data(params: Params) -> Iterator[Lack]:
    try:
        check_places(params)
    except MissingCorpora as error:
        yield Lack("sources", "data", str(error))
    uses: dict[Use, str] = {"audio": "train_audio", "emotion": "train_emotion", "test": "evaluate"}
    for use, stage in uses.items():
        names = params.used_for(use)
        if names and all(_is_empty(params.corpora[name]) for name in names):
            yield Lack(stage, "clips", f"there is no file in the corpora for `{use}`: {', '.join(names)}")


def _is_empty(corpus: Corpus) -> bool:
    """Of folders of this machine that are there."""
    folder = Path(corpus.location)
    return not corpus.is_embedded and folder.is_dir() and all(path.is_dir() for path in folder.rglob("*"))


def _uses(params: Params) -> Iterator[Lack]:
    if not params.used_for("emotion") and params.train_emotion.steps:
        yield Lack("train_emotion", "data", "no corpus has `emotion` in its `use`: it would have nothing to train on. "
                   "Labelled clips can come from the embedded mead (path: data/embedded/mead); stage 1 alone is "
                   "`dvc repro train_audio`")


def _clips(params: Params) -> Iterator[Lack]:
    """What can be said when all corpora are preprocessed: who is left to train on, and to test."""
    tables = [CROPS / corpus / "clips.parquet" for corpus in params.corpora]
    if not all(table.is_file() for table in tables):
        return
    clips = [row for table in tables for row in read_clip_table(table, status=KEPT)]
    try:
        rows = divide(clips, params).rows
    except ValueError as error:
        yield Lack("split", "clips", str(error))
        return
    part = {row["clip_id"]: row["split"] for row in rows}
    if TEST not in part.values():
        yield Lack("evaluate", "clips", f"no test clip was kept (corpora for tests: "
                   f"{', '.join(params.used_for('test')) or 'none'}): see the rejects in {CROPS}/*/clips.parquet")
    labels = LABEL_SETS[params.emotion.labels]
    trained = [row for row in clips if part[row["clip_id"]] == TRAIN]
    wanted = {"train_audio": ("audio", None), "train_emotion": ("emotion", labels)}
    for stage, (use, of) in wanted.items():
        names = params.used_for(use)   # type: ignore[arg-type]
        is_left = any(row["corpus"] in names and (of is None or row["emotion"] in of) for row in trained)
        if names and getattr(params, stage).steps and not is_left:
            labelled = f" is labelled {', '.join(of)}" if of else ""
            yield Lack(stage, "clips", f"no training clip in {', '.join(names)}{labelled}: look at the rejects in "
                       f"{CROPS}/*/clips.parquet")


def _gpus(params: Params) -> Iterator[Lack]:
    """Of this machine; what a cluster has is known when its nodes have come."""
    if params.ray.address is not None or gpus_are_counted():
        return
    checks = {stage: partial(check_machine, ask) for stage, ask in asks(params).items()}
    checks |= {stage: partial(check_share, group) for stage, group in actors(params).items()}
    for stage, check in checks.items():
        try:
            check()
        except ResourcesMissing as error:
            yield Lack(stage, "gpus", str(error))


def asks(params: Params) -> dict[str, Ask]:
    """Stage -> what it asks of Ray Train."""
    trainings = {"train_audio": params.train_audio, "train_emotion": params.train_emotion}
    found = {name: Ask(name, section.trainer.workers, section.trainer.gpus, section.trainer.min_workers)
             for name, section in trainings.items() if section.steps}
    tune = params.face_space.tune
    if params.face_space.kind == "liveportrait" and tune.steps:
        found["face_space"] = Ask("face_space.tune", tune.trainer.workers, tune.trainer.gpus, tune.trainer.workers)
    return found


def actors(params: Params) -> dict[str, Actors]:
    """Stage -> the processes of it that may share out GPUs."""
    workers = params.evaluate.workers
    return {"extract": Actors("extract", params.extract.actors, params.extract.gpus_per_actor),
            "evaluate": Actors("evaluate", workers, params.evaluate.gpus_per_actor),
            "ablate": Actors("ablate", workers, params.ablate.gpus_per_actor)}


def _weights(params: Params) -> Iterator[Lack]:
    for stage, names in weights_of_stages(params).items():
        gone = [weight for weight in (weights_table()[name] for name in dict.fromkeys(names)) if _is_gone(weight)]
        if gone:
            command = "playmate weights pull" + (" --pack paper" if any(w.pack == "paper" for w in gone) else "")
            yield Lack(stage, "weights", f"weights missing: {', '.join(weight.name for weight in gone)}: `{command}`")
    for stage, key, folder in (("face_space", "face_space.checkpoint", params.face_space.checkpoint),
                               ("extract", "speech.checkpoint", params.speech.checkpoint)):
        section = params.face_space if stage == "face_space" else params.speech
        if folder is not None and not section.untrained and not Path(folder).exists():
            yield Lack(stage, "weights", f"{key} {folder} is missing")


def _is_gone(weight: Weight) -> bool:
    """Not there; what is in the file is checked by the stage that opens it."""
    return not all(path.exists() for path in weight.parts().values())

"""`playmate finetune --data PATH --name NAME`: the shipped model, trained on with a few minutes of someone's video.

It is a project of its own (`playmate init`) with values for little data (`playmate/project/finetune.yaml`), in the
folder of a user's models. Killed, the same command goes on. What is said of the new model is measured on held-out clips
beside the model that it was started from.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import asdict, dataclass
from functools import partial, reduce
from operator import getitem
from pathlib import Path

from evaluation.jobs.mouth import MouthRow, follow, means
from feature_store.reader import ClipFeatures, ClipRow, open_store
from models.motion.clock import FPS
from pipeline.animate.own_models import FIGURES, NAME
from pipeline.components.bundle import bundle_digest, load_bundle, read_config
from pipeline.core import paths
from pipeline.core.atomic import write_json, write_text
from pipeline.core.config import Params, load_params
from pipeline.core.split_table import TEST, TRAIN, VALIDATION, clips_of, read_split
from pipeline.serve import model as served
from pipeline.tracking.registry import Candidate, clear_alias, register, set_alias
from playmate.folds import choose_by_folds, parts_of
from playmate.init import commit, make_project
from playmate.profile import with_values, yaml_editor
from playmate.tuned_share import Choice, choose_share, listen
from stages.register.artifacts import PACKAGES, artifacts_of
from stages.register.gates import Gate
from stages.register.model_card import example_request, model_card
from stages.register.stage import lineage_tags

PARAMS = Path("params.yaml")
VALUES = paths.PACKAGED / "finetune.yaml"
PIECES = 12                      # that a recording is cut into at least, so that some can be held out
PIECE_S = (4.0, 10.0)            # shortest and longest of them
FRAMES_PER_STEP, STEPS = 10, (200, 600)
SEEDS = 3
ENOUGH = 4                       # validation clips (of several people: people) to choose by; with fewer, folds do
TUNED_SHARE = ("train_audio", "trainer", "tuned_share")
STEPS_OF_TRAINING = ("train_audio", "steps")
VALIDATION_SHARE = ("split", "validation_share")
BETTER, WORSE, SAME = "better", "worse", "not better"


@dataclass(frozen=True)
class Figures:
    """r of the mouth opening on held-out clips, with their own and with the wrong speech, of both models."""

    clips: int
    seconds: float
    people: int
    base_r: float
    base_r_wrong_speech: float
    r: float
    r_wrong_speech: float

    @property
    def gain(self) -> float:
        return self.r - self.base_r

    def word(self, min_gain: float) -> str:
        """What may be said of the new model: it is better only where it gains more than noise by its own speech."""
        if self.gain < -min_gain:
            return WORSE
        return BETTER if self.gain > min_gain and self.r - self.r_wrong_speech > 0 else SAME

    def verdict(self, min_gain: float) -> str:
        """One sentence."""
        return (f"fine-tuned, {self.word(min_gain)} than the base model on {self.clips} held-out clips "
                f"(r {self.r:.2f}, base {self.base_r:.2f})")


def fine_tune(data: Sequence[str], name: str, min_gain: float, say: Callable[[str], None]) -> Figures:
    """Make the model `name`, or go on with it; raises ValueError for a bad or taken name and where a stage fails."""
    if NAME.fullmatch(name) is None:
        raise ValueError(f"--name {name!r}: letters, digits, _ and -, 64 at most")
    if not 0 <= min_gain <= 1:
        raise ValueError(f"--min-gain {min_gain:g}: a difference of r, from 0 to 1")
    folder = paths.models_folder() / name
    places = [place if place.startswith("s3://") else os.path.abspath(os.path.expanduser(place)) for place in data]
    if not folder.exists():
        _make(folder, places, name, say)
    with chdir(folder):
        params = load_params()
        known = sorted(corpus.path for corpus in params.corpora.values())
        if not all(any(path == place or path.startswith(f"{place}/") for place in places) for path in known):
            raise ValueError(f"{name} was made from {', '.join(known)}: choose another name, or move {folder} away")
        _repro("statistics")
        parts = parts_of(_rows(TRAIN, VALIDATION))
        held = clips_of(read_split(paths.SPLIT), VALIDATION)
        validating = [part for part in parts if part[0] in held]   # of people: people whole
        by_folds = len(validating) < ENOUGH
        _write_steps(by_folds)
        choice = choose_by_folds(load_params(), parts, say) if by_folds else _choose_by_validation(validating)
        say(str(choice))
        changes: dict[tuple[str, ...], float | str] = {TUNED_SHARE: choice.share}
        if by_folds and choice.share == 0:   # its weights are not taken: one step makes the files that come with them
            changes[STEPS_OF_TRAINING] = 1
        _set(changes)
        _repro("train_emotion")   # after validation clips chose it finds the training done
        params = load_params()
        figures = measure(params)
        _register(params, figures, min_gain, say)
        verdict = figures.verdict(min_gain)
        write_json(Path(FIGURES), asdict(figures) | {"verdict": verdict, "data": known, "chosen": asdict(choice)})
    for line in lines(figures, min_gain):
        say(line)
    say(f"playmate animate --model {name} uses it; its project is {folder}, where `dvc repro` makes its report")
    return figures


def _choose_by_validation(parts: Sequence[Sequence[str]]) -> Choice:
    """By the split's own validation clips, which stopped the training, too."""
    _repro("train_emotion")
    params = load_params()
    store = open_store(list(params.corpora))
    return choose_share(listen(load_bundle(paths.SHIPPED), load_bundle(paths.EMOTION_BUNDLE),
                               [[store.load(clip_id) for clip_id in part] for part in parts],
                               params.evaluate.max_lag_frames))


def lines(figures: Figures, min_gain: float) -> list[str]:
    """The figures for people."""
    word = figures.word(min_gain)
    shown = "1 person" if figures.people == 1 else f"{figures.people} people"
    return [f"held out: {figures.clips} clips, {figures.seconds:.0f} s of {shown}",
            f"base model:  r {figures.base_r:.3f}, with the wrong speech {figures.base_r_wrong_speech:.3f}",
            f"new model:   r {figures.r:.3f}, with the wrong speech {figures.r_wrong_speech:.3f}",
            f"the new model is {word} than the base model (r {figures.gain:+.3f}, asked for more than {min_gain:g})"
            + ("" if word == BETTER else "; it is kept as a candidate")]


def measure(params: Params) -> Figures:
    """Sampled motion of both models on the test clips; raises ValueError where there is none."""
    clips = _clips(params, TEST)
    if not clips:
        raise ValueError("no clip was held out for tests: data/split/split.json and data/crops/*/clips.parquet say why")
    base, new = (_follow(bundle, clips, params) for bundle in (paths.SHIPPED, paths.EMOTION_BUNDLE))
    return Figures(len(clips), sum(row.frames for row in new) / FPS, len({row.identity for row in new}),
                   *means(base), *means(new))


def _clips(params: Params, split: str) -> list[ClipFeatures]:
    store = open_store(list(params.corpora))
    return [store.load(row.clip_id) for row in store.clips(clips_of(read_split(paths.SPLIT), split))]


def _rows(*splits: str) -> list[ClipRow]:
    """What is stored of these splits, in order of clip id."""
    split = read_split(paths.SPLIT)
    return open_store(list(load_params().corpora)).clips(set[str]().union(*(clips_of(split, name) for name in splits)))


def _follow(bundle: Path, clips: Sequence[ClipFeatures], params: Params) -> list[MouthRow]:
    return list(follow(load_bundle(bundle).generator(), clips, SEEDS, params.evaluate.max_lag_frames))


def _make(folder: Path, places: Sequence[str], name: str, say: Callable[[str], None]) -> None:
    """The project, whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as making:
        new = Path(making) / name
        found = make_project(new, places, "embedded", say)
        with chdir(new):
            write_text(PARAMS, with_values(PARAMS, VALUES)[0])
            seconds = sum(corpus.seconds for corpus in found)
            shortest, longest = PIECE_S
            _set({("preprocess", "measure", "max_duration_s"): round(min(max(seconds / PIECES, shortest), longest), 1),
                  ("register", "name"): name})
            commit(f"playmate finetune --name {name}")
        new.rename(folder)
    say(f"{name}: about {seconds:.0f} s of {sum(corpus.people for corpus in found)} people in {len(found)} corpora")


def _write_steps(by_folds: bool) -> None:
    """The length of the training, by the number of its frames; what is made of it is chosen afterwards. Where folds
    choose, what would validate trains."""
    frames = sum(row.frames for row in (_rows(TRAIN, VALIDATION) if by_folds else _rows(TRAIN)))
    fewest, most = STEPS
    changes: dict[tuple[str, ...], float | str] = {
        STEPS_OF_TRAINING: min(max(math.ceil(frames / FRAMES_PER_STEP), fewest), most), TUNED_SHARE: 1.0}
    _set(changes | ({VALIDATION_SHARE: 0.0} if by_folds else {}))


def _set(changes: dict[tuple[str, ...], float | str]) -> None:
    """Change values of params.yaml, comments kept."""
    import io

    editor = yaml_editor()
    values = editor.load(PARAMS.read_text())
    for (*sections, key), value in changes.items():
        reduce(getitem, sections, values)[key] = value
    text = io.StringIO()
    editor.dump(values, text)
    write_text(PARAMS, text.getvalue())
    load_params()


def _repro(stage: str) -> None:
    found = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # dvc.yaml says `python`
    done = subprocess.run([sys.executable, "-m", "dvc", "repro", "-q", stage], env={**os.environ, "PATH": found},
                          check=False)
    if done.returncode:
        raise ValueError(f"`dvc repro {stage}` in {Path.cwd()} failed, as said above; the same command goes on")


def _register(params: Params, figures: Figures, min_gain: float, say: Callable[[str], None]) -> None:
    """A version in the project's registry; `champion` only where it is better."""
    config, name = read_config(paths.EMOTION_BUNDLE), params.register_.name
    better = figures.word(min_gain) == BETTER
    gate = Gate("mouth_r_gain", min_gain, "min", figures.gain, better)
    metrics = {f"heldout_{key}": float(value) for key, value in asdict(figures).items()}
    with tempfile.TemporaryDirectory() as scratch:
        version, _ = register(Candidate(
            name=name, digest=bundle_digest(paths.EMOTION_BUNDLE),
            artifacts=partial(artifacts_of, paths.EMOTION_BUNDLE, Path(scratch), say),
            description=model_card(name, config, params, metrics, [gate]),
            tags={**lineage_tags(params, config), "gates": "passed" if better else "refused",
                  "gates_reason": gate.reason},
            code=Path(served.__file__), packages=PACKAGES, signature=served.signature(),
            example=example_request(config, params), metrics=metrics, documents=(PARAMS, Path("dvc.lock"))))
    set_alias(name, "candidate", version)
    (set_alias if better else clear_alias)(name, "champion", version)
    say(f"registered as {name} version {version}, candidate{' and champion' if better else ''}")

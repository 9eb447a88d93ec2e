"""Register the trained models with MLflow: `python -m stages.register.stage`.

Three registered models: `<name>-audio` (stage 1), `<name>-emotion` (stage 2) and `<name>`, the one to use. The new
version is `candidate`; it becomes `champion` only where it passes the gates of `params.register`. A bundle that is
registered already keeps its version.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from evaluation.results.files import round_floats
from pipeline.components.bundle import BundleConfig, bundle_digest, read_config
from pipeline.core import paths
from pipeline.core.atomic import write_json
from pipeline.core.config import Params, load_params
from pipeline.core.fingerprint import file_sha256
from pipeline.core.stage import run_as_stage
from pipeline.serve import model as served
from pipeline.tracking.lineage import code_revision, data_version, file_digests, tree_digest
from pipeline.tracking.registry import Artifacts, Candidate, clear_alias, register, set_alias
from stages.register.artifacts import PACKAGES, artifacts_of
from stages.register.gates import Gate, check_gates, numbers
from stages.register.model_card import example_request, model_card
from stages.register.previous import Changes, changes_since_last, keep_evaluation

METRICS = "metrics.json"


@dataclass(frozen=True)
class Passed:
    """Whether a gate let a model through, and why."""

    passed: bool
    reason: str


@dataclass(frozen=True)
class Registered:
    """What `data/registration.json` says of a model."""

    version: str
    bundle_digest: str
    champion: bool
    gates: dict[str, Passed]  # by the metric that they ask for


@dataclass(frozen=True)
class Plan:
    """One model to register: its bundle and the gates that are about it."""

    name: str
    bundle: Path
    gates: list[Gate]


def main(say: Callable[[str], None] = print) -> None:
    """Register all three; raises TrackingUnavailable where the registry is away, FileNotFoundError without models."""
    params = load_params()
    metrics = read_metrics()
    name = params.register_.name
    changes = changes_since_last(name, bundle_digest(paths.EMOTION_BUNDLE), params)
    with TemporaryDirectory() as scratch:
        carried = cache(partial(artifacts_of, scratch=Path(scratch), say=say))   # two of the models are one bundle
        rows = {plan.name: _register(plan, params, metrics, changes, partial(carried, plan.bundle), say)
                for plan in plans(params, metrics)}
    keep_evaluation(name, rows[name].version, rows[name].bundle_digest)
    told = {model: asdict(row) for model, row in rows.items()}
    told[name]["changes"] = round_floats(asdict(changes))
    write_json(paths.REGISTRATION, told)


def plans(params: Params, metrics: dict[str, float]) -> list[Plan]:
    """Gates on `audio_...` metrics are about stage 1, the others about stage 2, all of them about the joint model."""
    gates = check_gates(params.register_.model_dump(), metrics)
    audio = [gate for gate in gates if gate.metric.startswith("audio_")]
    others = [gate for gate in gates if not gate.metric.startswith("audio_")]
    name = params.register_.name
    return [Plan(f"{name}-audio", paths.AUDIO_BUNDLE, audio), Plan(f"{name}-emotion", paths.EMOTION_BUNDLE, others),
            Plan(name, paths.EMOTION_BUNDLE, gates)]


def read_metrics() -> dict[str, float]:
    """Numbers of the evaluation, and of the trainings under `audio_` and `emotion_`."""
    found = numbers(_read(paths.EVALUATION / METRICS))
    for stage, folder in (("audio", paths.AUDIO_MODEL), ("emotion", paths.EMOTION_MODEL)):
        found |= {f"{stage}_{name}": value for name, value in numbers(_read(folder / METRICS)).items()}
    return found


def lineage_tags(params: Params, config: BundleConfig) -> dict[str, str]:
    """What the model was made from: code, parameters, data versions, manifests, statistics, trainings."""
    manifests = file_digests(paths.FEATURES.glob("*/manifest.json"))
    tags = {"profile": params.stamp, "untrained": ", ".join(params.untrained) or None, "stage": config.stage,
            "code_revision": code_revision(),
            "params_sha256": file_sha256(Path("params.yaml")), "dvc_lock_sha256": data_version(),
            "face_space_digest": tree_digest(paths.FACE_SPACE)}
    tags |= {f"manifest_sha256.{Path(path).parent.name}": sha256 for path, sha256 in manifests.items()}
    files = [paths.SPLIT / "split.parquet", paths.STATISTICS / "statistics.safetensors", paths.EVALUATION / METRICS]
    tags |= {f"sha256.{Path(path).name}": sha256 for path, sha256 in file_digests(files).items()}
    tags |= {f"fingerprint.{name}": value for name, value in config.fingerprints.items()}
    for stage, folder in (("audio", paths.AUDIO_MODEL), ("emotion", paths.EMOTION_MODEL)):
        tags[f"training_run.{stage}"] = _read(folder / METRICS)["run"]
    return {name: str(value) for name, value in tags.items() if value is not None}


def _register(plan: Plan, params: Params, metrics: dict[str, float], changes: Changes,
              artifacts: Callable[[], Artifacts], say: Callable[[str], None]) -> Registered:
    config, digest = read_config(plan.bundle), bundle_digest(plan.bundle)
    passed = all(gate.passed for gate in plan.gates)
    reason = "; ".join(gate.reason for gate in plan.gates) or "no gate is set"
    tags = {**lineage_tags(params, config), "gates": "passed" if passed else "refused", "gates_reason": reason}
    version, new = register(Candidate(
        name=plan.name, digest=digest, artifacts=artifacts,
        description=model_card(plan.name, config, params, metrics, plan.gates,
                               changes if plan.name == params.register_.name else None), tags=tags,
        code=Path(served.__file__), packages=PACKAGES, signature=served.signature(),
        example=example_request(config, params), metrics=metrics,
        documents=_documents(plan, params), evaluation=_evaluation(plan, params)))
    set_alias(plan.name, "candidate", version)
    (set_alias if passed else clear_alias)(plan.name, "champion", version)
    say(f"register {plan.name}: version {version}{'' if new else ' (was there)'}, candidate"
        f"{' and champion' if passed else ', not champion'}: {reason}")
    return Registered(version, digest, passed,
                      {gate.metric: Passed(gate.passed, gate.reason) for gate in plan.gates})


def _documents(plan: Plan, params: Params) -> tuple[Path, ...]:
    """Parameters and data versions of every model; the report of the joint one."""
    files = [Path("params.yaml"), Path("dvc.lock")]
    if plan.name == params.register_.name:
        files += [paths.REPORTS / "index.html", paths.REPORTS / "report.md"]
    return tuple(path for path in files if path.is_file())


def _evaluation(plan: Plan, params: Params) -> tuple[Path, ...]:
    """Per-clip rows and protocol, by which `playmate compare` tells versions apart; films of the joint model."""
    names = ["clips.parquet", "emotions.parquet", "summary.json"]
    if plan.name == params.register_.name:
        names.append("videos")
    return tuple(path for path in (paths.EVALUATION / name for name in names) if path.exists())


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `dvc repro` up to it")
    return json.loads(path.read_text())


if __name__ == "__main__":
    run_as_stage(main)

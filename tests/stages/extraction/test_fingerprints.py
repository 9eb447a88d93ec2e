"""The fingerprints cover all code, weights and parameters that enter a row, and each family its own alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import fingerprint
from pipeline.imports import direct_imports
from stages.extraction import plan
from stages.extraction.plan import MOTION_CODE, SHARED_CODE, SHARED_SPEECH_CODE, SPEECH_CODE, fingerprints

# imported by the code of a family, but no value of a row comes from there
NO_VALUES = {"motion": {"models/face_space.py", "models/landmark/render.py", "models/landmark/retarget.py"},
             "speech": set()}
CODE = [("motion", kind, (*MOTION_CODE[kind], *SHARED_CODE)) for kind in MOTION_CODE] + \
       [("speech", kind, (*SPEECH_CODE[kind], *SHARED_SPEECH_CODE)) for kind in SPEECH_CODE]


def sources(modules: tuple[str, ...]) -> set[Path]:
    found = {path for module in modules for path in fingerprint._sources(module)}
    return {path.relative_to(Path.cwd()) for path in found}


@pytest.mark.parametrize(("family", "kind", "modules"), CODE, ids=lambda value: value if isinstance(value, str) else "")
def test_a_module_that_is_imported_is_hashed_or_named_as_harmless(project, monkeypatch, family, kind, modules):
    monkeypatch.chdir(project)
    hashed = sources(modules)
    models = {path for path in hashed if path.parts[0] == "models"}  # clip.py's other imports carry no values
    reached = {path for module in models for path in direct_imports(module) if (project / path).stat().st_size}
    assert {str(path) for path in reached - hashed} <= NO_VALUES[family], kind


@pytest.fixture
def identities(monkeypatch, params):
    """Weights and parameters as `components` names them; the code is the real one."""
    face, speech = {"kind": "landmark", "fingerprint": "a"}, {"layer": 2, "weights": "b"}
    monkeypatch.setattr(plan, "face_space_identity", lambda _: dict(face))
    monkeypatch.setattr(plan, "speech_identity", lambda _: dict(speech))
    return face, speech


def changed(before: dict[str, str], params) -> set[str]:
    now = fingerprints(params)
    return {family for family in now if now[family] != before[family]}


def test_weights_and_parameters_change_their_own_family(identities, params):
    face, speech = identities
    before = fingerprints(params)
    assert changed(before, params) == set()
    speech["layer"] = 3
    assert changed(before, params) == {"speech"}
    speech["layer"], face["fingerprint"] = 2, "another basis"
    assert changed(before, params) == {"motion"}
    face["fingerprint"] = "a"
    slower = params.model_copy(update={"preprocess": params.preprocess.model_copy(update={"fps": 24})})
    assert changed(before, slower) == {"motion", "speech"}


def test_code_and_libraries_change_their_own_family(identities, params, monkeypatch):
    before = fingerprints(params)
    real = plan.code_digest
    for module, families in (("models.landmark.pose", {"motion"}), ("models.speech.whisper", {"speech"}),
                             ("stages.extraction.clip", {"motion", "speech"}), ("models.liveportrait", set())):
        monkeypatch.setattr(plan, "code_digest", lambda *names, m=module: real(*names) + "!" * (m in names))
        assert changed(before, params) == families, module
    monkeypatch.setattr(plan, "code_digest", real)
    monkeypatch.setattr(plan, "read_wav", lambda path: None)
    assert changed(before, params) == {"speech"}
    monkeypatch.setattr(plan, "version", lambda name: "0")
    assert changed(before, params) == {"motion", "speech"}

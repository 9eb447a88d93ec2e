"""The fingerprints cover all code, weights and parameters that enter a row, and each family its own alone."""

from __future__ import annotations

import pytest

from pipeline.core import fingerprint
from pipeline.core.fingerprint import CARRIERS, import_closure, module_file
from stages.extract import plan
from stages.extract.plan import MOTION_CODE, NO_VALUES, SPEECH_CODE, fingerprints


@pytest.mark.parametrize("module", sorted({*MOTION_CODE.values(), *SPEECH_CODE.values()}))
def test_what_draws_a_face_is_no_part_of_what_reads_it(module):
    drawing = {"mesh", "mouth", "teeth", "matte", "raster", "patch", "render", "generator", "warping"}
    assert not {path.stem for path in import_closure(module_file(module), apart=(*CARRIERS, *NO_VALUES))} & drawing


@pytest.fixture
def identities(monkeypatch, params):
    """Weights and parameters as `components` names them; the code is the real one."""
    face, speech = {"kind": "landmark", "motion": "a"}, {"layer": 2, "weights": "b"}
    monkeypatch.setattr(plan, "motion_identity", lambda _: dict(face))
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
    speech["layer"], face["motion"] = 2, "another basis"
    assert changed(before, params) == {"motion"}
    face["motion"] = "a"
    measure = params.preprocess.measure.model_copy(update={"fps": 24})
    slower = params.model_copy(update={"preprocess": params.preprocess.model_copy(update={"measure": measure})})
    assert changed(before, slower) == {"motion", "speech"}


def test_code_and_libraries_change_their_own_family(identities, params, monkeypatch):
    before = fingerprints(params)
    parsed = fingerprint._parse
    for module, families in (("models.landmark.pose", {"motion"}), ("models.speech.log_mel", {"speech"}),
                             ("stages.extract.clip", {"motion", "speech"}), ("models.liveportrait.space", set()),
                             ("pipeline.media.crops", {"motion", "speech"}), ("models.landmark.render", set())):
        text = (fingerprint.ROOT / module_file(module)).read_bytes()
        monkeypatch.setattr(fingerprint, "_parse", lambda source, text=text: parsed(
            source + b"\nCHANGED = 1\n" * (source == text)))
        assert changed(before, params) == families, module
    monkeypatch.setattr(fingerprint, "_parse", parsed)
    monkeypatch.setattr(plan, "version", lambda name: "0")
    assert changed(before, params) == {"motion"}

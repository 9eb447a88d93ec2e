"""The parts that params.yaml names."""

from __future__ import annotations

import pytest

from pipeline.components.face_space import make_face_space
from pipeline.components.speech import make_speech_encoder, speech_identity
from pipeline.core.data_params import Speech
from pipeline.core.fingerprint import file_sha256
from pipeline.weights.table import WeightsError, weight_sha256

WHISPER = Speech(kind="whisper", checkpoint=None, layer=2, piece_s=30.0, overlap_s=2.0)


def test_a_speech_checkpoint_that_is_not_there_is_named(tmp_path):
    section = WHISPER.model_copy(update={"kind": "wav2vec2", "checkpoint": str(tmp_path / "none")})
    with pytest.raises(WeightsError, match="none is missing"):
        make_speech_encoder(section)


def test_an_encoder_whose_weights_are_absent_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYMATE_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match=r"hubert_base_ls960 is missing.*playmate weights pull --pack paper"):
        make_speech_encoder(WHISPER.model_copy(update={"kind": "hubert"}))


def test_the_identity_of_a_folder_is_the_content_of_its_weights_not_its_place(tmp_path):
    found = []
    for place in ("a", "b"):
        folder = tmp_path / place
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"weights")
        (folder / "README.md").write_text(place)
        found.append(speech_identity(WHISPER.model_copy(update={"kind": "hubert", "checkpoint": str(folder)})))
    assert found[0] == found[1]
    assert found[0]["weights"] == {"model.safetensors": file_sha256(tmp_path / "a" / "model.safetensors")}


def test_a_file_of_whisper_has_the_identity_of_its_content(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"x")
    found = speech_identity(WHISPER.model_copy(update={"checkpoint": str(path)}))
    assert found["weights"] == {"whisper": file_sha256(path)} != {"whisper": weight_sha256("whisper_tiny_en")}
    assert "checkpoint" not in found and found["layer"] == 2


def test_a_face_space_that_was_not_made_names_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match="dvc repro face_space"):
        make_face_space("landmark", tmp_path, "cpu")

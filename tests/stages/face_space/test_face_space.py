"""The face space stage: which clips it fits on, and what the fit says of itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from models.landmark.basis import BasisSums
from pipeline.components.face_space import face_space_identity, make_face_space, motion_identity
from pipeline.core.clip_table import write_clip_table
from pipeline.core.config import parse_params
from pipeline.core.split_table import write_split
from pipeline.media.film import write_video
from stages.face_space import stage as face_space
from stages.face_space.landmark import Person, pick_clips, solve
from tests.chosen import keep_corpora
from tests.needs import weight


def rows(*clips: tuple[str, str | None]) -> list[dict]:
    return [{"clip_id": f"{i:02d}", "identity": identity, "emotion": emotion}
            for i, (identity, emotion) in enumerate(clips)]


def test_clips_are_spread_over_people_and_their_emotions():
    chosen = pick_clips(rows(*[("a", "happy")] * 5, *[("a", "sad")] * 5, ("b", None), ("c", None)), 6)
    assert [(row["identity"], row["emotion"]) for row in chosen] == [
        ("a", "happy"), ("b", None), ("c", None), ("a", "sad"), ("a", "happy"), ("a", "sad")]


def test_the_choice_does_not_depend_on_the_order_of_the_table():
    table = rows(*[("a", "happy")] * 3, *[("b", "sad")] * 3)
    assert pick_clips(table, 4) == pick_clips(table[::-1], 4)
    assert len(pick_clips(table, 100)) == 6


def person(seed: int, basis: np.ndarray, noise: float) -> Person:
    random = np.random.default_rng(seed)
    scores = random.normal(size=(500, 52))
    points = 10 * seed + scores @ basis + noise * random.normal(size=(500, basis.shape[1]))
    return Person(BasisSums.of_person(scores, points), float(((points - points.mean(0)) ** 2).sum()), [])


def test_the_fit_finds_the_basis_whoever_the_people_are():
    basis = np.random.default_rng(9).normal(size=(52, 6))
    fit = solve([person(1, basis, 0.0), person(2, basis, 0.0)], ridge=1e-6)
    np.testing.assert_allclose(fit.basis, basis, atol=1e-4)
    assert fit.r2 == pytest.approx(1.0, abs=1e-6) and fit.frames == 1000


def test_r2_is_the_explained_share_of_variance():
    basis = np.random.default_rng(9).normal(size=(52, 6))
    noise = np.sqrt((basis**2).sum(0).mean())  # as much noise as motion
    fit = solve([person(1, basis, noise), person(2, basis, noise)], ridge=1e-6)
    assert fit.r2 == pytest.approx(0.5, abs=0.06)


def test_no_face_in_any_clip_is_an_error():
    with pytest.raises(ValueError, match="no face was found"):
        solve([], 1.0)


def write_project(media: Path, project: Path) -> None:
    """Two clips of one real face and one clip of none, all in the training split."""
    import decord

    folder = Path("data/crops/avspeech")
    frames = decord.VideoReader(str(media / "talking" / "styletalk_Obama_clip1.mp4")).get_batch(range(40)).asnumpy()
    for i, part in enumerate((frames[:20], frames[20:], np.zeros((10, 64, 64, 3), np.uint8))):
        write_video(folder / f"{i}.mp4", part, 25)
    write_clip_table(folder / "clips.parquet", [
        {"clip_id": str(i), "corpus": "avspeech", "identity": "avspeech/p", "status": "kept"} for i in range(3)])
    write_split(Path("data/split"), [{"clip_id": str(i), "split": "train"} for i in range(3)])
    shutil.copy(project / "params.yaml", ".")


@pytest.mark.media
@pytest.mark.slow
def test_the_stage_on_real_faces(media, project, tmp_path, monkeypatch):
    weight("face_landmarker")
    monkeypatch.chdir(tmp_path)
    write_project(media, project)
    values = yaml.safe_load(Path("params.yaml").read_text())
    keep_corpora(values, "avspeech")
    monkeypatch.setattr(face_space, "load_params", lambda: parse_params(values))
    face_space.main(lambda _: None)
    folder = Path("data/face_space")
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    described = json.loads(first["face_space.json"])
    assert described["frames"] == 20 and 0.3 < described["r2"] < 1
    assert [reject["clip_id"] for reject in described["rejects"]] == ["2"]
    assert make_face_space("landmark", folder, "cpu").num_keypoints == described["num_keypoints"]
    assert face_space_identity(folder)["fingerprint"] == described["fingerprint"]
    with pytest.raises(ValueError, match=r"asks for 'liveportrait'"):
        make_face_space("liveportrait", folder, "cpu")
    face_space.main(lambda _: None)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first


def test_the_face_space_of_a_bundle_is_kept_as_it_is(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = project / "pretrained/embedded"
    face_space.keep(shipped, "landmark", print)
    kept = Path("data/face_space")
    assert (kept / "face_space.safetensors").read_bytes() == (
        shipped / "face_space/face_space.safetensors").read_bytes()
    identity = face_space_identity(kept)
    assert identity == face_space_identity(shipped / "face_space")
    assert motion_identity(kept) == {"kind": "landmark", "motion": identity["fingerprint"]}
    with pytest.raises(ValueError, match=r"its face space is landmark, face_space.kind liveportrait"):
        face_space.keep(shipped, "liveportrait", print)

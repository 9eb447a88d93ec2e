"""Which model is used when none is named."""

from __future__ import annotations

import json

import pytest

from pipeline.animate import load as default_model
from pipeline.animate.load import CHAMPION
from pipeline.core import paths


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project; `bundle(folder)` puts a bundle there, whose digest is its text."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(default_model, "bundle_digest", lambda folder: (folder / "bundle.json").read_text())
    monkeypatch.setattr(paths, "PACKAGED", tmp_path / "package")
    monkeypatch.setattr(default_model, "_registry_has_champion", lambda: pytest.fail("the registry was asked"))
    return tmp_path


def bundle(folder, digest: str) -> None:
    folder.mkdir(parents=True)
    (folder / "bundle.json").write_text(digest)


def registered(champion: bool, digest: str) -> None:
    paths.REGISTRATION.write_text(json.dumps({"playmate": {"champion": champion, "bundle_digest": digest}}))


def test_without_any_model_the_error_says_what_to_do(project):
    with pytest.raises(FileNotFoundError, match="make demo"):
        default_model.default_model()


def test_the_shipped_one_where_nothing_was_trained(project):
    bundle(paths.SHIPPED, "s")
    assert default_model.default_model().model == str(paths.SHIPPED)


def test_outside_a_project_the_one_that_comes_with_the_package(project):
    bundle(paths.PACKAGED / paths.SHIPPED, "s")
    assert default_model.default_model().model == str(paths.PACKAGED / paths.SHIPPED)


def test_the_champion_of_this_project_needs_no_registry(project):
    bundle(paths.SHIPPED, "s")
    bundle(paths.EMOTION_BUNDLE, "a")
    assert default_model.default_model().model == str(paths.EMOTION_BUNDLE)
    registered(True, "a")
    choice = default_model.default_model()
    assert (choice.model, choice.reason) == (str(paths.EMOTION_BUNDLE), "the registered champion")


@pytest.mark.parametrize(("champion", "digest"), [(False, "a"), (True, "older")])
@pytest.mark.parametrize("has_champion", [True, False])
def test_a_refused_or_newer_model_gives_way_to_an_older_champion(project, monkeypatch, champion, digest, has_champion):
    bundle(paths.EMOTION_BUNDLE, "a")
    registered(champion, digest)
    monkeypatch.setattr(default_model, "_registry_has_champion", lambda: has_champion)
    assert default_model.default_model().model == (CHAMPION if has_champion else str(paths.EMOTION_BUNDLE))

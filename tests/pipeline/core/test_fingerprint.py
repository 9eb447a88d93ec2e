"""Digests of code: a changed computation always changes them; a comment, a moved or a joined file never does."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

import pytest

from pipeline.core import fingerprint
from pipeline.core.fingerprint import (
    CARRIERS,
    PACKAGES,
    ROOT,
    code_of,
    digest,
    import_closure,
    module_file,
    stage_modules,
)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write modules below a root that takes the project's place; `None` removes one."""
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)

    def put(**modules: str | None) -> None:
        for name, text in modules.items():
            path = tmp_path / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(textwrap.dedent(text))
        fingerprint._files.cache_clear()
        fingerprint._parse.cache_clear()

    yield put
    fingerprint._files.cache_clear()
    fingerprint._parse.cache_clear()


USER = """
    from models.view import turn

    def film():
        return turn() + 1
"""
CAMERA = """
    import math

    RATE = 25

    def turn():
        return math.pi * RATE
"""


def test_a_comment_a_docstring_a_position_and_an_empty_line_change_nothing(write):
    write(stages__films=USER, models__view=CAMERA)
    before = code_of("stages.films")
    write(models__view='"""What it is."""\n# why\n\n' + textwrap.dedent(CAMERA).replace("():", '():\n    """Doc."""'))
    assert code_of("stages.films") == before


def test_a_moved_and_a_joined_file_change_nothing(write):
    write(stages__films=USER, models__view=CAMERA)
    before = code_of("stages.films")
    write(models__view=None, models__motion__look=CAMERA,
          stages__films=USER.replace("models.view", "models.motion.look"))
    assert code_of("stages.films") == before
    joined = textwrap.dedent(CAMERA) + textwrap.dedent(USER).replace("from models.view import turn\n", "")
    write(models__motion__look=None, stages__films=None, stages__made__all=joined)
    assert code_of("stages.made.all") == before


@pytest.mark.parametrize(("old", "new"), [("RATE = 25", "RATE = 24"), ("math.pi * RATE", "math.pi + RATE"),
                                          ("import math", "import cmath as math"), ("def turn():", "def turn(x=0):")])
def test_a_changed_computation_changes_the_digest_of_all_that_import_it(write, old, new):
    write(stages__films=USER, models__view=CAMERA)
    before = code_of("stages.films")
    write(models__view=CAMERA.replace(old, new))
    assert code_of("stages.films") != before


def test_carriers_and_what_is_apart_are_left_out_with_all_that_they_alone_import(write):
    write(stages__films="from pipeline.storage.s3 import get\nfrom models.look import show\nX = get(show)\n",
          pipeline__storage__s3="TRIES = 3\n", models__look="from models.paint import RED\n", models__paint="RED = 1\n")
    before, bare = code_of("stages.films"), code_of("stages.films", apart=("models.look",))
    write(pipeline__storage__s3="TRIES = 5\n")
    assert code_of("stages.films") == before
    write(models__paint="RED = 2\n")
    assert code_of("stages.films") != before
    assert code_of("stages.films", apart=("models.look",)) == bare


def test_a_process_that_is_started_by_its_name_is_an_import(write):
    write(stages__films="START = 'models.child'\n", models__child="X = 1\n")
    before = code_of("stages.films")
    write(models__child="X = 2\n")
    assert code_of("stages.films") != before
    write(stages__films="START = 'models.child.and.more'\n")
    assert {str(path) for path in import_closure(module_file("stages.films"))} == {"stages/films.py"}


def test_no_source_is_an_error_that_names_the_module():
    with pytest.raises(ValueError, match=r"no source for module models\.nothing"):
        code_of("models.nothing")


@pytest.mark.slow
def test_for_every_stage_a_changed_constant_in_each_module_that_it_imports_changes_its_digest(tmp_path, monkeypatch):
    for package in PACKAGES:
        if (ROOT / package).is_dir():
            shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    modules = stage_modules()
    before = {name: code_of(module) for name, module in modules.items()}
    assert before == {name: code_of(module) for name, module in modules.items()}
    users: dict[Path, list[str]] = {}
    for name, module in modules.items():
        for path in import_closure(module_file(module), apart=CARRIERS):
            users.setdefault(path, []).append(name)
    assert len(users) > 100
    for path, names in users.items():
        text = (tmp_path / path).read_text()
        (tmp_path / path).write_text(text + "\n# a comment\n")
        assert code_of(modules[names[0]]) == before[names[0]], path
        (tmp_path / path).write_text(text + "\nCHANGED = 1\n")
        unchanged = [name for name in names if code_of(modules[name]) == before[name]]
        assert not unchanged, f"{path} changed, and not the code of {unchanged}"
        (tmp_path / path).write_text(text)


def test_digest_ignores_the_order_of_keys_and_refuses_nan():
    assert digest({"a": 1, "b": [2, 3]}) == digest({"b": [2, 3], "a": 1}) != digest({"a": 1, "b": [3, 2]})
    with pytest.raises(ValueError, match="JSON"):
        digest(float("nan"))

"""Modules of a package that does not start, and the whole package for whoever asks later."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest

from models.formats.bare import bare


@pytest.fixture
def package(tmp_path, monkeypatch):
    """`heavy`, whose start counts, with `heavy.inner.part`."""
    inner = tmp_path / "heavy" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "heavy" / "__init__.py").write_text("import heavy.inner.part\nstarted = True\n")
    (inner / "__init__.py").write_text("started = True\n")
    (inner / "part.py").write_text("from heavy.inner import other\nvalue = other.value + 1\n")
    (inner / "other.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "heavy"]:
        del sys.modules[name]


def test_a_module_comes_without_its_packages_and_they_come_whole_later(package):
    with bare("heavy", "heavy.inner"):
        part = importlib.import_module("heavy.inner.part")
        assert not hasattr(sys.modules["heavy"], "started") and not hasattr(sys.modules["heavy.inner"], "started")
    assert part.value == 2 and not [name for name in sys.modules if name.startswith("heavy")]
    heavy = importlib.import_module("heavy")
    assert heavy.started and heavy.inner.started and heavy.inner.part.value == 2


def test_a_package_that_was_imported_is_left_as_it_is(package):
    heavy = importlib.import_module("heavy")
    with bare("heavy", "heavy.inner"):
        assert sys.modules["heavy"] is heavy
    assert sys.modules["heavy"] is heavy and sys.modules["heavy.inner"] is heavy.inner


def test_what_is_not_there_is_named_and_nothing_is_left(package):
    with pytest.raises(ModuleNotFoundError, match=r"heavy\.missing") as error, bare("heavy", "heavy.missing"):
        pass
    assert error.value.name == "heavy.missing" and "heavy" not in sys.modules


def test_the_mesh_is_triangulated_by_scipys_own():
    from scipy.spatial import Delaunay

    from models.landmark import mesh

    points = np.random.default_rng(0).random((50, 2))
    assert np.array_equal(mesh.Delaunay(points).simplices, Delaunay(points).simplices)

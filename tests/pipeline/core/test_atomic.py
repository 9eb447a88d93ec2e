"""A file is whole or absent, also when the writer fails half way."""

from __future__ import annotations

import pytest

from pipeline.core.atomic import atomic_path, link_or_copy, write_json


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_json_is_sorted_and_refuses_nan(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": 2})
    assert (tmp_path / "a.json").read_text() == '{\n "a": 2,\n "b": 1\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "b.json", {"a": float("nan")})
    assert not (tmp_path / "b.json").exists()


@pytest.mark.parametrize("linked", [True, False])
def test_a_file_is_linked_or_copied_over_what_was_there(tmp_path, monkeypatch, linked):
    source, target = tmp_path / "a.mp4", tmp_path / "deep" / "b.mp4"
    source.write_bytes(b"new")
    target.parent.mkdir()
    target.write_bytes(b"old")
    if not linked:
        def refuse(*paths):
            raise OSError("no hard links here")

        monkeypatch.setattr("os.link", refuse)
    for _ in range(2):  # the second time both names are the same file
        link_or_copy(source, target)
    assert target.read_bytes() == b"new" and target.samefile(source) == linked
    assert [path.name for path in target.parent.iterdir()] == ["b.mp4"]

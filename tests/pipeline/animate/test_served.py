"""Which files a request may name."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pipeline.animate.served import PlaymateModel, allowed_path


def test_paths_below_the_root_alone(tmp_path):
    root, secret = tmp_path / "media", tmp_path / "secret.png"
    (root / "sub").mkdir(parents=True)
    secret.write_text("x")
    (root / "sub" / "face.png").write_text("x")
    (root / "link.png").symlink_to(secret)
    assert allowed_path(root, "sub/face.png", "portrait") == root / "sub" / "face.png"
    assert allowed_path(root, str(root / "sub" / "face.png"), "portrait") == root / "sub" / "face.png"
    for bad in ("../secret.png", str(secret), "link.png", "sub", "none.png", "sub/../../secret.png", ""):
        with pytest.raises(ValueError, match="no file of the folder"):
            allowed_path(root, bad, "portrait")
    with pytest.raises(ValueError, match="portrait_path is not allowed here"):
        allowed_path(None, "sub/face.png", "portrait")


def test_a_text_in_place_of_bytes_is_no_path(tmp_path):
    model = PlaymateModel()
    model.root, model.credentials, model.animator = None, False, SimpleNamespace()
    with pytest.raises(ValueError, match="portrait must be bytes"):
        model._input({"portrait": "/etc/passwd"}, "portrait")
    with pytest.raises(ValueError, match="the request has no speech"):
        model._input({}, "speech")
    with pytest.raises(ValueError, match="1 to 1000"):
        model._video({"portrait": b"x", "speech": b"x", "steps": 10**9})
    with pytest.raises(ValueError, match="takes generated or still"):
        model._video({"portrait": b"x", "speech": b"x", "pose": "/etc/passwd"})

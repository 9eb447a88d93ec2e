"""Profiles: `playmate profile NAME` writes the values of profiles/NAME.yaml into params.yaml, comments kept.

All profiles name the same keys, so that choosing one after another leaves nothing of the first behind. Every key can be
changed by hand afterwards; what no profile names (corpora, thresholds) stays as it is.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pipeline.core.atomic import write_text
from pipeline.core.config import ParamsError, parse_params

PROFILES, PARAMS = Path("profiles"), Path("params.yaml")


def names() -> list[str]:
    """The profiles of this project."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def apply(name: str, path: Path = PARAMS) -> list[str]:
    """Write a profile's values into `path` and return a line for each changed key; raises ParamsError."""
    if name not in names():
        raise ParamsError(f"there is no profile {name!r}: choose one of {', '.join(names())}")
    editor = _editor()
    wanted = editor.load((PROFILES / f"{name}.yaml").read_text())  # numbers keep their spelling
    values = editor.load(path.read_text())
    changes = []
    for keys, value in leaves(wanted):
        section = values
        for key in keys[:-1]:
            section = section[key]
        if keys[-1] not in section:
            raise ParamsError(f"profiles/{name}.yaml names {'.'.join(keys)}, which {path} does not have")
        if section[keys[-1]] != value:
            changes.append(f"{'.'.join(keys)}: {_shown(section[keys[-1]])} -> {_shown(value)}")
            section[keys[-1]] = value
    written = io.StringIO()
    editor.dump(values, written)
    parse_params(yaml.safe_load(written.getvalue()), f"{path} with profile {name}")
    if changes:
        write_text(path, written.getvalue())
    return changes


def leaves(values: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(("section", "key"), value) of nested values."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _editor():
    from ruamel.yaml import YAML

    editor = YAML()
    editor.preserve_quotes, editor.width = True, 4096
    editor.representer.add_representer(type(None), lambda dumper, _: dumper.represent_scalar(
        "tag:yaml.org,2002:null", "null"))
    return editor


def _shown(value: Any) -> str:
    return "null" if value is None else str(value)

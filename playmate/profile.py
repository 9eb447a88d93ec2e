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
from pipeline.core.config import Params, ParamsError, parse_params
from pipeline.core.paths import PACKAGED

PARAMS = Path("params.yaml")


def folder() -> Path:
    """Where profiles lie: in the project, else in the package."""
    own = Path("profiles")
    return own if own.is_dir() else PACKAGED / "profiles"


def names() -> list[str]:
    """The profiles of this project."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def apply(name: str, path: Path = PARAMS) -> list[str]:
    """Write a profile's values into `path` and return a line for each changed key; raises ParamsError."""
    text, changes = with_profile(name, path)
    if changes:
        write_text(path, text)
    return changes


def params_with(name: str) -> Params:
    """The parameters of this project, outside of one the package's, as a profile would change them."""
    path = PARAMS if PARAMS.exists() else PACKAGED / PARAMS.name
    return parse_params(yaml.safe_load(with_profile(name, path)[0]), f"{path} with profile {name}")


def with_profile(name: str, path: Path) -> tuple[str, list[str]]:
    """`path`'s text with a profile's values, and a line for each changed key; raises ParamsError."""
    if name not in names():
        raise ParamsError(f"there is no profile {name!r}: choose one of {', '.join(names())}")
    return with_values(path, folder() / f"{name}.yaml")


def with_values(path: Path, given: Path) -> tuple[str, list[str]]:
    """`path`'s text with the values of the YAML file `given`, comments kept, and a line for each changed key.

    Raises ParamsError.
    """
    editor = yaml_editor()
    wanted = editor.load(given.read_text())  # numbers keep their spelling
    values = editor.load(path.read_text())
    changes = []
    for keys, value in leaves(wanted):
        section = values
        for key in keys[:-1]:
            section = section[key]
        if keys[-1] not in section:
            raise ParamsError(f"{given.parent.name}/{given.name} names {'.'.join(keys)}, which {path} does not have")
        if section[keys[-1]] != value:
            changes.append(f"{'.'.join(keys)}: {_as_text(section[keys[-1]])} -> {_as_text(value)}")
            section[keys[-1]] = value
    written = io.StringIO()
    editor.dump(values, written)
    parse_params(yaml.safe_load(written.getvalue()), f"{path} with profile {given.stem}")
    return written.getvalue(), changes


def leaves(values: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(("section", "key"), value) of nested values."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def yaml_editor():
    """An editor that keeps comments and the spelling of what it does not change."""
    from ruamel.yaml import YAML

    editor = YAML()
    editor.preserve_quotes, editor.width = True, 4096
    editor.representer.add_representer(type(None), lambda dumper, _: dumper.represent_scalar(
        "tag:yaml.org,2002:null", "null"))
    return editor


def _as_text(value: Any) -> str:
    return "null" if value is None else str(value)

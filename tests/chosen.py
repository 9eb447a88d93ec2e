"""Values of params.yaml with other corpora, for tests."""

from __future__ import annotations

from pathlib import Path


def keep_corpora(values: dict, *names: str, **uses: list[str]) -> None:
    """Leave these corpora alone in `values`; `uses`: what some of them are for instead."""
    values["corpora"] = {name: values["corpora"][name] | ({"use": uses[name]} if name in uses else {})
                         for name in (*names, *(name for name in uses if name not in names))}


def raw_in(values: dict, root: Path | str) -> None:
    """Let every corpus lie in a folder of its name below `root`."""
    for name, corpus in values["corpora"].items():
        corpus["path"] = f"{root}/{name}"


def change(values: dict, changes: dict) -> None:
    """Write nested `changes` into nested `values`; keys that are not named stay."""
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            change(values[key], value)
        else:
            values[key] = value

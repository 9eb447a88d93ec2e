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

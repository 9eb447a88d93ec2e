"""Which reader fits a folder, by the lists and names in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from stages.preprocess.readers.acappella import COLUMNS, MANIFESTS
from stages.preprocess.readers.avspeech import SEGMENT
from stages.preprocess.readers.clips_metadata import metadata_files
from stages.preprocess.readers.clips_shards import shards
from stages.preprocess.readers.folder import Folder
from stages.preprocess.readers.manifests import csv_rows
from stages.preprocess.readers.mead import EAT, FLAT, TREE
from stages.preprocess.readers.raw import open_raw

CLIPS = "clips"
DATASETS = ("avspeech", "celebv_text", "acappella", "mead", "mafw", "hdtf")


def guess_reader(folder: Folder) -> str | None:
    """The reader of one folder; None where there is nothing to read."""
    if metadata_files(folder):
        return CLIPS
    listed = next((reader for reader, is_so in _LISTS if is_so(folder)), None)
    if listed:
        return listed
    if _most(folder.videos, lambda name: TREE.fullmatch(name) or any(
            form.fullmatch(PurePosixPath(name).stem) for form in (FLAT, EAT))):
        return "mead"
    if _most(folder.videos, lambda name: SEGMENT.fullmatch(PurePosixPath(name).stem)):
        return "avspeech"
    return CLIPS if folder.videos or folder.tables or shards(folder) else None


def datasets_in(root: Path) -> dict[str, str]:
    """Folder name -> reader where `root` holds several kinds of folders, or one named as a dataset is; else nothing."""
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    found = {name: reader for name in names if (reader := _reader_below(root, name))}
    kinds = set(found.values())
    several = len(kinds) > 1 and kinds & set(DATASETS)
    return found if several or set(found) & set(DATASETS) else {}


def _reader_below(root: Path, name: str) -> str | None:
    if name in DATASETS:
        return name
    folder = open_raw(name, str(root / name)).folder
    return guess_reader(folder) if folder.videos or folder.tables or shards(folder) else None  # a list alone is none


def _most(names: list[str], fits) -> bool:
    return bool(names) and 2 * sum(bool(fits(name)) for name in names) > len(names)


def _is_acappella(folder: Folder) -> bool:
    return any(set(COLUMNS) <= set(next((cells for _, cells in csv_rows(path)), []))
               for name in MANIFESTS for path in folder.manifests(name))


def _is_mafw(folder: Folder) -> bool:
    texts: Iterable[Path] = folder.manifests("train.txt")
    return bool(folder.manifest("single_set.xlsx", "single-set.xlsx")) or any(
        {"no_caption", "with_caption"} & set(path.parts) for path in texts)


_LISTS = (
    ("hdtf", lambda folder: any(re.fullmatch(r"(RD|WDA|WRA)_annot(at)?ion_time\.txt", path.name)
                                for path in folder.manifests("*_time.txt"))),
    ("mafw", _is_mafw),
    ("celebv_text", lambda folder: bool(folder.manifest("celebvtext_info.json", "celebv*_info.json"))),
    ("avspeech", lambda folder: any("avspeech" in path.name.lower() for path in folder.manifests("*.csv"))),
    ("acappella", _is_acappella),
)

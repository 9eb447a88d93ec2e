"""Any folder of videos: with a list (`metadata.csv`, `.jsonl`, `.parquet`) or without, in tar shards, in Parquet files.

Without a list every video is taken. Who speaks is what the list says, else the first folder below the root where every
video lies in one, else each file is a person of its own; folders `train`, `validation`, `test` around all are nobody.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from stages.preprocess.readers.clips_columns import SPLITS, BadColumn, Described, describe
from stages.preprocess.readers.clips_metadata import STEM, Listed, listed_rows, metadata_files, unread_lists
from stages.preprocess.readers.clips_shards import Sample, shard_samples, shards
from stages.preprocess.readers.clips_tables import Cells, table_cells
from stages.preprocess.readers.folder import Folder, is_hidden
from stages.preprocess.readers.rows import ClipRow, RejectRow, Row


def read(folder: Folder) -> Iterator[Row]:
    """Rows of the lists, else of every video; of every sample of tar shards; of every row of Parquet files."""
    visible = [name for name in folder.videos if not is_hidden(name)]
    for name in folder.videos:
        if is_hidden(name):
            folder.use(name)
            yield folder.reject(name, name, "hidden", "its name or its folder's begins with a dot: a system's own file")
    lists = metadata_files(folder)
    if lists:
        yield from _from_lists(folder, lists, visible)
    else:
        yield from _from_names(folder, visible)
    yield from _from_shards(folder)
    for name in folder.tables:
        if PurePosixPath(name).stem != STEM:
            yield from (_of_cells(folder, cells) for cells in table_cells(folder, name))
    yield from unread_lists(folder)
    yield from folder.leftovers(unlisted=bool(lists))


def people(names: Iterable[str]) -> dict[str, tuple[str, str | None]]:
    """Name -> (person, split) as the folders say it: the first folder where all have one, else the file itself."""
    parts = {name: PurePosixPath(name).parts for name in names}
    splits = {name: SPLITS.get(path[0].lower()) if len(path) > 1 else None for name, path in parts.items()}
    if parts and all(splits.values()):
        parts = {name: path[1:] for name, path in parts.items()}
    else:
        splits = dict.fromkeys(parts)
    in_folders = all(len(path) > 1 for path in parts.values())
    return {name: (path[0] if in_folders else str(PurePosixPath(name).with_suffix("")), splits[name])
            for name, path in parts.items()}


def _from_names(folder: Folder, videos: list[str]) -> Iterator[Row]:
    sounds = _sounds_beside(folder)
    for name, (person, split) in people(videos).items():
        yield _clip(folder, name, name, _use(folder, sounds.get(_without_suffix(name))),
                    Described(person=person, split=split))


def _from_lists(folder: Folder, lists: list[str], videos: list[str]) -> Iterator[Row]:
    rows = [row for manifest in lists for row in listed_rows(folder, manifest)]
    by_name, sounds, sound_names = _Names(videos), _sounds_beside(folder), _Names(folder.sounds)
    known = people(found for row in rows if isinstance(row, Listed) and (found := by_name.find(row.name)))
    for row in rows:
        if isinstance(row, RejectRow):
            yield row
        elif (name := by_name.find(row.name)) is None:
            yield folder.reject(row.name, row.manifest, "missing_media",
                                f"line {row.line}: no video {row.name[:200]!r}")
        else:
            folder.use(name)
            yield _of_list(folder, row, name, sounds, sound_names, known)


def _of_list(folder: Folder, row: Listed, name: str, sounds, sound_names, known) -> Row:
    try:
        said = describe(row.values)
    except BadColumn as error:
        return folder.reject(name, row.manifest, error.code, f"line {row.line}: {error.detail}")
    if said.audio is None:
        audio = sounds.get(_without_suffix(name))
    else:
        audio = sound_names.find(row.beside(said.audio))
        if audio is None:
            return folder.reject(name, row.manifest, "missing_media",
                                 f"line {row.line}: no sound file {said.audio[:200]!r}")
    person, split = known[name]
    return _clip(folder, name, name, _use(folder, audio), said, said.person or person, said.split or split)


def _from_shards(folder: Folder) -> Iterator[Row]:
    found = [row for shard in shards(folder) for row in shard_samples(folder, shard)]
    known = people({sample.member for sample in found if isinstance(sample, Sample)})
    in_folders = people({sample.shard for sample in found if isinstance(sample, Sample)})
    for row in found:
        if isinstance(row, RejectRow):
            yield row
            continue
        person, split = known[row.member]
        key = f"{row.shard}/{row.member}"
        if person == _without_suffix(row.member):   # of no folder: two shards may count from 0
            person = _without_suffix(key)
        yield _described_clip(folder, key, row.media, row.audio, row.values, row.shard, person,
                              split or in_folders[row.shard][1])


def _of_cells(folder: Folder, row: Cells | RejectRow) -> Row:
    if isinstance(row, RejectRow):
        return row
    return _described_clip(folder, row.key, row.media, row.audio, row.values, row.key, row.key, None)


def _described_clip(folder: Folder, key: str, media: str, audio: str | None, values, source: str, person: str,
                    split: str | None) -> Row:
    """The row of a packed clip; `person` and `split` where its own columns do not say them."""
    try:
        said = describe(values)
    except BadColumn as error:
        return folder.reject(key, source, error.code, error.detail)
    return _clip(folder, key, media, audio, said, said.person or person, said.split or split)


def _clip(folder: Folder, key: str, media: str, audio: str | None, said: Described, person: str | None = None,
          split: str | None = None) -> ClipRow:
    return ClipRow(folder.corpus, key, media, f"{folder.corpus}/{person or said.person}", audio, said.start_s,
                   said.end_s, emotion=said.emotion, level=said.level, language=said.language,
                   official_split=split or said.split)


def _use(folder: Folder, name: str | None) -> str | None:
    if name is not None:
        folder.use(name)
    return name


def _sounds_beside(folder: Folder) -> dict[str, str]:
    """Path of a video without its suffix -> the sound file beside it."""
    return {_without_suffix(name): name for name in reversed(folder.sounds)}


def _without_suffix(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


class _Names:
    """Names of files, found as a list writes them: an umlaut as one letter or, as Macs do, as two; and, where one file
    alone fits, in letters of another case, as Windows takes them."""

    def __init__(self, names: Iterable[str]):
        self._same, loose = {}, Counter[str]()
        for name in names:
            self._same[unicodedata.normalize("NFC", name)] = name
            loose[unicodedata.normalize("NFC", name).casefold()] += 1
        self._any_case = {key.casefold(): name for key, name in self._same.items() if loose[key.casefold()] == 1}

    def find(self, name: str) -> str | None:
        """The file's own name."""
        key = unicodedata.normalize("NFC", name)
        return self._same.get(key) or self._any_case.get(key.casefold())

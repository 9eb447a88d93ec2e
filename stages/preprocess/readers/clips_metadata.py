"""`metadata.csv`, `.jsonl` and `.parquet` beside videos: the Hugging Face *VideoFolder* convention.

Each row names a file by its path from the list's own folder, in a column `file_name`.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.storage.s3_errors import S3Unavailable
from stages.preprocess.readers.clips_columns import COLUMNS
from stages.preprocess.readers.folder import Folder, is_hidden, is_unsafe_path
from stages.preprocess.readers.manifests import MAX_LINE, lines, read_text
from stages.preprocess.readers.rows import CorpusError, RejectRow

STEM, NAME = "metadata", "file_name"
NAME_COLUMNS = (NAME, "video_file_name")
TEXTS = (".csv", ".tsv", ".jsonl")      # read before a table of the same folder
NOT_READ = (".xlsx", ".xls", ".ods", ".numbers", ".json", ".txt")   # that people keep lists in
PREAMBLE = re.compile(r"(?:[\s,;]*\n|\"?sep=.\"?\s*\n)*", re.IGNORECASE)   # blank lines; Excel's own first line
SEPARATORS = (",", ";", "\t")   # table programs of half the world write semicolons
BATCH = 1000


@dataclass(frozen=True)
class Listed:
    """One row of a list. `name`: of the video, from the corpus' root."""

    manifest: str
    line: int
    name: str
    values: dict[str, object]

    def beside(self, name: str) -> str:
        """A name that the list holds, from the corpus' root."""
        return _from_root(self.manifest, name)


def metadata_files(folder: Folder) -> list[str]:
    """The lists, one a folder."""
    found = [name for suffix in TEXTS for name in _files_named(folder, suffix)]
    found += [name for name in folder.tables if PurePosixPath(name).stem == STEM]
    first = {str(PurePosixPath(name).parent): name for name in reversed(found) if not is_hidden(name)}
    return sorted(first.values())


def unread_lists(folder: Folder) -> Iterator[RejectRow]:
    """A row for every file that looks like a list and is none that is read, in a folder without one."""
    read = {str(PurePosixPath(name).parent) for name in metadata_files(folder)}
    for name in (name for suffix in NOT_READ for name in _files_named(folder, suffix)):
        if str(PurePosixPath(name).parent) not in read and not is_hidden(name):
            yield folder.reject(name, name, "bad_manifest", f"a list is {STEM}.csv, .tsv, .jsonl or .parquet: save it "
                                                            "as one of them")


def _files_named(folder: Folder, suffix: str) -> list[str]:
    """Names of files `metadata` with this suffix, in letters of any case."""
    pattern = "".join(f"[{mark}{mark.upper()}]" if mark.isalpha() else mark for mark in f"{STEM}{suffix}")
    return [path.relative_to(folder.root).as_posix() for path in folder.manifests(pattern)]


def listed_rows(folder: Folder, manifest: str) -> Iterator[Listed | RejectRow]:
    """A row for every line; raises CorpusError where the list is none or has no column `file_name`."""
    for line, values in _values(folder, manifest):
        if isinstance(values, str):
            yield folder.reject(f"{manifest}:{line}", manifest, "bad_manifest_row", f"line {line}: {values}")
            continue
        given = next((str(values[key]) for key in values if _is_name(key) and values[key]), "")
        inside = given.strip().removeprefix(f"{folder.root}/")   # whole paths of this very folder
        name = _from_root(manifest, given) if inside == given.strip() else inside
        if not given:
            yield folder.reject(f"{manifest}:{line}", manifest, "bad_manifest_row", f"line {line}: no {NAME}")
        elif is_unsafe_path(name):
            yield folder.reject(f"{manifest}:{line}", manifest, "unsafe_path",
                                f"line {line}: {given[:100]!r} leaves the corpus folder")
        else:
            yield Listed(manifest, line, name, values)


def _from_root(manifest: str, name: str) -> str:
    name = name.strip().replace("\\", "/")
    while name.startswith("./"):
        name = name[2:]
    above = str(PurePosixPath(manifest).parent)
    return name if above == "." or name.startswith("/") else f"{above}/{name}"


def _is_name(column: str) -> bool:
    return column.strip().lower() in NAME_COLUMNS


def _values(folder: Folder, manifest: str) -> Iterator[tuple[int, dict[str, object] | str]]:
    """(line, its columns), or (line, why it is no row)."""
    suffix = PurePosixPath(manifest).suffix.lower()
    if suffix in (".csv", ".tsv"):
        return _csv(folder.root / manifest)
    return _json_lines(folder.root / manifest) if suffix == ".jsonl" else _parquet(folder, manifest)


def _csv(path: Path) -> Iterator[tuple[int, dict[str, object] | str]]:
    whole = read_text(path)
    text = whole[PREAMBLE.match(whole).end():]   # type: ignore[union-attr]
    before, first = whole.count("\n") - text.count("\n"), text.partition("\n")[0].rstrip("\r")
    headers = {mark: next(csv.reader([first[:MAX_LINE]], delimiter=mark), []) for mark in SEPARATORS}
    mark = next((mark for mark, header in headers.items() if any(map(_is_name, header))), None)
    if mark is None:
        raise CorpusError(f"{path}: no column {NAME} in its first line {first[:100]!r}: name the column of the videos' "
                          f"paths so, or take the file away where it is no list of videos")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)  # cells may hold line ends
    header = next(reader)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield before + reader.line_num, str(error)
        else:
            if any(cell.strip() for cell in row):
                yield before + reader.line_num, dict(zip(header, row, strict=False))


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, object] | str]]:
    has_name = False
    for line, text in enumerate(lines(path), start=1):
        if not text.strip():
            continue
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield line, f"not JSON: {error}"
            continue
        if not isinstance(values, dict):
            yield line, f"a {type(values).__name__}, not a dictionary"
            continue
        has_name = has_name or any(map(_is_name, values))
        yield line, values
    if not has_name:
        raise CorpusError(f"{path}: no line has a key {NAME}: name the videos' paths so, or take the file away where "
                          "it is no list of videos")


def _parquet(folder: Folder, name: str) -> Iterator[tuple[int, dict[str, object] | str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with folder.open(name) as file:
            table = pq.ParquetFile(file)
            columns = table.schema_arrow.names
            if not any(map(_is_name, columns)):
                raise CorpusError(f"{folder.root / name}: no column {NAME} among {columns[:12]}")
            known = [column for column in columns if _is_name(column) or column.strip().lower() in COLUMNS]
            line = 0
            for batch in table.iter_batches(BATCH, columns=known):
                for values in batch.to_pylist():
                    line += 1
                    yield line, values
    except S3Unavailable:  # nothing is wrong with the file
        raise
    except (pa.ArrowException, OSError) as error:
        raise CorpusError(f"{folder.root / name} is not a readable Parquet file: {type(error).__name__}") from error

"""Stage `sources`: what lies in every corpus' folder, in a few bytes that DVC can compare.

DVC depends on these and never looks into the folders itself: links to nothing, pipes, names that are no text or files
nobody may read would end it before a reader could tell of them, and it would hash terabytes. The stage looks at every
`dvc repro` (`always_changed`); where nothing changed it writes the same bytes, and nothing else runs.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from pipeline.core.atomic import write_json
from pipeline.core.config import Params, load_params
from pipeline.core.data_params import Corpus
from pipeline.core.fingerprint import file_sha256
from pipeline.core.paths import EMBEDDED, SOURCES
from pipeline.core.stage import run_as_stage
from pipeline.storage.s3_raw import raw_objects

File = tuple[str, int, str]   # name, bytes, what changes when its bytes do


class MissingCorpora(ValueError):
    """Folders of the user's data are not where params.yaml says."""


def main() -> None:
    params = load_params()
    for name, found in look(params).items():
        write_json(SOURCES / f"{name}.json", found)
    if not params.used_for("emotion"):
        print("sources: no corpus has `emotion` in its `use`: train_emotion will have nothing to train on. Labelled "
              "clips can come from the embedded mead (path: data/embedded/mead)", file=sys.stderr)


def look(params: Params) -> dict[str, dict[str, int | str]]:
    """Corpus -> count, bytes and digest of its files; raises MissingCorpora that names all that are absent."""
    found = {name: _look(corpus) for name, corpus in params.corpora.items()}
    _refuse([name for name, files in found.items() if files is None], params)
    return {name: files for name, files in found.items() if files is not None}


def check_places(params: Params) -> None:
    """The same for folders of this machine, without a look into them; raises MissingCorpora."""
    _refuse([name for name, corpus in params.corpora.items()
             if not corpus.is_embedded and not corpus.is_remote and not Path(corpus.location).is_dir()], params)


def _refuse(names: list[str], params: Params) -> None:
    if names:
        missing = [f"corpora.{name}.path {params.corpora[name].path}" for name in names]
        raise MissingCorpora(f"there is nothing at {', '.join(missing)}: correct the path in params.yaml, or take the "
                             "corpus out of `corpora`")


def _look(corpus: Corpus) -> dict[str, int | str] | None:
    if corpus.is_embedded:   # made by the stage before, whose record says by what
        return total([("embedded.json", 0, file_sha256(EMBEDDED / "embedded.json"))])
    if corpus.is_remote:
        files = [(entry.key, entry.bytes, entry.etag) for entry in raw_objects(corpus.location).entries()]
        return total(files) if files else None
    return total(local_files(Path(corpus.location))) if Path(corpus.location).is_dir() else None


def total(files: Iterable[File]) -> dict[str, int | str]:
    """Count, bytes and digest of files in any order."""
    files = sorted(files)
    digest = hashlib.sha256("\n".join(f"{name}\0{size}\0{mark}" for name, size, mark in files)
                            .encode("utf-8", "surrogateescape"))
    return {"files": len(files), "bytes": sum(size for _, size, _ in files), "digest": digest.hexdigest()}


def local_files(root: Path) -> list[File]:
    """Every file, link, pipe and so on below `root`, none of them opened; a folder that may not be read is one, too."""
    found: list[File] = []
    refused: list[OSError] = []
    for folder, folders, names in os.walk(root, onerror=refused.append):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        found += [(os.path.relpath(os.path.join(folder, name), root), *_mark(os.path.join(folder, name)))
                  for name in (*names, *links)]
    return found + [(os.path.relpath(error.filename, root), 0, str(error.strerror)) for error in refused]


def _mark(path: str) -> tuple[int, str]:
    try:
        said = os.stat(path)   # of what a link leads to
    except OSError as error:
        return 0, error.strerror or type(error).__name__
    if not stat.S_ISREG(said.st_mode):
        return 0, f"mode {stat.S_IFMT(said.st_mode):o}"
    return said.st_size, str(said.st_mtime_ns)


if __name__ == "__main__":
    run_as_stage(main)

"""MAFW: `data/clips/<NNNNN>.mp4`, labels in `Labels/single_set.xlsx` or in the text splits, always mapped by name.

Clips with a compound label alone (`multi_set.xlsx`, `anger_disgust`) have no single emotion and are kept out. The
corpus names no people: every clip is an identity of its own.
"""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from stages.preprocess.readers.folder import Folder
from stages.preprocess.readers.manifests import MAX_MANIFEST_BYTES, lines
from stages.preprocess.readers.rows import ClipRow, CorpusError, Row

OFFICIAL_ORDER = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt", "anxiety",
                  "helplessness", "disappointment")  # labels 1 to 11 of the sheets
CORE_NAME = {"anger": "angry", "disgust": "disgusted", "happiness": "happy", "sadness": "sad", "surprise": "surprised"}
MAX_COLUMNS, MAX_ROWS = 32, 1 << 20  # a spreadsheet's own limit of rows: a row that claims to be further down is none
DIGITS = 5  # of a clip's name


def read(folder: Folder) -> Iterator[Row]:
    """Rows of the single-label sheet, else of the text splits; raises CorpusError without either."""
    sheet = folder.manifest("single_set.xlsx", "single-set.xlsx")
    texts = _split_files(folder)
    splits = {stem: (split, label) for text in reversed(texts) for stem, split, label in _text(text)}
    if sheet is None and not splits:
        raise CorpusError(f"{folder.root}: neither Labels/single_set.xlsx nor no_caption/set_1/train.txt is there")
    labels = _sheet(sheet, "single_label") if sheet else {stem: label for stem, (_, label) in splits.items()}
    for stem, label in sorted(labels.items()):
        yield _row(folder, sheet or texts[0], stem, label, splits.get(stem, (None,))[0])
    yield from _compounds(folder, labels)
    yield from folder.leftovers()


def _split_files(folder: Folder) -> list[Path]:
    """The text splits, the first one to be believed first: without captions, of single labels, of fold 1."""
    found = [path for path in folder.manifests("*.txt") if path.stem in ("train", "test")
             and {"no_caption", "with_caption"} & set(path.parts)]
    return sorted(found, key=lambda path: ("with_caption" in path.parts, "compound" in path.parts, path))


def _row(folder: Folder, manifest: Path, stem: str, label: str, split: str | None) -> Row:
    name = folder.video(stem, "clips") or folder.video(stem)
    identity = f"mafw/{stem}"
    if name is None:
        return folder.missing(stem, manifest, identity)
    if label not in OFFICIAL_ORDER:
        code = "compound_label" if "_" in label or "," in label else "bad_label"
        return folder.reject(stem, name, code, f"label {label[:60]!r} is not one emotion's name", identity)
    return ClipRow(folder.corpus, stem, name, identity, folder.sound(stem), emotion=CORE_NAME.get(label, label),
                   official_split=split)


def _compounds(folder: Folder, singles: dict[str, str]) -> Iterator[Row]:
    sheet = folder.manifest("multi_set.xlsx", "multi-set.xlsx")
    for stem, label in sorted(_sheet(sheet, "multi_label").items()) if sheet else ():
        name = folder.video(stem) if stem not in singles else None
        if name:
            yield folder.reject(stem, name, "compound_label", f"label {label[:60]!r}: several emotions", f"mafw/{stem}")


def _text(path: Path) -> Iterator[tuple[str, str, str]]:
    """(stem, split, label) of lines `03747.mp4 anger`, or with a caption: the same and texts between tabs."""
    for line in lines(path):
        cells = line.split("\t") if "with_caption" in path.parts else line.split()
        cells = [cell.strip() for cell in cells]
        if len(cells) == 2 or (len(cells) > 2 and "with_caption" in path.parts):
            label = next((cell for cell in cells[1:] if set(cell.split("_")) <= set(OFFICIAL_ORDER)), cells[1])
            yield PurePosixPath(cells[0]).stem if "/" not in cells[0] else cells[0], path.stem, label


def _sheet(path: Path, label_column: str) -> dict[str, str]:
    """Stem -> label name; numeric labels are looked up in the sheet's own column names, not by position alone."""
    rows = _cells(path)
    header = [str(cell or "").strip().lower() for cell in next(rows, [])]
    if "clip" not in header or label_column not in header:
        raise CorpusError(f"{path}: expected columns `clip` and `{label_column}`, found {header[:14]}")
    clip, label = header.index("clip"), header.index(label_column)
    names = [name for name in header if name in OFFICIAL_ORDER]
    order = names if len(names) == len(OFFICIAL_ORDER) else list(OFFICIAL_ORDER)
    found = {}
    for row in rows:
        cells = [*row, *[None] * (len(header) - len(row))]
        stem = str(cells[clip] if cells[clip] is not None else "").strip().removesuffix(".mp4")
        if stem:  # a spreadsheet program may have turned 00151 into a number
            found[stem.zfill(DIGITS) if stem.isdigit() else stem] = _label(cells[label], order)
    return found


def _label(cell: object, order: list[str]) -> str:
    text = str(cell if cell is not None else "").strip()
    if text.removesuffix(".0").isdigit() and 1 <= int(text.removesuffix(".0")) <= len(order):
        return order[int(text.removesuffix(".0")) - 1]
    return text.lower()


def _cells(path: Path) -> Iterator[tuple]:
    from openpyxl import load_workbook

    try:
        _check_unpacked_size(path)
        book = load_workbook(path, read_only=True, data_only=True)
        with contextlib.closing(book):
            yield from book.worksheets[0].iter_rows(max_col=MAX_COLUMNS, max_row=MAX_ROWS, values_only=True)
    except CorpusError:
        raise
    except Exception as error:  # of any type: the library follows a broken file wherever it leads
        raise CorpusError(f"{path} is not a readable .xlsx ({error}): download it again") from error


def _check_unpacked_size(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if sum(item.file_size for item in archive.infolist()) > MAX_MANIFEST_BYTES:
            raise CorpusError(f"{path} unpacks to more than {MAX_MANIFEST_BYTES >> 20} MiB: no label sheet does")

"""MAFW: `data/clips/<NNNNN>.mp4`, labels in `Labels/single_set.xlsx` or in the text splits, always mapped by name.

Clips with a compound label alone (`multi_set.xlsx`, `anger_disgust`) have no single emotion and are kept out. The
corpus names no people: every clip is an identity of its own.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from stages.readers.folder import MAX_MANIFEST_BYTES, Folder, read_text
from stages.readers.rows import ClipRow, CorpusError, Row

OFFICIAL_ORDER = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt", "anxiety",
                  "helplessness", "disappointment")  # labels 1 to 11 of the sheets
CORE_NAME = {"anger": "angry", "disgust": "disgusted", "happiness": "happy", "sadness": "sad", "surprise": "surprised"}
MAX_COLUMNS = 32


def read(folder: Folder) -> Iterator[Row]:
    """Rows of the single-label sheet, else of the text splits; raises CorpusError without either."""
    sheet = folder.manifest("single_set.xlsx", "single-set.xlsx")
    texts = [p for p in sorted(folder.root.rglob("*.txt")) if "no_caption" in p.parts and p.stem in ("train", "test")]
    splits = {stem: (split, label) for text in reversed(texts) for stem, split, label in _text(text)}
    if sheet is None and not splits:
        raise CorpusError(f"{folder.root}: neither Labels/single_set.xlsx nor no_caption/set_1/train.txt is there")
    labels = _sheet(sheet, "single_label") if sheet else {stem: label for stem, (_, label) in splits.items()}
    for stem, label in sorted(labels.items()):
        yield _row(folder, sheet or texts[0], stem, label, splits.get(stem, (None,))[0])
    yield from _compounds(folder, labels)
    yield from folder.leftovers()


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
    """(stem, split, label) of lines `03747.mp4 anger`."""
    for line in read_text(path).splitlines():
        cells = line.split()
        if len(cells) == 2:
            yield PurePosixPath(cells[0]).stem if "/" not in cells[0] else cells[0], path.stem, cells[1]


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
    for cells in rows:
        stem = str(cells[clip] if cells[clip] is not None else "").strip()
        if stem:
            found[stem.removesuffix(".mp4")] = _label(cells[label], order)
    return found


def _label(cell: object, order: list[str]) -> str:
    text = str(cell if cell is not None else "").strip()
    if text.removesuffix(".0").isdigit() and 1 <= int(text.removesuffix(".0")) <= len(order):
        return order[int(text.removesuffix(".0")) - 1]
    return text.lower()


def _cells(path: Path) -> Iterator[tuple]:
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(path) as archive:
            if sum(item.file_size for item in archive.infolist()) > MAX_MANIFEST_BYTES:
                raise CorpusError(f"{path} unpacks to more than {MAX_MANIFEST_BYTES >> 20} MiB: no label sheet does")
        book = load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, OSError, ValueError) as error:
        if isinstance(error, CorpusError):
            raise
        raise CorpusError(f"{path} is not a readable .xlsx ({error}): download it again") from error
    try:
        yield from book.worksheets[0].iter_rows(max_col=MAX_COLUMNS, values_only=True)
    finally:
        book.close()

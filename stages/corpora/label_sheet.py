"""MAFW's label sheet as .xlsx, with the same bytes every time (openpyxl and zip write the time of day)."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import datetime
from pathlib import Path

from pipeline.core.atomic import write_bytes

COLUMNS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt", "anxiety",
           "helplessness", "disappointment")  # labels 1 to 11
_THEN = datetime(2020, 1, 1)


def write_label_sheet(path: Path, labels: dict[str, str]) -> None:
    """Write clip name -> emotion as `single_set.xlsx`: clip, eleven scores, number of the single label from 1."""
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.append(["clip", *COLUMNS, "single_label"])
    for name, label in labels.items():
        sheet.append([name, *(float(label == column) for column in COLUMNS), COLUMNS.index(label) + 1])
    book.properties.created = _THEN
    buffer = io.BytesIO()
    book.save(buffer)
    write_bytes(path, _timeless(buffer.getvalue()))


def _timeless(data: bytes) -> bytes:
    """The same workbook with fixed times in its properties and in the zip's own entries."""
    stamp = f"{_THEN.isoformat()}Z".encode()
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + stamp, content)
            target.writestr(zipfile.ZipInfo(name, _THEN.timetuple()[:6]), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()

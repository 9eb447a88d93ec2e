"""Raw folder -> crops: `python -m stages.preprocess CORPUS`.

Every raw clip becomes rows of `data/crops/<corpus>/clips.parquet`, kept or rejected with a reason; kept ones have
`<clip_id>.mp4` (25 fps, 256 px) and `<clip_id>.wav` (16 kHz), rejected ones a picture in `rejects/` where one could
be decoded. What has been done already is taken from `.playmate/work/preprocess`.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pipeline import paths
from pipeline.clip_table import KEPT, REJECTED, write_clip_table
from pipeline.config import Params, load_params
from pipeline.fingerprint import digest
from pipeline.stage import run_as_stage
from pipeline.weights import WeightsError, weight_path
from stages.faces.quality import verdict
from stages.preprocess_units import Unit, WorkFolder, make_units
from stages.preprocess_workers import run_units
from stages.readers import ClipRow, RejectRow, Row, read_corpus


def main(corpus: str) -> None:
    """Run the stage for one corpus by `params.yaml`."""
    preprocess(corpus, load_params())


def preprocess(corpus: str, params: Params) -> list[dict]:
    """Process what is not done yet, write `data/crops/<corpus>` and return its rows."""
    root = Path(params.raw.root) / corpus
    rows = list(read_corpus(corpus, root))
    settings = {"params": params.preprocess.model_dump(), "detector": str(detector_path(params)),
                "voice": str(weight_path("silero_vad"))}
    work = WorkFolder.of(settings)
    units, rejects = make_units(rows, root)
    todo = [unit for unit in units if work.record(unit, params.preprocess) is None]
    print(f"{corpus}: {len(units)} clips, {len(units) - len(todo)} done before, {len(rejects)} ruled out by the corpus",
          flush=True)
    for unit in _with_progress(run_units(todo, settings, params, work), len(todo), corpus):
        assert work.record(unit, params.preprocess) is not None, unit.row.key
    table = [row for unit in units for row in _rows(unit, work.record(unit, params.preprocess), params)]
    table += [_reject_row(row) for row in rejects]
    _publish(paths.CROPS / corpus, table, units, work)
    _report(corpus, table, params)
    return table


def detector_path(params: Params) -> Path:
    """The weight file of the chosen detector; raises WeightsError where it is not there."""
    if params.preprocess.detector != "buffalo_l":
        return weight_path({"mediapipe": "face_landmarker", "insightface": "scrfd"}[params.preprocess.detector])
    pack = weight_path("buffalo_l")
    found = sorted(pack.glob("det_*.onnx"))
    if not found:
        raise WeightsError(f"{pack} holds no det_*.onnx: unpack buffalo_l.zip there")
    return found[0]


def _with_progress(done: Iterable[Unit], total: int, corpus: str) -> Iterable[Unit]:
    start, told = time.monotonic(), 0.0
    for count, unit in enumerate(done, start=1):
        passed = time.monotonic() - start
        if passed - told > 5 or count == total:
            told = passed
            print(f"{corpus}: {count}/{total} clips, {count / passed:.2f} clips/s, "
                  f"{(total - count) * passed / count:.0f} s left", flush=True)
        yield unit


def _base(row: Row) -> dict:
    return {"corpus": row.corpus, "identity": row.identity, "emotion": row.emotion}


def _rows(unit: Unit, record: dict, params: Params) -> list[dict]:
    row: ClipRow = unit.row
    base = _base(row) | record["source"] | {
        "source": row.media, "level": row.level, "language": row.language, "official_split": row.official_split,
        "youtube_id": row.youtube_id, "media_sha256": unit.media_sha256}
    if record["reject"] is not None:
        clip_id = digest(row.corpus, row.key, _ms(row.start_s), _ms(row.end_s))
        return [base | record["reject"] | {"clip_id": clip_id, "start_s": row.start_s, "end_s": row.end_s,
                                           "status": REJECTED}]
    return [_piece_row(base, piece, params) for piece in record["pieces"]]


def _piece_row(base: dict, piece: dict, params: Params) -> dict:
    values = {key: value for key, value in piece.items() if key != "reject"}
    reason = piece.get("reject") or verdict(piece, params.preprocess)
    if reason is None:
        return base | values | {"status": KEPT}
    return base | values | reason | {"status": REJECTED, "crop_sha256": None, "speech_sha256": None}


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _reject_row(row: RejectRow) -> dict:
    return _base(row) | {"clip_id": digest(row.corpus, row.key, row.source, row.code), "source": row.source,
                         "status": REJECTED, "stage": "read", "code": row.code, "detail": row.detail}


def _publish(folder: Path, table: list[dict], units: list[Unit], work: WorkFolder) -> None:
    """Write the output folder anew: links to the work folder's files, and the table last."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "rejects").mkdir(parents=True)
    status = {row["clip_id"]: row["status"] for row in table}
    for unit in units:
        for path in sorted(work.folder(unit).glob("*.*")):
            if status.get(path.stem) == KEPT and path.suffix in (".mp4", ".wav"):
                _link(path, folder / path.name)
            elif status.get(path.stem) == REJECTED and path.suffix == ".jpg":
                _link(path, folder / "rejects" / path.name)
    write_clip_table(folder / "clips.parquet", table)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


def _report(corpus: str, table: list[dict], params: Params) -> None:
    kept = [row for row in table if row["status"] == KEPT]
    seconds = sum(row["frames"] for row in kept) / params.preprocess.fps
    reasons = Counter(f"{row['stage']}/{row['code']}" for row in table if row["status"] == REJECTED)
    said = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items())) or "none"
    print(f"{corpus}: kept {len(kept)} clips, {seconds:.0f} s; rejected {len(table) - len(kept)}: {said}", flush=True)


if __name__ == "__main__":
    run_as_stage(main, *sys.argv[1:])

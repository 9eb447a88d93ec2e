"""Raw folder -> crops: `python -m stages.preprocess.stage CORPUS`.

Every raw clip becomes rows of `data/crops/<corpus>/clips.parquet`, kept or rejected with a reason; kept ones have
`<clip_id>.mp4` (25 fps, 256 px) and `<clip_id>.wav` (16 kHz), rejected ones a picture in `rejects/` where one could
be decoded. What has been done already is taken from `.playmate/work/preprocess`.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.components.detector import detector_files
from pipeline.compute.progress import Progress
from pipeline.core import paths
from pipeline.core.atomic import link_or_copy, write_text
from pipeline.core.clip_table import KEPT, REJECTED, write_clip_table
from pipeline.core.config import Params, load_params
from pipeline.core.data_params import Corpus
from pipeline.core.fingerprint import digest
from pipeline.core.stage import run_as_stage
from pipeline.weights.table import weight_path
from stages.preprocess.duplicates import near_duplicates
from stages.preprocess.histograms import histograms
from stages.preprocess.piece import clip_id
from stages.preprocess.quality import verdict
from stages.preprocess.readers import ClipRow, RejectRow, Row, open_raw, read_folder
from stages.preprocess.records import WORKER_ERROR, Unit, WorkFolder, make_units
from stages.preprocess.task import Answer
from stages.preprocess.workers import run_units

MAX_ERRORS, MAX_ERROR_SHARE = 3, 0.02


def main(corpus: str) -> None:
    """Run the stage for one corpus by `params.yaml`."""
    preprocess(corpus, load_params())


def preprocess(corpus: str, params: Params) -> list[dict]:
    """Process what is not done yet, write `data/crops/<corpus>` and return its rows."""
    chosen = corpus_of(corpus, params)
    raw = open_raw(corpus, chosen.location)
    rows = list(read_folder(chosen.reader, raw.folder))
    settings = worker_settings(params, chosen)
    work = WorkFolder.of(settings)
    units, rejects = make_units(rows, raw)
    found = {unit.name: work.record(unit, params.preprocess.limits) for unit in units}
    records = {name: record for name, record in found.items() if record is not None}
    todo = [unit for unit in units if unit.name not in records]
    print(f"{corpus}: {len(units)} clips, {len(units) - len(todo)} done before, {len(rejects)} ruled out by the corpus",
          flush=True)
    progress = Progress(corpus, len(todo), "clips", partial(print, flush=True))
    for unit in run_units(todo, settings, params, work):
        record = work.record(unit, params.preprocess.limits, fresh=True)
        assert record is not None, unit.row.key
        records[unit.name] = record
        progress.add()
    _check_errors(corpus, list(records.values()))
    table = _without_repeats([row for unit in units for row in _rows(unit, records[unit.name], params)], params)
    table += [_reject_row(row) for row in rejects]
    _publish(paths.CROPS / corpus, table, units, work)
    write_text(paths.CROPS / corpus / "histograms.svg", histograms(table, params.preprocess.thresholds, chosen.singing))
    _report(corpus, table, params)
    return table


def _check_errors(corpus: str, records: list[Answer]) -> None:
    """A mistake of ours that one file brings to light is that file's row; one that many meet ends the stage."""
    errors = [r.reject.detail for r in records if r.reject and r.reject.code == WORKER_ERROR]
    if len(errors) > max(MAX_ERRORS, MAX_ERROR_SHARE * len(records)):
        raise RuntimeError(f"{corpus}: {len(errors)} of {len(records)} clips met an error of the worker's own, "
                           f"the first: {errors[0]}")


def corpus_of(name: str, params: Params) -> Corpus:
    """What params.yaml says of a corpus; raises ValueError that names those that it knows."""
    if name not in params.corpora:
        raise ValueError(f"{name!r} is not among `corpora` in params.yaml: {', '.join(params.corpora)}")
    return params.corpora[name]


def worker_settings(params: Params, corpus: Corpus) -> dict[str, Any]:
    """What a worker is made from (`preprocess_clip.make_worker`); raises WeightsError where a network is not there."""
    with_sync = params.preprocess.sync_filter and corpus.sync
    sync, sync_faces = (str(weight_path(name)) if with_sync else None for name in ("syncnet", "scrfd"))
    identity = identity_network(params, corpus)
    files = detector_files(params.preprocess.measure.detector)
    return {"params": params.preprocess.model_dump(), "detector": str(files.network),
            "landmarks": None if files.landmarks is None else str(files.landmarks),
            "voice": str(weight_path("silero_vad")), "sync": sync, "sync_faces": sync_faces,
            "identity": None if not identity else str(weight_path(identity))}


def identity_network(params: Params, corpus: Corpus) -> str | None:
    """Row of the weights of the network that says who a clip shows; None for embedded corpora, of which it is known."""
    wanted = params.preprocess.identity
    return None if wanted == "none" or corpus.is_embedded else wanted


def _base(row: Row) -> dict:
    return {"corpus": row.corpus, "identity": row.identity, "emotion": row.emotion}


def _rows(unit: Unit, record: Answer, params: Params) -> list[dict]:
    row: ClipRow = unit.row
    base = _base(row) | record.source | {
        "source": row.media, "level": row.level, "language": row.language, "official_split": row.official_split,
        "community_split": row.community_split, "youtube_id": row.youtube_id}
    if record.reject is not None:
        name = clip_id(row.corpus, row.key, row.start_s, row.end_s)
        return [base | vars(record.reject) | {"clip_id": name, "start_s": row.start_s, "end_s": row.end_s,
                                           "status": REJECTED}]
    return [_piece_row(base, piece, params) for piece in record.pieces]


def _piece_row(base: dict, piece: dict, params: Params) -> dict:
    values = {key: value for key, value in piece.items() if key != "reject"}
    reason = piece.get("reject") or verdict(piece, params.preprocess.thresholds, params.corpora[base["corpus"]].singing)
    if reason is None:
        return base | values | {"status": KEPT}
    return _reject(base | values, reason)


def _reject(row: dict, reason: dict) -> dict:
    return row | reason | {"status": REJECTED, "crop_sha256": None, "speech_sha256": None}


def _without_repeats(table: list[dict], params: Params) -> list[dict]:
    """The rows with near duplicates among the kept ones rejected."""
    kept = [row for row in table if row["status"] == KEPT]
    repeats = near_duplicates(kept, params.preprocess.thresholds.duplicate_share)
    return [_reject(row, repeats[row["clip_id"]]) if row["clip_id"] in repeats else row for row in table]


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
                link_or_copy(path, folder / path.name)
            elif status.get(path.stem) == REJECTED and path.suffix == ".jpg":
                link_or_copy(path, folder / "rejects" / path.name)
    write_clip_table(folder / "clips.parquet", table)


def _report(corpus: str, table: list[dict], params: Params) -> None:
    kept = [row for row in table if row["status"] == KEPT]
    seconds = sum(row["frames"] for row in kept) / params.preprocess.measure.fps
    reasons = Counter(f"{row['stage']}/{row['code']}" for row in table if row["status"] == REJECTED)
    said = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items())) or "none"
    print(f"{corpus}: kept {len(kept)} clips, {seconds:.0f} s; rejected {len(table) - len(kept)}: {said}", flush=True)


if __name__ == "__main__":
    run_as_stage(main, *sys.argv[1:])

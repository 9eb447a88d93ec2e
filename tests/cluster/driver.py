"""The extract stage with made-up models, as a process of its own: `python -m tests.cluster.driver PARAMS.json`."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from pipeline.core.config import Params, parse_params
from pipeline.storage import open_storage
from stages.extract import compute as cluster
from stages.extract import stage as extract
from tests.cluster import made

PRINTS = {"motion": "m" * 32, "speech": "s" * 32}


def main(path: str) -> None:
    """Where `ray.address` is null the clips are computed one by one in this process, without Ray."""
    params = parse_params(json.loads(Path(path).read_text()))
    extract.load_params, extract.fingerprints = lambda: params, lambda _: PRINTS
    on_ray = functools.partial(cluster.compute, make=made.make_extractor)
    cluster.compute = on_ray if params.ray.address else alone
    extract.main(made.CORPUS)


def alone(jobs, params: Params, store: str) -> Iterator[dict]:
    extractor = made.make_extractor(params, open_storage(store))
    for clip, families in jobs:
        reject = extractor.extract(clip.path, clip.row["frames"], [clip.keys[family] for family in families])
        yield {"clip_id": clip.clip_id, "frames": clip.row["frames"],
               "reject": json.dumps(asdict(reject)) if reject else ""}


if __name__ == "__main__":
    main(sys.argv[1])

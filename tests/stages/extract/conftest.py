"""A project folder whose extraction runs in this process, with made-up models."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import yaml

from pipeline.core.config import Params, parse_params
from pipeline.storage import open_storage
from stages.extract import compute as cluster
from stages.extract import stage as extract
from tests.chosen import keep_corpora
from tests.stages.extract import made
from tests.stages.extract.made import PRINTS


@pytest.fixture
def params(tmp_path, monkeypatch, project) -> Params:
    values = yaml.safe_load((project / "params.yaml").read_text())
    keep_corpora(values, "avspeech", "mead")
    values["extract"] |= {"actors": 2, "batch_clips": 1, "ahead": True, "max_clip_s": 5.0, "shards": 2}
    values["ray"] |= {"address": None, "num_cpus": 2}
    params = parse_params(values)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(extract, "load_params", lambda: params)
    monkeypatch.setattr(extract, "fingerprints", lambda _: PRINTS)
    return params


@pytest.fixture
def computed(monkeypatch, params) -> list[str]:
    """Run jobs in this process; the list fills with 'clip family' as they run."""
    done: list[str] = []

    def compute(jobs, params, store):
        extractor = made.make_extractor(params, open_storage(store))
        for clip, families in jobs:
            done.extend(f"{clip.clip_id} {family}" for family in families)
            reject = extractor.extract(clip.path, clip.row["frames"], [clip.keys[family] for family in families])
            yield {"clip_id": clip.clip_id, "frames": clip.row["frames"],
                   "reject": json.dumps(asdict(reject)) if reject else ""}

    monkeypatch.setattr(cluster, "compute", compute)
    return done

"""Decoders, models and writers as pools of their own, on nodes with and without a GPU that is only counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from feature_store.manifest import read_manifest
from tests.cluster import made
from tests.cluster.machines import finish, machines, start, write_params
from tests.cluster.test_faults import features

CLIPS = 10


@pytest.mark.slow
@pytest.mark.processes
def test_pools_give_what_one_process_gives_and_a_poison_clip_costs_itself(tmp_path):
    """The clip that kills its process is found though its batch was computed together; every other one is kept."""
    apart, one = tmp_path / "apart", tmp_path / "one"
    for folder, poison in ((apart, (3,)), (one, ())):
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            made.write_corpus(CLIPS, poison)
    with machines({"num_cpus": 1}, {"num_cpus": 1, "num_gpus": 1}) as nodes:
        params = write_params(apart, nodes.address, gpus_per_actor=1.0, actors=1, decode_actors=1, batch_clips=4)
        finish(start("tests.cluster.driver", params, folder=apart), apart)
    finish(start("tests.cluster.driver", write_params(one, None), folder=one), one)
    (reject,) = read_manifest(apart / "data/features" / made.CORPUS).rejects
    assert (reject.clip_id, reject.stage, reject.code, reject.value) == ("clip003", "extract", "crash", 3.0)
    assert units(apart) == {name: data for name, data in units(one).items() if "clip003" not in name}
    assert not list((apart / ".playmate/attempts").rglob("*")) and not list((apart / ".playmate/jobs").glob("*"))


def units(folder: Path) -> dict[str, bytes]:
    """Finished units by name."""
    found = features(folder)
    return {name: data for name, data in found.items() if name.split("/")[2] in ("motion", "speech")
            and name.endswith(".parquet")}

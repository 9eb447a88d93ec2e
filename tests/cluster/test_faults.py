"""Several-node Ray on one machine: whatever is killed at whatever moment, the store ends as if nothing had been."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from pipeline.storage.local import LocalStorage
from tests.cluster import made
from tests.cluster.machines import Machines, finish, kill, machines, start, wait_until, write_params

CLIPS = 16
IN_HAND = {"actor": 1, "worker": 1, "node": 1, "driver": 2}  # clips that are being computed where the kill strikes


@pytest.fixture(scope="module")
def two_nodes():
    with machines({"num_cpus": 1}, {"num_cpus": 1}) as started:
        yield started


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, bytes]:
    """What a run without Ray and without kills leaves."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made.write_corpus(CLIPS)
    finish(start("tests.cluster.driver", write_params(folder, None), folder=folder), folder)
    return features(folder)


def features(folder: Path) -> dict[str, bytes]:
    """Manifest, shards and finished units. What a killed writer left half done is no object: `store gc` sweeps it."""
    storage = LocalStorage(folder / ".playmate/store")
    for left in storage.unfinished():
        storage.sweep(left)
    objects = [path for path in storage.root.rglob("*") if "leases" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in [*objects, *(folder / "data/features").rglob("*")] if path.is_file()}


def strike(what: str, chance: random.Random, nodes: Machines, driver_pid: int, folder: Path) -> None:
    if what == "driver":
        kill(driver_pid)
    elif what == "node":
        nodes.lose_node()
    elif what == "actor":  # the one that began the last clip
        kill(int((folder / made.COMPUTED).read_text().splitlines()[-1].split()[1]))
    else:
        kill(chance.choice(nodes.worker_processes()).pid)


def trial(seed: int, nodes: Machines, tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    """One run with one kill; the next run, where the driver was killed, goes on."""
    chance, folder = random.Random(seed), tmp_path / "killed"
    what = list(IN_HAND)[seed % len(IN_HAND)]
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made.write_corpus(CLIPS)
    params, log = write_params(folder, nodes.address), folder / made.COMPUTED
    after = chance.randint(1, CLIPS - 3)
    process = start("tests.cluster.driver", params, folder=folder)
    struck = wait_until(lambda: log.exists() and len(log.read_text().splitlines()) >= after, process)
    assert struck, (folder / "driver.log").read_text()[-6000:]
    strike(what, chance, nodes, process.pid, folder)
    if what == "driver":
        process.wait()
        process = start("tests.cluster.driver", params, folder=folder)
    finish(process, folder)
    assert features(folder) == undisturbed, what
    begun = Counter(line.split()[0] for line in log.read_text().splitlines())
    assert len(begun) == CLIPS and sum(begun.values()) - CLIPS <= IN_HAND[what], (what, begun)


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.parametrize("seed", range(len(IN_HAND)))  # each kind of kill once
def test_a_kill_changes_nothing(seed, two_nodes, tmp_path, undisturbed):
    trial(seed, two_nodes, tmp_path, undisturbed)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(len(IN_HAND), 54))
def test_no_kill_changes_anything(seed, two_nodes, tmp_path, undisturbed):
    trial(seed, two_nodes, tmp_path, undisturbed)

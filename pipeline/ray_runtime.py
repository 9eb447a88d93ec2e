"""The one door to Ray: a local Ray for the time of a stage, or a connection to a cluster.

Ray computes and holds no truth: nothing that a stage needs later lives in it. It is imported only here, at
`ray_session`, so that everything else runs without it. Its own switches (RAY_*) win over those set here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from pipeline.config import Ray

OBJECT_STORE_BYTES = 256 << 20  # of the local Ray; our tasks return a few hundred bytes a clip
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # native messages about retries; ours say what happened to a clip
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
}
NOT_CODE = ["data", ".playmate", ".dvc", ".git", ".venv", "reports", "pretrained"]


@contextmanager
def ray_session(section: Ray) -> Iterator[ModuleType]:
    """Start a local Ray (`address: null`) or join the one at `address`; yield the `ray` module; shut down at the end.

    A local Ray is always a new one: neither RAY_ADDRESS nor what an unclean exit left in the temporary folder
    is picked up. A session inside a session is the same one. Raises ConnectionError where no cluster answers.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield ray
        return
    try:
        ray.init(**_options(section))
        _quieten()
        yield ray
    finally:
        ray.shutdown()


def _options(section: Ray) -> dict:
    common = {"logging_level": logging.ERROR, "log_to_driver": False}
    if section.address is not None:
        # our code travels with the job; data and weights must lie where every node reaches them
        return {**common, "address": section.address, "runtime_env": {"working_dir": ".", "excludes": NOT_CODE}}
    return {**common, "address": "local", "num_cpus": section.num_cpus, "include_dashboard": section.dashboard,
            "object_store_memory": OBJECT_STORE_BYTES}


def _quieten() -> None:
    for name in ("ray", "ray.data", "ray.serve", "ray.train", "ray.tune"):
        logging.getLogger(name).setLevel(logging.ERROR)


def quiet_datasets() -> ModuleType:
    """Import `ray.data` without its progress bars and plan messages: stages print one line of their own."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray.data

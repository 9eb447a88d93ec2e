"""The one door to Ray: a local Ray for the time of a stage, or a connection to a cluster.

Ray computes and holds no truth: nothing that a stage needs later lives in it. It is imported only here, at
`ray_session`, so that everything else runs without it. Its own switches (RAY_*) win over those set here.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import psutil

from pipeline.core.data_params import Ray
from pipeline.core.fingerprint import PACKAGES, ROOT

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # native messages about retries; ours say what happened to a clip
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_agent_register_timeout_ms": "300000",  # a busy machine starts processes slowly: no reason to fail
    "RAY_worker_register_timeout_seconds": "300",
}
# settings of the driver that every node needs; credentials are the nodes' own and are never sent
CARRIED = ("PLAYMATE_CACHE", "PLAYMATE_COUNTED_GPUS", "MLFLOW_TRACKING_URI", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
           "AWS_REGION", "AWS_DEFAULT_REGION", "OMP_NUM_THREADS", "ORT_DISABLE_TELEMETRY")
STARTS, TOO_SLOW = 4, "timed out during startup"  # how often a local Ray is tried; what Ray says where it took too long
LONGEST_TEMPORARY = 30   # an AF_UNIX address has 107 bytes, and Ray adds up to 77 of its own
PROJECT = "PLAYMATE_PROJECT"  # the driver's folder, for its workers


class RayError(RuntimeError):
    """Ray cannot be used as `params.yaml` asks; the message says what to do."""


def is_started() -> bool:
    """Whether this process has a Ray: a session inside is that one."""
    ray = sys.modules.get("ray")
    return ray is not None and ray.is_initialized()


@contextmanager
def ray_session(section: Ray) -> Iterator[ModuleType]:
    """Start a local Ray (`address: null`) or join the one at `address`; yield the `ray` module; shut down at the end.

    A local Ray is always a new one: neither RAY_ADDRESS nor what an unclean exit left in the temporary folder
    is picked up. A session inside a session is the same one. Raises RayError where no cluster answers.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield ray
        return
    try:
        _start(ray, section)
        yield ray
    finally:
        ray.shutdown()


def _start(ray: ModuleType, section: Ray) -> None:
    context = _init_ray(ray, _options(section), section)
    _quieten()
    if section.dashboard and (url := getattr(context, "dashboard_url", None)):
        print(f"Ray dashboard: http://{url}", flush=True)


def _init_ray(ray: ModuleType, options: dict, section: Ray) -> object:
    """`ray.init`; a local Ray that does not come up within Ray's own half minute (a busy machine) is tried again."""
    for left in reversed(range(STARTS)):
        before = set(psutil.Process().children())
        try:
            return ray.init(**options)
        except ConnectionError as error:
            raise RayError(f"no Ray cluster answers at ray.address {section.address!r}: start one (docs/cluster.md), "
                           f"or set it to null ({error})") from error
        except Exception as error:  # Ray has no other class for it
            if TOO_SLOW not in str(error):
                raise
            for process in set(psutil.Process().children()) - before:  # `ray.shutdown` knows nothing of them yet
                process.kill()
            if not left:
                raise RayError(f"Ray did not start in {STARTS} tries of half a minute: this machine is too busy") \
                    from error
    raise AssertionError("unreachable")


def _options(section: Ray) -> dict:
    common = {"logging_level": logging.ERROR, "log_to_driver": False}
    if section.address is not None:
        return {**common, "address": _joinable(section.address), "runtime_env": runtime_env()}
    if section.dashboard and importlib.util.find_spec("aiohttp_cors") is None:
        raise RayError("ray.dashboard needs more packages: pip install 'playmate-pipeline[cluster]'")
    spill = {"object_spilling_directory": os.path.abspath(section.spill_folder)} if section.spill_folder else {}
    return {**common, **spill, **_short_temporary(), "address": "local", "num_cpus": section.num_cpus,
            "include_dashboard": section.dashboard, "object_store_memory": int(section.object_store_gb * (1 << 30))}


def _short_temporary() -> dict[str, str]:
    """Ray's folder, where the usual one is too long for the addresses of its sockets; raises RayError for none."""
    if len(os.fsencode(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir())) <= LONGEST_TEMPORARY:
        return {}
    for place in ("/tmp", "/var/tmp", "/dev/shm"):  # noqa: S108
        folder = f"{place}/ray-{os.getuid()}"
        with suppress(OSError):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            if os.stat(folder).st_uid == os.getuid():
                return {"_temp_dir": folder}
    raise RayError(f"the temporary folder {tempfile.gettempdir()} is too long for Ray's sockets: set RAY_TMPDIR to a "
                   f"folder of at most {LONGEST_TEMPORARY} characters")


def runtime_env() -> dict:
    """What goes to every node: our code as it is here. Data and weights must lie where every node reaches them.

    Raises RayError where MLFLOW_TRACKING_URI holds a password: it would stand in Ray's own records.
    """
    settings = {name: os.environ[name] for name in CARRIED if name in os.environ}
    if "@" in urlsplit(settings.get("MLFLOW_TRACKING_URI", "")).netloc:
        raise RayError("MLFLOW_TRACKING_URI holds a user name or password, and would be sent to every node: take them "
                       "out, and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD on the nodes")
    return {"working_dir": str(ROOT), "excludes": not_code(ROOT), "env_vars": {PROJECT: os.getcwd(), **settings},
            "worker_process_setup_hook": f"{__name__}.{enter_project.__name__}"}


def not_code(root: Path) -> list[str]:
    """What of the project folder, or of the installed packages, stays here, as Ray's exclusions: all but our own code,
    wherever data lies."""
    return [*(f"/{path.name}" for path in sorted(root.iterdir()) if path.name not in PACKAGES), "__pycache__"]


def enter_project() -> None:
    """Every worker process of a cluster starts with this: paths are relative to the project folder of the driver.

    Raises RayError where this node does not see it.
    """
    project = os.environ[PROJECT]
    if not os.path.isdir(project):
        raise RayError(f"the project folder {project} is not on this node: every node must reach it (docs/cluster.md)")
    os.chdir(project)


def _joinable(address: str) -> str:
    if address.startswith("ray://"):
        raise RayError(f"ray.address {address!r} is a Ray Client address, which Ray's Data and Train are not "
                       "made for: start the pipeline on the head node with `auto` (docs/cluster.md)")
    return address


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

"""Which device the networks of a process are on: the one answer. `cuda` is one GPU, the first that the process sees."""

from __future__ import annotations

import os

COUNTED = "PLAYMATE_COUNTED_GPUS"  # set: Ray's GPUs are numbers alone and the work is done on CPUs; for rehearsals


class ResourcesMissing(RuntimeError):
    """The machine or cluster has not got what params.yaml asks for; the message says what to set."""


def which_device(given: bool | None = None) -> str:
    """`cuda` or `cpu`. `given`: whether this process was given a GPU, or a share of one; None: it takes what is there.

    Raises ResourcesMissing where it was given one and PyTorch sees none: no silent run on a CPU.
    """
    import torch

    if given is None:
        return "cuda" if machine_gpus() else "cpu"
    if not given or gpus_are_counted():
        return "cpu"
    if not torch.cuda.is_available():
        raise ResourcesMissing(f"this process was given a GPU, and its PyTorch ({torch.__version__}) sees none: "
                               "install a PyTorch for CUDA and the driver on every node")
    return "cuda"


def machine_gpus() -> int:
    """GPUs that PyTorch sees on this machine; in a rehearsal on counted GPUs none."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() and not gpus_are_counted() else 0


def gpus_are_counted() -> bool:
    """Whether Ray's GPUs are only counted."""
    return bool(os.environ.get(COUNTED))


def gpu_places(share: float) -> list[str]:
    """CUDA_VISIBLE_DEVICES of every process that fits on this machine with `share` of a GPU each, one GPU a process."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(index) for index in range(machine_gpus())]
    return names[:machine_gpus()] * int(1 / share + 1e-9)

"""A CUDA device that is none: shapes and devices are computed, nothing else, and a tensor left on the CPU raises.

PyTorch's fake tensors know which device they would be on. Networks are made as ever and then moved to `cuda`; forward
passes work, backward passes want a CUDA context.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch._subclasses import fake_tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

_numpy = torch.Tensor.numpy


@contextmanager
def fake_cuda() -> Iterator[None]:
    """Inside, `cuda` is there. Answers that come back to the CPU are zeros."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeTensorMode, "avoid_device_init", True)  # it would start a device that is_available promises
        patch.setattr(fake_tensor, "CONSTANT_NUMEL_LIMIT", 0)  # it computes with single numbers, on the device
        patch.setattr(torch.cuda, "is_available", lambda: True)
        patch.setattr(torch.cuda, "device_count", lambda: 1)
        patch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
        patch.setattr(torch.Tensor, "numpy", _zeros)
        for name in ("item", "tolist"):  # these wait for a device and come from it
            patch.setattr(torch.Tensor, name, _from_zeros(getattr(torch.Tensor, name), name))
        patch.setattr(torch.nn.Module, "_apply", _replaced)
        with FakeTensorMode(allow_non_fake_inputs=True):
            yield


def _zeros(tensor: torch.Tensor, **options) -> np.ndarray:
    if not isinstance(tensor, FakeTensor):
        return _numpy(tensor, **options)
    if tensor.device.type != "cpu":
        raise TypeError("a tensor on cuda has no numpy(): cpu() first")
    return np.zeros(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


def _from_zeros(real: Callable[[torch.Tensor], object], name: str) -> Callable[[torch.Tensor], object]:
    def given(tensor: torch.Tensor) -> object:
        return getattr(_zeros(tensor.cpu()), name)() if isinstance(tensor, FakeTensor) else real(tensor)

    return given


def _replaced(module: torch.nn.Module, change, recurse: bool = True) -> torch.nn.Module:
    """PyTorch's own moves data into parameters that are there, which fake ones do not allow twice."""
    for child in module.children() if recurse else ():
        child._apply(change)
    with torch.no_grad():
        for name, value in module._parameters.items():
            if value is not None:
                module._parameters[name] = torch.nn.Parameter(change(value), value.requires_grad)
        module._buffers.update({name: change(value) for name, value in module._buffers.items() if value is not None})
    return module

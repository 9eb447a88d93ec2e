"""Weights shared out over the workers (PyTorch's FSDP2), for models that one GPU cannot hold four times over.

Each worker keeps its part of every weight and of its gradient, moments and average. A layer's weights are gathered
while it computes, all of them for a validation and a checkpoint, which is that of workers that hold them whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from training.engine.context import WorkerContext


class ShardedContext(WorkerContext):
    """One of several workers that hold a part of the weights each; gradients are averaged in the backward pass."""

    sharded = True

    def wrap(self, model: nn.Module) -> nn.Module:
        """Share out a motion transformer's weights in place; each Conformer layer is gathered by itself."""
        from torch.distributed.device_mesh import init_device_mesh  # these two load PyTorch's compiler
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(self.device.type, (self.world_size,))
        for layer in model.get_submodule("conformer").children():
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
        return model

    @contextmanager
    def without_sync(self, model: nn.Module) -> Iterator[None]:
        sharded: Any = model  # an FSDPModule since `wrap`
        sharded.set_requires_gradient_sync(False)
        try:
            yield
        finally:
            sharded.set_requires_gradient_sync(True)

    def sync_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Nothing: every worker has its part of the mean gradient already."""


def local(tensor: Any) -> Tensor:
    """This worker's part, in the same memory; a tensor that is not shared out is its own."""
    return tensor.to_local() if _is_shared(tensor) else tensor


def whole(tensor: Any) -> Tensor:
    """All of it. Where it is shared out every worker must ask at the same time."""
    return tensor.full_tensor() if _is_shared(tensor) else tensor


def write(target: Any, value: Tensor) -> None:
    """Copy `value`, which is whole, into `target`, of a shared one this worker's part; ValueError for another shape."""
    if target.shape != value.shape:
        raise ValueError(f"a tensor {tuple(value.shape)} cannot be written into one {tuple(target.shape)}")
    if _is_shared(target):
        from torch.distributed.tensor import distribute_tensor

        value = distribute_tensor(value.to(target.device), target.device_mesh, target.placements, src_data_rank=None)
    target.copy_(value)


def _is_shared(tensor: Tensor) -> bool:
    return hasattr(tensor, "full_tensor")

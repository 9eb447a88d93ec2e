"""AdamW (Loshchilov & Hutter 2019) on PyTorch's fused kernel.

Equal to `torch.optim.AdamW(fused=True)`, whose first use loads PyTorch's compiler: 4 s of CPU time in every worker.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.sharding import local, write

BETAS, EPS = (0.9, 0.999), 1e-8


class AdamW:
    """`step(lr)` updates all parameters from their gradients; `state_dict` holds tensors in the parameters' order.

    Of parameters that are shared out over workers each worker updates its part.
    """

    def __init__(self, parameters: list[nn.Parameter], weight_decay: float):
        self.parameters, self.weight_decay = parameters, weight_decay
        self.first = [torch.zeros_like(p) for p in parameters]
        self.second = [torch.zeros_like(p) for p in parameters]
        self.steps = [torch.zeros((), device=p.device) for p in parameters]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One update with every gradient, then drop the gradients."""
        torch._foreach_add_(self.steps, 1)
        mine = [[local(tensor) for tensor in tensors] for tensors in (
            self.parameters, [p.grad for p in self.parameters], self.first, self.second)]
        torch._fused_adamw_(*mine, [], self.steps, lr=lr, beta1=BETAS[0], beta2=BETAS[1],
                            weight_decay=self.weight_decay, eps=EPS, amsgrad=False, maximize=False)
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, list[Tensor]]:
        return {"first": self.first, "second": self.second, "steps": self.steps}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, list[Tensor]]) -> None:
        for name in ("first", "second", "steps"):
            for mine, stored in zip(getattr(self, name), state[name], strict=True):
                write(mine, stored)

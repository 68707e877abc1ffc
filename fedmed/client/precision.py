"""Mixed precision: nets compute in half precision where torch deems it safe; weights and all else stay float32.

Micikevicius et al.: Mixed Precision Training. ICLR 2018, arXiv 1710.03740; torch's autocast and GradScaler.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from fedmed.models.net import Net
from fedmed.optimizers import LocalOptimizer

Precision = Literal["full", "bf16", "fp16"]

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}

SCALE = 2.0**12
"""What the loss is multiplied by for fp16 as a round begins: torch's 2**16 would skip the first steps of each round."""


def lower(net: Net, precision: Precision) -> None:
    """Has every pass through the net compute in the precision; what it gives out is float32 all the same.

    So no method sees half precision: losses, penalties and prototypes are computed in float32, whatever the net's
    passes are (its own, a teacher's, an evaluation's). Copies of the net do likewise.
    """
    if precision == "full" or net.lowered:
        return
    net.lowered = True
    for part in (net.features, net.head):
        lowered = _Autocast(TYPES[precision])
        part.register_forward_pre_hook(lowered.enter)
        # Also after a pass that raises: autocast is a setting of the thread, which would go on in half precision.
        part.register_forward_hook(lowered.leave, always_call=True)


class GradientStep:
    """The way down from a loss: gradients, what changes them, and the optimizer's step.

    fp16 gradients are computed of a scaled loss, so that small ones do not vanish, and are unscaled before anything
    sees them; a step whose gradients overflow is left out and the scale halved. The scale begins anew with each round.
    """

    def __init__(self, optimizer: LocalOptimizer, precision: Precision, device: torch.device) -> None:
        self._optimizer, self._device, self._scales = optimizer, device, precision == "fp16"
        self.begin()

    def begin(self) -> None:
        """Starts a round: with fp16 the scale of the loss is what it was at first, whoever trained before."""
        self._scaler = torch.amp.GradScaler(self._device.type, init_scale=SCALE) if self._scales else None

    @property
    def scale(self) -> float:
        """What the loss is multiplied by before its gradients are computed; 1 but for fp16."""
        # get_scale waits for a GPU, so nothing asks for it within a step
        return 1.0 if self._scaler is None else float(self._scaler.get_scale())

    def step(self, loss: Tensor, change: Callable[[], None]) -> None:
        """One step. change: of the gradients, once they are there and unscaled."""
        self._optimizer.zero_grad()
        if self._scaler is None:
            loss.backward()
            change()
            self._optimizer.step()
            return
        optimizer: Any = self._optimizer  # the scaler takes whatever has param_groups and step
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(optimizer)
        # After unscale_: clipping and corrections compare gradients with norms that know of no scale.
        change()
        self._scaler.step(optimizer)
        self._scaler.update()


class _Autocast:
    """Autocast from before a module's pass to after it; can be copied and pickled with its module."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype
        # Entered in one hook and left in another; a stack, so that each leaves its own should passes nest.
        self._open: list[torch.autocast] = []

    def enter(self, module: nn.Module, given: tuple[Tensor, ...]) -> None:
        self._open.append(torch.autocast(given[0].device.type, self._dtype))
        self._open[-1].__enter__()

    def leave(self, module: nn.Module, given: tuple[Tensor, ...], found: Tensor | None) -> Tensor | None:
        self._open.pop().__exit__(None, None, None)
        return None if found is None else found.float()

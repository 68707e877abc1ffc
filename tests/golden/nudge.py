"""A method that changes the last bits of every gradient, as another processor's order of summation does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge

from fedmed.method import Client, Method


@dataclass(frozen=True, kw_only=True)
class Nudge(Method):
    """Adds noise of size * max |g| to each gradient g: sums of float32 err by their largest terms, not by their value.

    size: standard deviation over the largest entry of the tensor (>= 0; 0: no noise).
    """

    size: Annotated[float, Ge(0)] = 0.000001

    def correct(self, client: Client) -> None:
        for _, weight, _ in client.shared if self.size else ():
            if (gradient := weight.grad) is not None:
                gradient.add_(torch.randn(gradient.shape, generator=client.rng), alpha=self.size * gradient.abs().max())

"""FedPower: an example of a method of one's own. Clients count by a power of their number of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from fedmed.method import Method, Report, Server


@dataclass(frozen=True, kw_only=True)
class FedPower(Method):
    """Weighs client k by n_k^power in the average, between equal weights and those of FedAvg.

    power: exponent of the number of training images (0 to 1; 1 is FedAvg).
    """

    power: Annotated[float, Interval(ge=0, le=1)] = 0.5

    def weights(self, server: Server, reports: Sequence[Report]) -> Tensor:
        """How much each report counts, (K,)."""
        return torch.tensor([report.examples for report in reports], dtype=torch.float64) ** self.power

"""Coordinate-wise median: a few broken or hostile clients move no weight far.

Yin, Chen, Ramchandran, Bartlett: Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates. ICML 2018,
arXiv 1803.01498.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fedmed.method import Method, Payload, Report, Server


@dataclass(frozen=True, kw_only=True)
class CoordinateMedian(Method):
    """The median over clients of every weight (Definition 1), whatever clients hold; of two middle ones their mean.

    local: what stays on the client, as weight-name patterns ([] shares everything).
    """

    def average(self, server: Server, reports: Sequence[Report], weights: Tensor) -> Payload:
        middle = {len(reports) // 2, (len(reports) - 1) // 2}
        found = {}
        for name, tensor in reports[0].weights.items():
            if tensor.is_floating_point():
                ordered = torch.stack([report.weights[name] for report in reports]).sort(0).values
                found[name] = ordered[sorted(middle)].mean(0)
            else:
                found[name] = tensor
        return found

"""The most valuable jobs first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fedmed.scheduling.policy import Policy, Waiting


@dataclass(frozen=True, kw_only=True)
class Density(Policy):
    """Jobs by what a unit of their demand is worth, highest first; one that does not fit is passed over."""

    def grant(self, waiting: Waiting) -> list[int]:
        return waiting.first_fit(np.argsort(-waiting.weights, kind="stable"))

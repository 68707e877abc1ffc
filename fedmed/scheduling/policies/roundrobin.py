"""Round robin: analysts in turn, each with its next job that fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fedmed.scheduling.policy import Policy, Waiting


@dataclass(frozen=True, kw_only=True)
class RoundRobin(Policy):
    """Each analyst's first job, then each one's second, and so on, as they arrived; one that does not fit is left."""

    def grant(self, waiting: Waiting) -> list[int]:
        turns = [int((waiting.analysts[:job] == analyst).sum()) for job, analyst in enumerate(waiting.analysts)]
        return waiting.first_fit(np.argsort(turns, kind="stable"))

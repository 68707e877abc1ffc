"""DPF, dominant private block fairness: small jobs first, of budgets that open little by little.

Luo, Pan, Tholoniat, Cidon, Geambasu, Lécuyer: Privacy Budget Scheduling. OSDI 2021, arXiv 2106.15335.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

from fedmed.scheduling.policy import Policy, Waiting


@dataclass(frozen=True, kw_only=True)
class DominantPrivateBlockFairness(Policy):
    """Jobs by their dominant share, smallest first, of what is unlocked of each block.

    unlock: how a block opens: all (at once), arrivals (by each job that asks it, DPF-N) or time (by its age, DPF-T).
    arrivals: jobs that open a block to the end, for unlock=arrivals (at least 1).
    lifetime: age at which a block is open to the end, for unlock=time (time, above 0).
    """

    unlock: Literal["all", "arrivals", "time"] = "all"
    arrivals: Annotated[int, Ge(1)] = 100
    lifetime: Annotated[float, Gt(0)] = 10.0

    def grant(self, waiting: Waiting) -> list[int]:
        part = {
            "all": np.ones(len(waiting.left)),
            "arrivals": waiting.arrived / self.arrivals,
            "time": waiting.ages / self.lifetime,
        }[self.unlock]
        budgets = waiting.budgets.unlocked(np.clip(part, 0.0, 1.0))
        return waiting.first_fit(np.argsort(waiting.dominant, kind="stable"), budgets)

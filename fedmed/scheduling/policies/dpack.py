"""DPack: as much value as fits.

Tholoniat, Kostopoulou, Chowdhury, Cidon, Geambasu, Lécuyer, Yang: Efficiently Packing Privacy Budget with DPack. 2022,
arXiv 2212.13228.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fedmed.scheduling.policy import Policy, Waiting


@dataclass(frozen=True, kw_only=True)
class DPack(Policy):
    """Jobs by their value over what they ask, of blocks that many ask counted more; best first."""

    def grant(self, waiting: Waiting) -> list[int]:
        # w_ij / sum_k g_ijk total_k, of total_k = sum_ij g_ijk
        demanded = waiting.shares @ waiting.shares.sum(axis=0)
        value = np.divide(waiting.weights, demanded, out=np.full(len(demanded), np.inf), where=demanded > 0)
        return waiting.first_fit(np.argsort(-value, kind="stable"))

"""First come, first served."""

from __future__ import annotations

from dataclasses import dataclass

from fedmed.scheduling.policy import Policy, Waiting


@dataclass(frozen=True, kw_only=True)
class FirstComeFirstServed(Policy):
    """Jobs as they arrived; one that does not fit is passed over."""

    def grant(self, waiting: Waiting) -> list[int]:
        return waiting.first_fit(range(len(waiting.shares)))

"""What is compared: runs, by world, arm and seed.

A world is what the arms share: data, partition, annotation, shift, clients. An arm is what differs between them: most
of all its strategy. Runs of one world with one seed share images, partition, first weights and order of clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from fedmed.config.values import Config
from fedmed.metric_direction import HIGHER_IS_BETTER, Directions, ScopedMetric
from fedmed.rundir.directory import RunDirectory

Key = tuple[str, str, int]
"""World, arm, seed."""

POOLED, LOCAL = "pooled", "local-only"
"""Names of the two reference arms: one client with everyone's images, and clients that share nothing."""


@dataclass(frozen=True, kw_only=True)
class ComparedRun:
    """A finished run. final: the content of final.json; directions: of its metrics, where known."""

    path: Path
    seed: int
    config: Config
    final: Mapping[str, Any]
    directions: Directions = field(default_factory=lambda: HIGHER_IS_BETTER)

    @cached_property
    def rounds(self) -> list[dict[str, Any]]:
        """A row per round: round, loss, seconds, bytes.up, bytes.down, after an evaluation test.<metric> and others."""
        return RunDirectory(self.path).rows("rounds")

    @cached_property
    def clients(self) -> list[dict[str, Any]]:
        """A row per client and round: round, client, examples, loss, client.<metric> where it was evaluated."""
        return RunDirectory(self.path).rows("clients")

    @cached_property
    def audit(self) -> list[dict[str, Any]]:
        """A row per client and round: round, client, completeness, <method>.<quantity>."""
        return RunDirectory(self.path).rows("audit")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Runs in their places.

    worlds, arms, seeds: in the order in which they are reported. runs: those there are, by world, arm and seed; some
    may be missing. metric: the headline, as in final.json without its scope (`auc`). scope: over what it is taken
    (`client.worst`); empty for the first scope that every federated arm has. reference: the arm that the others are
    compared with. greater: whether more of the metric is better.
    notes: what a reader has to know, such as runs that were skipped and why, or differences that were forced.
    """

    worlds: tuple[str, ...]
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    runs: Mapping[Key, ComparedRun]
    metric: str
    reference: str
    greater: bool = True
    scope: str = ""
    notes: tuple[str, ...] = ()

    def improves(self, name: str) -> bool:
        """Whether more of the metric is better as final.json names it: of a gap between groups less is."""
        return ScopedMetric.of(name).greater(self.greater)

    def values(self, world: str, arm: str, name: str) -> dict[int, float]:
        """A quantity of final.json (`test.auc`) by seed; runs in which it is missing or undefined are left out."""
        found = {
            seed: self.runs[world, arm, seed].final.get(name) for seed in self.seeds if (world, arm, seed) in self.runs
        }
        return {seed: float(value) for seed, value in found.items() if value is not None}

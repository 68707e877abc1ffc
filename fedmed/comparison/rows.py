"""What a comparison says: rows that every table, picture and page shows alike.

None stands for what is not known: a metric that no run has, an interval of one seed, a test of too few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fedmed.comparison.runs import Comparison

Mark = Literal["best", "near", ""]
"""best: of its world; near: not significantly worse than the best; empty: worse, a reference, or not tested."""

Test = Literal["t", "wilcoxon", ""]
"""paired t, Wilcoxon's signed ranks, or none, for too few seeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric of one arm in one world, over seeds.

    metric: as final.json names it (`test.auc`). federated: false for the pooled and the local-only reference.
    n: seeds. mean, sd: over seeds. low, high: 95 % interval of the mean.
    difference, dlow, dhigh: mean of arm - reference over the seeds that both have, with its 95 % t interval.
    p, p_holm: of the difference, alone and with Holm's correction over the world's arms; test: by which test.
    effect: Hedges' g of the paired differences (their mean by their sd, corrected for few seeds).
    mark: whether the arm is the best of its world, or not significantly worse.
    defined, of: what the metric rests on (clients, domains, groups, classes or masks), of how many, mean over seeds;
    None where it rests on all, or where the runs do not tell.
    """

    world: str
    arm: str
    metric: str
    federated: bool = True
    n: int
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    difference: float | None = None
    dlow: float | None = None
    dhigh: float | None = None
    p: float | None = None
    p_holm: float | None = None
    test: Test = ""
    effect: float | None = None
    mark: Mark = ""
    defined: float | None = None
    of: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRow:
    """How evenly the headline metric falls on the clients of one arm in one world.

    Every quantity is computed over the clients of a run, in its last evaluated round, then averaged over n runs.
    clients: that have a value; of: how many there are. sd: between clients. worst: the client who has it worst.
    jain: Jain's index, between 1 / clients and 1 (all alike). deciles: nine, from the 10 % lowest on.
    """

    world: str
    arm: str
    metric: str
    federated: bool = True
    n: int
    clients: float
    mean: float
    sd: float
    worst: float
    jain: float
    deciles: tuple[float, ...]
    of: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """What one arm needs in one world until the headline metric reaches the target, and what a whole run costs.

    n: runs. reached: how many of them reach the target in an evaluated round.
    rounds, bytes (up and down), seconds: the median run's when it first does; None where half of the runs never do.
    all_rounds, all_bytes, all_seconds: means of whole runs. clock: simulated where all runs have one, else wall.
    """

    world: str
    arm: str
    metric: str
    target: float
    n: int
    reached: int
    rounds: float | None = None
    bytes: float | None = None
    seconds: float | None = None
    all_rounds: float
    all_bytes: float
    all_seconds: float
    clock: Literal["simulated", "wall"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Average ranks of the federated arms over worlds (1: best), by Friedman and Nemenyi.

    arms: best first. ranks: one per arm. worlds: those in which every arm has a mean.
    statistic, p: Friedman's test that all arms rank alike. critical: Nemenyi's critical difference at 5 %; all three
    None where the worlds are too few to test. alike: maximal runs of arms whose ranks differ by less than that.
    """

    metric: str
    arms: tuple[str, ...]
    ranks: tuple[float, ...]
    worlds: tuple[str, ...]
    statistic: float | None = None
    p: float | None = None
    critical: float | None = None
    alike: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The results of a comparison.

    metrics: of the rows, the headline first (`test.auc`, `client.mean.auc`, `client.worst.auc`).
    rows: by metric, world and arm, in this order. ranking: None for one world or fewer than three federated arms.
    notes: what a reader has to know, the comparison's own first.
    """

    comparison: Comparison
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    clients: tuple[ClientRow, ...]
    targets: tuple[TargetRow, ...]
    ranking: Ranking | None
    notes: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The metric that arms are marked and ranked by."""
        return self.metrics[0]

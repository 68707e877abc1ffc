"""All policies on the same jobs, side by side, without training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from textwrap import wrap

from fedmed.comparison.fairness import jain
from fedmed.formatting import percent
from fedmed.options.catalogue import options_of
from fedmed.options.groups import POLICIES
from fedmed.report.figures.tradeoff import TradeoffPlot, TradeoffPoint, tradeoff_figure
from fedmed.scheduling.choice import BETAS, DEFAULT, made
from fedmed.scheduling.jobs import JobsFile
from fedmed.scheduling.measures import envious_pairs, sharing_incentive
from fedmed.scheduling.period import waiting_jobs
from fedmed.scheduling.policies.dpbalance import analysts_of, demands, worths
from fedmed.scheduling.policy import Policy
from fedmed.scheduling.shares import fair_shares
from fedmed.scheduling.simulation import PolicyRow, replay, row_of
from fedmed.terminal.text_table import TextTable, fit

POLICY_COLUMNS = (
    "efficiency: sum of analysts' utilities. worst: utility of the worst-off analyst. delay: periods until a grant."
)
SHARES_COLUMNS = (
    "incentive: analysts who get no less than by an even division. envious: pairs of analysts of whom one would rather"
    " have the other's share."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharesRow:
    """Stage 1 of DPBalance on the jobs that are there at time 0, before whole jobs are chosen; means over workloads.

    efficiency, fairness: of the utilities of the shares. incentive: part of the analysts who get no less than by an
    even division. envious: ordered pairs of analysts of which one would rather have the other's share.
    """

    beta: float
    efficiency: float
    fairness: float
    incentive: float
    envious: float


@dataclass(frozen=True, slots=True)
class PolicyComparison:
    """Replays of all policies. curve: DPBalance by beta, ascending. others: the other policies, in order of name.

    shares: of DPBalance by beta. workloads: on how many files of jobs.
    """

    curve: tuple[PolicyRow, ...]
    others: tuple[PolicyRow, ...]
    shares: tuple[SharesRow, ...]
    workloads: int

    @property
    def rows(self) -> tuple[PolicyRow, ...]:
        """The rows of all policies, DPBalance first."""
        return (*self.curve, *self.others)

    def table(self, width: int) -> str:
        """Policies and shares as tables of text. width: characters of a line."""
        tables = [self._policy_table(width), self._shares_table(width)]
        return "\n".join(part.text() for table in tables if table.rows for part in fit(table, width))

    def _policy_table(self, width: int) -> TextTable:
        rows = [
            [
                row.policy,
                *(f"{value:.3f}" for value in (row.efficiency, row.fairness, row.worst)),
                *(f"{value:.1f}" for value in (row.granted, row.waiting)),
                f"{row.delay:.2f}",
            ]
            for row in self.rows
        ]
        means = f" Means over {self.workloads} workloads." if self.workloads > 1 else ""
        return TextTable(
            header=["policy", "efficiency", "Jain", "worst", "granted", "waiting", "delay"],
            rows=rows,
            breaks=frozenset({len(self.curve) - 1}),
            below=["", *wrap(f"{POLICY_COLUMNS}{means}", width), ""],
        )

    def _shares_table(self, width: int) -> TextTable:
        rows = [
            [
                f"{row.beta:g}",
                *(f"{value:.3f}" for value in (row.efficiency, row.fairness)),
                percent(row.incentive),
                f"{row.envious:.1f}",
            ]
            for row in self.shares
        ]
        return TextTable(
            header=["beta", "efficiency", "Jain", "incentive", "envious"],
            rows=rows,
            above=["Shares of DPBalance before whole jobs are chosen"],
            below=["", *wrap(SHARES_COLUMNS, width)],
        )


def compare_policies(files: Sequence[JobsFile], betas: Sequence[float] = BETAS) -> PolicyComparison:
    """Replays every policy on every file, DPBalance once for each beta, the others at their defaults.

    A policy of the user's in ./policies stands beside them.
    """
    ordered = tuple(sorted(set(betas)))
    options = options_of([POLICIES]).options["policy"]
    balanced = [(f"dpbalance beta={beta:g}", made(options[DEFAULT], {"beta": repr(beta)})) for beta in ordered]
    others = [(name, made(option, {})) for name, option in sorted(options.items()) if name != DEFAULT]
    if "dpf" in options:
        others.append(("dpf unlock=arrivals", made(options["dpf"], {"unlock": "arrivals"})))
    shares = tuple(row for beta in ordered for row in _shares(beta, files))
    return PolicyComparison(_rows(balanced, files), _rows(others, files), shares, len(files))


def draw_policies(compared: PolicyComparison, folder: Path) -> None:
    """Draws efficiency against fairness into `tradeoff.svg` and `.png` in a folder: of shares, and of whole jobs.

    Policies with other options than their defaults are left out, as unlocking would squeeze all others.
    """
    shares = [TradeoffPoint(f"{row.beta:g}", row.efficiency, row.fairness) for row in compared.shares]
    whole = [TradeoffPoint(row.policy.partition("=")[2], row.efficiency, row.fairness) for row in compared.curve]
    others = [
        TradeoffPoint(row.policy, row.efficiency, row.fairness) for row in compared.others if "=" not in row.policy
    ]
    plots = [
        TradeoffPlot("sum of utilities, shares alone", shares),
        TradeoffPlot("sum of utilities, whole jobs", whole, others),
    ]
    title = "Efficiency against fairness of scheduling policies"
    tradeoff_figure(plots, folder, name="tradeoff", title=title, curve="dpbalance, by beta", x="Jain's index")


def _rows(policies: Sequence[tuple[str, Policy]], files: Sequence[JobsFile]) -> tuple[PolicyRow, ...]:
    return tuple(row_of(name, [replay(found, policy) for found in files]) for name, policy in policies)


def _shares(beta: float, files: Sequence[JobsFile]) -> Iterator[SharesRow]:
    """The row of a beta; none where no file has jobs at time 0."""
    found = [_stage_1(beta, each) for each in files if any(not job.arrives for job in each.jobs)]
    if found:
        efficiency, fairness, incentive, envious = (fmean(column) for column in zip(*found, strict=True))
        yield SharesRow(beta=beta, efficiency=efficiency, fairness=fairness, incentive=incentive, envious=envious)


def _stage_1(beta: float, found: JobsFile) -> tuple[float, float, float, float]:
    there = [job for job in found.jobs if not job.arrives]
    waiting = waiting_jobs(found, there, 0 * found.capacity, 0.0)
    analysts = analysts_of(waiting)
    demand, worth = demands(waiting, analysts), worths(waiting, analysts)
    x = fair_shares(demand, waiting.left, worth, beta).granted
    utilities = worth * demand.max(axis=1) * x
    incentive = sharing_incentive(demand, waiting.left, x).mean()
    return float(utilities.sum()), jain(utilities.tolist()), float(incentive), float(envious_pairs(demand, x))

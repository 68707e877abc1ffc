"""Replays over time: utilities, waiting and leaving, by hand; and the specification's table as inequalities."""

from __future__ import annotations

import pytest

from fedmed.scheduling.jobs import Block, Job, JobsFile
from fedmed.scheduling.policies.fcfs import FirstComeFirstServed
from fedmed.scheduling.policy_comparison import compare_policies
from fedmed.scheduling.simulation import replay, row_of
from fedmed.scheduling.workload import SyntheticJobs


def test_by_hand() -> None:
    blocks = (Block("a", 1.0, "a"), Block("b", 1.0, "b", since=2.0))
    jobs = (
        Job(name="x1", analyst="x", demand={"a": 0.6}),
        Job(name="y1", analyst="y", demand={"a": 0.6}, patience=1.0),
        Job(name="y2", analyst="y", demand={"b": 0.5}),
        Job(name="x2", analyst="x", demand={"a": 0.5}, arrives=2.0),
    )
    found = replay(JobsFile(blocks=blocks, jobs=jobs), FirstComeFirstServed())
    assert found.utilities == pytest.approx([0.6, 0.5 / 3])  # y2 came at 0 and got its block at 2
    assert (found.granted, found.waiting, found.left, found.delay) == (2, 1, 1, 1.0)
    assert found.efficiency == pytest.approx(0.6 + 0.5 / 3)
    assert found.worst == pytest.approx(0.5 / 3)
    assert found.platform(1.0) is not None


def test_nothing_to_schedule() -> None:
    found = replay(JobsFile(blocks=(Block("a", 1.0, "a"),)), FirstComeFirstServed())
    assert (found.granted, found.delay, found.efficiency, found.worst) == (0, 0.0, 0.0, 0.0)
    assert row_of("fcfs", [found]).granted == 0


def test_the_specifications_table_as_inequalities() -> None:
    """Eight workloads: DPBalance grants more than FCFS, and its worst-off analyst is better off than elsewhere."""
    compared = compare_policies([SyntheticJobs().draw(seed) for seed in range(8)], [1.0])
    (balanced,), others = compared.curve, {row.policy: row for row in compared.others}
    assert balanced.efficiency > 1.03 * others["fcfs"].efficiency
    assert balanced.efficiency > 1.05 * others["dpf"].efficiency
    assert balanced.efficiency < others["dpack"].efficiency
    assert all(balanced.worst > 1.05 * row.worst for row in others.values())
    assert all(balanced.fairness > row.fairness for row in others.values())
    assert others["dpf unlock=arrivals"].efficiency < others["dpf"].efficiency
    assert balanced.granted == pytest.approx(141, abs=2)
    assert others["fcfs"].granted == pytest.approx(129, abs=2)

"""Synthetic jobs: what is drawn, and that a seed draws the same."""

from __future__ import annotations

from collections import Counter

import pytest

from fedmed.errors import UserError
from fedmed.scheduling.workload import SyntheticJobs


def test_a_batch_has_as_many_jobs_of_every_analyst() -> None:
    found = SyntheticJobs().draw(0)
    assert set(Counter(job.analyst for job in found.jobs).values()) == {25}
    assert len(found.blocks) == 12
    assert all(0.5 <= job.weight <= 1.5 for job in found.jobs)
    assert {len(job.demand) for job in found.jobs} == {1, 10}
    assert {epsilon for job in found.jobs for epsilon in job.demand.values()} == {0.01, 0.1}
    share = sum(len(job.demand) == 1 for seed in range(8) for job in SyntheticJobs().draw(seed).jobs) / 1200
    assert share == pytest.approx(0.75, abs=0.04)


def test_arrivals_come_at_ten_times_and_one_analyst_asks_more_often() -> None:
    found = SyntheticJobs(workload="arrivals").draw(0)
    assert Counter(job.arrives for job in found.jobs) == dict.fromkeys(map(float, range(10)), 20)
    asked = Counter(job.analyst for job in found.jobs)
    assert asked["analyst0"] == max(asked.values())


def test_a_seed_draws_the_same_and_another_does_not() -> None:
    jobs = SyntheticJobs(jobs=2, blocks=3)
    assert jobs.draw(1) == jobs.draw(1) != jobs.draw(2)


def test_out_of_bounds() -> None:
    with pytest.raises(UserError, match=r"SyntheticJobs.seeds: expected a whole number >= 1"):
        SyntheticJobs(seeds=0)

"""A period: who waits, what a policy sees, and that no policy can grant more than there is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

import numpy as np
import pytest

from fedmed.errors import UserError
from fedmed.options.catalogue import options_of
from fedmed.options.groups import POLICIES
from fedmed.scheduling.budgets import ROUNDING
from fedmed.scheduling.choice import made
from fedmed.scheduling.jobs import Block, Job, JobsFile
from fedmed.scheduling.period import decide, waiting_jobs
from fedmed.scheduling.policies.dpbalance import DPBalance
from fedmed.scheduling.policies.fcfs import FirstComeFirstServed
from fedmed.scheduling.policy import Policy, Waiting
from fedmed.scheduling.workload import SyntheticJobs

BLOCKS = (Block("a", 2.0, "a"), Block("b", 1.0, "b", since=1.0))


def job(name: str, *, arrives: float = 0.0, patience: float = inf, **demand: float) -> Job:
    return Job(name=name, analyst=name[0], demand=demand, arrives=arrives, patience=patience)


def filed(*jobs: Job) -> JobsFile:
    return JobsFile(blocks=BLOCKS, jobs=jobs)


def test_what_a_policy_sees() -> None:
    found = filed(job("x1", a=1.0), job("y1", a=0.5, b=0.5, arrives=1.0))
    seen = waiting_jobs(found, found.jobs, np.array([[0.5], [0.0]]), 1.0)
    assert seen.shares.tolist() == [[0.5, 0.0], [0.25, 0.5]]
    assert seen.weights.tolist() == [0.5, 1.0]  # worth half after a period
    assert seen.left.tolist() == [0.75, 1.0]
    assert seen.arrived.tolist() == [2.0, 1.0]
    assert seen.ages.tolist() == [1.0, 0.0]
    assert seen.dominant.tolist() == [0.5, 0.5]


def test_a_block_that_is_not_there_yet_has_nothing() -> None:
    found = filed(job("x1", b=0.5), job("x2", a=0.5))
    for policy in policies():
        assert [each.job.name for each in decide(found, found.jobs, np.zeros((2, 1)), 0.0, policy).granted] == ["x2"]
        assert len(decide(found, found.jobs, np.zeros((2, 1)), 1.0, policy).granted) == 2


def test_a_job_whose_patience_is_over_leaves_and_one_to_come_is_not_there() -> None:
    found = filed(job("x1", a=2.0, patience=1.0), job("x2", a=0.1, arrives=5.0))
    spent = np.array([[1.0], [0.0]])
    policy = FirstComeFirstServed()
    assert decide(found, found.jobs, spent, 1.0, policy).left == ()
    assert [each.name for each in decide(found, found.jobs, spent, 2.0, policy).left] == ["x1"]
    assert decide(found, found.jobs[1:], spent, 2.0, policy).granted == ()


def policies() -> list[Policy]:
    return [made(option, {}) for option in options_of([POLICIES]).options["policy"].values()]


@pytest.mark.parametrize("accounting", ["epsilon", "renyi"])
@pytest.mark.parametrize("seed", range(3))
def test_no_policy_overdraws_a_block_and_nothing_that_fits_is_left(seed: int, accounting: str) -> None:
    found = SyntheticJobs(analysts=4, jobs=10, blocks=5).draw(seed)
    scale, part = (1.0, 0.5) if accounting == "epsilon" else (30.0, 0.15)  # Rényi orders prove nothing below .18
    jobs = [replace(each, demand={b: e * scale for b, e in each.demand.items()}) for each in found.jobs]
    blocks = tuple(block._replace(capacity=part * scale) for block in found.blocks)
    found = replace(found, jobs=tuple(jobs), blocks=blocks, accounting=accounting)
    for policy in policies():
        decided = decide(found, found.jobs, 0 * found.capacity, 0.0, policy)
        spent = sum(found.cost(each.job.demand) for each in decided.granted)
        borne = (spent <= found.capacity * (1 + ROUNDING)) & (found.capacity > 0)
        assert borne.any(axis=1).all()
        assert decided.granted
        names = {each.job.name for each in decided.granted}
        left = waiting_jobs(found, [each for each in found.jobs if each.name not in names], spent, 0.0)
        assert not any(left.budgets.fits(cost) for cost in left.costs)
        assert len(names) < len(found.jobs)


@dataclass(frozen=True, kw_only=True)
class Generous(Policy):
    """Grants everything."""

    def grant(self, waiting: Waiting) -> list[int]:
        return list(range(len(waiting.shares)))


def test_a_policy_that_grants_more_than_there_is_is_refused() -> None:
    found = filed(job("x1", a=1.5), job("x2", a=1.5))
    with pytest.raises(UserError, match="policy: expected grants within what is left of every block, got Generous"):
        decide(found, found.jobs, np.zeros((2, 1)), 0.0, Generous())


def test_with_nothing_left_nothing_is_granted() -> None:
    found = filed(job("x1", a=0.5))
    for policy in policies():
        assert decide(found, found.jobs, found.capacity, 0.0, policy).granted == ()
    assert decide(found, [], found.capacity, 0.0, DPBalance()).granted == ()

"""DPBalance: whole jobs inside shares, one or more, and what is left over."""

from __future__ import annotations

import numpy as np
import pytest

from fedmed.errors import UserError
from fedmed.scheduling.jobs import Block, Job, JobsFile
from fedmed.scheduling.period import decide
from fedmed.scheduling.policies.dpbalance import DPBalance


def granted(jobs: list[tuple[str, float]], *, beta: float = 1.0, capacity: float = 1.0) -> list[str]:
    """Names of the jobs that are granted on one block. jobs: names that begin with the analyst's, and demands."""
    made = [Job(name=name, analyst=name[0], demand={"a": demand}) for name, demand in jobs]
    found = JobsFile(blocks=(Block("a", capacity, "a"),), jobs=tuple(made))
    return [each.job.name for each in decide(found, found.jobs, np.zeros((1, 1)), 0.0, DPBalance(beta=beta)).granted]


def test_inside_a_share_small_jobs_come_first() -> None:
    assert granted([("x1", 0.4), ("x2", 0.1), ("y1", 0.5)]) == ["x2", "x1", "y1"]


def test_an_analyst_whose_smallest_job_exceeds_the_share_waits_for_what_is_left() -> None:
    assert granted([("x1", 0.8), ("y1", 0.3), ("y2", 0.1)]) == ["y2", "y1"]
    # half a block each: x1 exceeds it, and so does y2 beside y1; what y leaves is enough for x1
    assert granted([("x1", 0.6), ("y1", 0.3), ("y2", 0.35)]) == ["y1", "x1"]


def test_what_is_left_goes_to_whoever_has_least() -> None:
    # shares of a half each: x gets .4, y gets .3; the last .3 goes to y first, then nothing of x's fits
    assert granted([("x1", 0.4), ("x2", 0.25), ("x3", 0.2), ("y1", 0.3), ("y2", 0.25)]) == ["x3", "x2", "y2", "y1"]


def test_a_heavier_job_comes_before_a_smaller_one() -> None:
    made = [
        Job(name="x1", analyst="x", demand={"a": 0.3}, weight=4.0),
        Job(name="x2", analyst="x", demand={"a": 0.2}, weight=1.0),
    ]
    found = JobsFile(blocks=(Block("a", 0.4, "a"),), jobs=tuple(made))
    assert [e.job.name for e in decide(found, found.jobs, np.zeros((1, 1)), 0.0, DPBalance()).granted] == ["x1"]


@pytest.mark.parametrize("beta", [0.0, -1.0, "much"])
def test_beta_is_above_0(beta: object) -> None:
    with pytest.raises(UserError, match=r"DPBalance.beta: expected a number > 0"):
        DPBalance(beta=beta)  # type: ignore[arg-type]


def test_one_or_more_an_analyst_whose_smallest_job_does_not_fit_gives_all_back() -> None:
    """A quarter of block a each: x1 asks more, though x2 alone would fit x's share of block b."""
    demands = [
        ("x1", "a", 0.3),
        ("x2", "b", 0.4),
        ("x3", "b", 0.4),
        ("y1", "a", 0.9),
        ("z1", "a", 0.9),
        ("w1", "a", 0.9),
    ]
    jobs = tuple(Job(name=name, analyst=name[0], demand={block: demand}) for name, block, demand in demands)
    found = JobsFile(blocks=(Block("a", 1.0, "a"), Block("b", 1.0, "b")), jobs=jobs)
    names = [each.job.name for each in decide(found, jobs, np.zeros((2, 1)), 0.0, DPBalance()).granted]
    assert names == ["x1", "x2", "x3"]  # with x2 already in hand, x would have come after y, who then takes block a

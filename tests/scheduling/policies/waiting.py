"""Four jobs of two analysts on two blocks, for which every simple policy has another answer."""

from __future__ import annotations

import numpy as np

from fedmed.scheduling.jobs import Block, Job, JobsFile
from fedmed.scheduling.period import decide
from fedmed.scheduling.policy import Policy

FOUND = JobsFile(
    blocks=(Block("a", 1.0, "a"), Block("b", 1.0, "b")),
    jobs=(
        Job(name="x1", analyst="x", demand={"a": 0.5}, weight=1.0),
        Job(name="x2", analyst="x", demand={"a": 0.3, "b": 0.2}, weight=2.0),
        Job(name="y1", analyst="y", demand={"a": 0.5, "b": 0.3}, weight=3.0),
        Job(name="y2", analyst="y", demand={"b": 0.2}, weight=1.5),
    ),
)


def granted(policy: Policy) -> list[str]:
    """Names of the jobs that a policy grants, in its order."""
    return [each.job.name for each in decide(FOUND, FOUND.jobs, np.zeros((2, 1)), 0.0, policy).granted]

"""DPF: small jobs first, of what is unlocked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fedmed.scheduling.jobs import Block, Job, JobsFile
from fedmed.scheduling.period import decide
from fedmed.scheduling.policies.dpf import DominantPrivateBlockFairness

DEMANDS = (0.5, 0.2, 0.4, 0.1)


def granted(time: float = 0.0, **options: Any) -> list[str]:
    jobs = [Job(name=f"j{at}", analyst="x", demand={"a": demand}) for at, demand in enumerate(DEMANDS)]
    found = JobsFile(blocks=(Block("a", 1.0, "a"),), jobs=tuple(jobs))
    policy = DominantPrivateBlockFairness(**options)
    return [each.job.name for each in decide(found, found.jobs, np.zeros((1, 1)), time, policy).granted]


@pytest.mark.parametrize(
    ("options", "time", "names"),
    [
        ({}, 0.0, ["j3", "j1", "j2"]),
        ({"unlock": "arrivals", "arrivals": 8}, 0.0, ["j3", "j1"]),  # four jobs have opened half
        ({"unlock": "arrivals", "arrivals": 2}, 0.0, ["j3", "j1", "j2"]),
        ({"unlock": "time", "lifetime": 10.0}, 0.0, []),
        ({"unlock": "time", "lifetime": 10.0}, 1.0, ["j3"]),
        ({"unlock": "time", "lifetime": 10.0}, 20.0, ["j3", "j1", "j2"]),
    ],
)
def test_what_is_granted(options: dict[str, Any], time: float, names: list[str]) -> None:
    assert granted(time, **options) == names

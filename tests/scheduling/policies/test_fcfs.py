"""The order in which policy=fcfs grants."""

from __future__ import annotations

from fedmed.scheduling.policies.fcfs import FirstComeFirstServed
from tests.scheduling.policies.waiting import granted


def test_the_order() -> None:
    assert granted(FirstComeFirstServed()) == ["x1", "x2", "y2"]
